"""What staff do about debts, two together: let a member's points pay, or write a debt off."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from coalition.federation.terms import COALITION_CURRENCY_NO
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import debts, holders, posting
from coalition.ledger.debts import ListedDebt
from coalition.ledger.drafts import Paid, Recover, Till
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import NothingOwed, UnknownHolder
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from coalition.oversight.reasons import valid_reason
from coalition.points import terms as business
from coalition.points.guards.signals import POSTED

KIND = "debt"
"""The kind of approval by which a debt is recovered by hand or written off."""

_OPERATOR = 0


class Act(StrEnum):
    """What becomes of a debt."""

    RECOVER = "recover"
    """Points that the member has pay for it."""
    WRITE_OFF = "write_off"
    """Nobody owes it any more; no points move."""


class PreparedAct(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    act: Act
    member_id: UUID
    reason: str
    points: int | None = None
    """None is all that is owed; for `recover`, as far as the member has points."""
    issue: UUID | None = None
    """Only the debt that this issue left."""
    currency_no: int = COALITION_CURRENCY_NO


class Settled(msgspec.Struct, frozen=True):
    """What became of debts: how many points, and how many the member owes after it."""

    act: Act
    member_id: UUID
    points: int
    owes: int


async def prepare(
    *,
    act: Act,
    member: UUID,
    reason: str,
    prepared_by: str,
    at: datetime,
    points: int | None = None,
    issue: UUID | None = None,
    currency_no: int = COALITION_CURRENCY_NO,
) -> UUID:
    """Prepare an act on what `member` owes; return the id of its approval.

    Raises `NothingOwed`, `UnknownHolder` or `ReasonNeeded`; what is owed, and for `recover` what
    the member has, is judged again when the second person approves.
    """
    assert points is None or 1 <= points <= POINTS_MAX, "the command line asks for whole points"
    wanted = PreparedAct(act, member, valid_reason(reason), points, issue, currency_no)
    async with transaction() as connection:
        if member not in await holders.read_states(connection, [member]):
            raise UnknownHolder
        owed = (await debts.read_open(connection, [member])).get(member, [])
        in_currency = [debt for debt in owed if debt.currency_no == currency_no]
        found = debts.chosen(in_currency, issue=issue, points=points)
        if isinstance(found, NothingOwed):
            raise found
        return await approvals.prepare(
            kind=KIND,
            subject=f"member:{member}",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Settled:
    """Do what was prepared, as the second person.

    Raises as `approvals.approve` does, besides `NothingOwed` when less is owed by now and, for
    `recover`, `NotEnoughPoints` and `HolderNotActive`.
    """
    await ensure_partition(at)
    settled = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(settled, Settled), "the applier of this kind returns what was settled"
    return settled


async def list_open(member: UUID | None = None, *, limit: int = 1000) -> list[ListedDebt]:
    """Return at most `limit` open debts of `member`, or of everybody, the oldest first."""
    async with transaction() as connection:
        return await debts.list_open(connection, holder=member, limit=limit)


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: Approval) -> Settled:
    assert approval.decided_at is not None, "only a decided approval is applied"
    assert approval.decided_by is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedAct)
    await posting.pin(connection)
    if wanted.act is Act.WRITE_OFF:
        points = await debts.write_off(
            connection,
            wanted.member_id,
            currency_no=wanted.currency_no,
            points=wanted.points,
            issue=wanted.issue,
            actor=approval.decided_by,
            reason=wanted.reason,
            at=approval.decided_at,
        )
    else:
        points = await _recover(connection, wanted, approval.decided_at)
    states = await holders.read_states(connection, [wanted.member_id])
    return Settled(wanted.act, wanted.member_id, points, states[wanted.member_id].owes)


async def _recover(connection: Connection, wanted: PreparedAct, at: datetime) -> int:
    terms = await business.load(connection)
    today = terms.day(at)
    draft = Recover(
        wanted.member_id,
        Till(_OPERATOR, None, None, None, today, at),
        wanted.currency_no,
        wanted.points,
        wanted.issue,
        wanted.reason,
    )
    batch, (outcome,) = await posting.post(
        connection,
        [draft],
        at=at,
        today=today,
        clocks=terms.catalogue.clocks,
        suspended=terms.catalogue.suspended_at(at),
    )
    if isinstance(outcome, Refused):
        raise outcome
    assert isinstance(outcome, Paid), "points pay or it is refused"
    event = outbox.Event(POSTED, {"batch": str(batch), "postings": len(outcome.recovered)})
    await outbox.append(connection, [event], at)
    return outcome.points
