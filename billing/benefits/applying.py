"""Makes what a member gets agree with what its membership entitles it to, no more and no less."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from billing.benefits.entitlements import Entitlement
from billing.plans.documents import PlanDocument
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId


class Plan(Protocol):
    """A version of a plan, of which its document counts."""

    @property
    def document(self) -> PlanDocument:
        """What it gives."""


class Plans(Protocol):
    """Whoever knows the versions of plans by their numbers, such as `plans.catalogue.Plans`."""

    def plan(self, no: int) -> Plan:
        """Return the version with this number."""


async def apply(
    connection: Connection,
    *,
    member: MemberId,
    membership_id: UUID,
    entitlements: Sequence[Entitlement],
    plans: Plans,
    at: datetime,
) -> None:
    """Let the member have what `entitlements` say, all of its membership's, past and to come.

    They do not overlap. The caller holds the transaction. The same again writes nothing, whoever
    applied it before. What a plan gives by the month is posted by the worker, within a minute.
    """
