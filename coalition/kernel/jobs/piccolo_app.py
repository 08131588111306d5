"""The migrations of the job queue, as Piccolo wants to know them."""

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(app_name="jobs", migrations_folder_path="coalition.kernel.jobs.migrations")
