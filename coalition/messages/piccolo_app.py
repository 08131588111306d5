"""The migrations of messages, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="messages", migrations_folder_path="coalition.messages.migrations")
