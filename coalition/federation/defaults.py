"""Which partners are in default, since when and until when: dated, never changed.

That a partner does not pay is found out by settlement, which calls `declare` when two persons have
said so (see partners/settlement/defaulting.py). That it is over, two persons say here. Nothing of
it is retroactive: what happened before an instant stays as it was then.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.federation import catalogue
from coalition.federation.refusals import NotInDefault
from coalition.federation.terms import OnDefault, PartnerDefault
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.outbox import Event
from coalition.oversight import approvals, audit_log

KIND = "default_end"
"""The kind of approval by which a default is over."""

_INSERT = """
INSERT INTO partner_default (no, partner_no, on_default, begins_at, prepared_by, approved_by)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_LAST = """
SELECT * FROM partner_default WHERE partner_no = $1 ORDER BY no DESC LIMIT 1
"""


class PreparedEnd(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    partner_no: int


async def declare(
    connection: Connection,
    *,
    partner_no: int,
    on_default: OnDefault,
    prepared_by: str,
    approved_by: str,
    at: datetime,
) -> None:
    """Note within the caller's transaction that the partner is in default from `at` on.

    For one that is so already, and whose points fare the same, nothing changes.
    """
    await catalogue.bump(connection)
    last = await _last(connection, partner_no)
    if last is None or last.on_default != on_default:
        persons = prepared_by, approved_by
        await _write(connection, last, partner_no, on_default=on_default, persons=persons, at=at)


async def prepare_end(*, partner_no: int, prepared_by: str, at: datetime) -> UUID:
    """Prepare that a default is over as soon as a second person says so; return the approval.

    Raises `NotInDefault`.
    """
    async with transaction() as connection:
        await _still(connection, partner_no)
        return await approvals.prepare(
            kind=KIND,
            subject=f"partner:{partner_no}",
            payload=PreparedEnd(partner_no),
            prepared_by=prepared_by,
            at=at,
        )


async def approve_end(approval_id: UUID, *, approved_by: str, at: datetime) -> PartnerDefault:
    """Let a default be over from now on, as the second person. Raises `NotInDefault`."""
    ended = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(ended, PartnerDefault), "the applier of this kind returns what holds now"
    return ended


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: approvals.Approval) -> PartnerDefault:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedEnd)
    await catalogue.bump(connection)
    last = await _still(connection, wanted.partner_no)
    at = approval.decided_at
    persons = approval.prepared_by, approval.decided_by
    ended = await _write(
        connection, last, wanted.partner_no, on_default=None, persons=persons, at=at
    )
    facts = {"partner_no": ended.partner_no, "ended_at": ended.begins_at}
    await outbox.append(connection, [Event("default.ended", facts)], at)
    await audit_log.record(
        connection,
        actor=ended.approved_by,
        action="default.ended",
        subject=approval.subject,
        facts=facts,
        at=at,
    )
    return ended


async def _still(connection: Connection, partner_no: int) -> PartnerDefault:
    last = await _last(connection, partner_no)
    if last is None or last.on_default is None:
        raise NotInDefault(partner_no=partner_no)
    return last


async def _last(connection: Connection, partner_no: int) -> PartnerDefault | None:
    row = await connection.fetchrow(_LAST, partner_no)
    return msgspec.convert(dict(row), PartnerDefault) if row else None


async def _write(
    connection: Connection,
    last: PartnerDefault | None,
    partner_no: int,
    *,
    on_default: OnDefault | None,
    persons: tuple[str, str],
    at: datetime,
) -> PartnerDefault:
    """Write what holds from `at` on, or from what was said last should that begin later."""
    made = PartnerDefault(
        no=await catalogue.next_no(connection, "partner_default"),
        partner_no=partner_no,
        on_default=on_default,
        begins_at=at if last is None else max(at, last.begins_at),
        prepared_by=persons[0],
        approved_by=persons[1],
    )
    await connection.execute(_INSERT, *msgspec.structs.astuple(made))
    return made
