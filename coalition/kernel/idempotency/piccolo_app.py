"""The migrations of idempotency, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(
    app_name="idempotency", migrations_folder_path="coalition.kernel.idempotency.migrations"
)
