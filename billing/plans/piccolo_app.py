"""The migrations of plans, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="plans", migrations_folder_path="billing.plans.migrations")
