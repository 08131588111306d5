"""The tables and migrations of the federation, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

from coalition.federation import tables

APP_CONFIG = AppConfig(
    app_name="federation",
    migrations_folder_path="coalition.federation.migrations",
    table_classes=[
        tables.CatalogueVersion,
        tables.PointCurrency,
        tables.Coalition,
        tables.Partner,
        tables.Store,
        tables.Contract,
    ],
)
