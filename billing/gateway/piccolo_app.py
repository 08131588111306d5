"""The migrations of the gateway, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="gateway", migrations_folder_path="billing.gateway.migrations")
