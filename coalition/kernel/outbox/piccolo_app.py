"""The migrations of the outbox, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(
    app_name="outbox", migrations_folder_path="coalition.kernel.outbox.migrations"
)
