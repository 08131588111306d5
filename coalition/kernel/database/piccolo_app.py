"""The migrations of the database itself, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(
    app_name="database", migrations_folder_path="coalition.kernel.database.schema"
)
