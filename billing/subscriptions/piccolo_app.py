"""The migrations of subscriptions, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(
    app_name="subscriptions", migrations_folder_path="billing.subscriptions.migrations"
)
