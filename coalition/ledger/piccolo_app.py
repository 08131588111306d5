"""The ledger's migrations, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="ledger", migrations_folder_path="coalition.ledger.migrations")
