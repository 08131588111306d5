"""The migrations of benefits, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="benefits", migrations_folder_path="billing.benefits.migrations")
