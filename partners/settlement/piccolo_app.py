"""The migrations of settlement, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(
    app_name="settlement", migrations_folder_path="partners.settlement.migrations"
)
