"""The Piccolo apps whose migrations make the schema, in the order in which they run."""

from piccolo.conf.apps import AppConfig

from coalition.federation.piccolo_app import APP_CONFIG as FEDERATION
from coalition.ledger.piccolo_app import APP_CONFIG as LEDGER
from coalition.oversight.piccolo_app import APP_CONFIG as OVERSIGHT

APPS: tuple[AppConfig, ...] = (OVERSIGHT, LEDGER, FEDERATION)
