"""The members' migrations, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="members", migrations_folder_path="coalition.members.migrations")
