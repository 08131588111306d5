"""The migrations of batches, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="batches", migrations_folder_path="partners.batches.migrations")
