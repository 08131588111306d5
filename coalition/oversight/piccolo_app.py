"""The tables and migrations of oversight, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

from coalition.oversight.tables import Approval

APP_CONFIG = AppConfig(
    app_name="oversight",
    migrations_folder_path="coalition.oversight.migrations",
    table_classes=[Approval],
)
