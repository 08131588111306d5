"""The migrations of points, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="points", migrations_folder_path="coalition.points.migrations")
