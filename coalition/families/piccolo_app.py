"""The migrations of families, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="families", migrations_folder_path="coalition.families.migrations")
