"""The Piccolo apps whose migrations make the schema, in the order in which they run."""

from piccolo.conf.apps import AppConfig

from billing.benefits.piccolo_app import APP_CONFIG as BENEFITS
from billing.gateway.piccolo_app import APP_CONFIG as GATEWAY
from billing.plans.piccolo_app import APP_CONFIG as PLANS
from billing.subscriptions.piccolo_app import APP_CONFIG as SUBSCRIPTIONS
from coalition.access.piccolo_app import APP_CONFIG as ACCESS
from coalition.families.piccolo_app import APP_CONFIG as FAMILIES
from coalition.federation.piccolo_app import APP_CONFIG as FEDERATION
from coalition.kernel.database.piccolo_app import APP_CONFIG as DATABASE
from coalition.kernel.idempotency.piccolo_app import APP_CONFIG as IDEMPOTENCY
from coalition.kernel.jobs.piccolo_app import APP_CONFIG as JOBS
from coalition.kernel.outbox.piccolo_app import APP_CONFIG as OUTBOX
from coalition.ledger.piccolo_app import APP_CONFIG as LEDGER
from coalition.members.piccolo_app import APP_CONFIG as MEMBERS
from coalition.messages.piccolo_app import APP_CONFIG as MESSAGES
from coalition.oversight.piccolo_app import APP_CONFIG as OVERSIGHT
from coalition.points.piccolo_app import APP_CONFIG as POINTS
from partners.batches.piccolo_app import APP_CONFIG as BATCHES
from partners.settlement.piccolo_app import APP_CONFIG as SETTLEMENT

APPS: tuple[AppConfig, ...] = (
    DATABASE,
    IDEMPOTENCY,
    OUTBOX,
    JOBS,
    OVERSIGHT,
    LEDGER,
    FEDERATION,
    ACCESS,
    MEMBERS,
    MESSAGES,
    POINTS,
    FAMILIES,
    BATCHES,
    SETTLEMENT,
    PLANS,
    GATEWAY,
    BENEFITS,
    SUBSCRIPTIONS,
)
