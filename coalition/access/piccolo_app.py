"""The tables and migrations of access, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

from coalition.access.tables import Client, ClientKey, ClientSecret, SigningKey

APP_CONFIG = AppConfig(
    app_name="access",
    migrations_folder_path="coalition.access.migrations",
    table_classes=[Client, ClientSecret, ClientKey, SigningKey],
)
