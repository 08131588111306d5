"""Adjustments: two of the staff together give points to a member, or take some.

What the operator gives is a lot of its own: issuer and funder are the operator, nothing is paid for
it. A partner may give instead, under its contract in force. Points are taken in spending order.
"""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from coalition.federation.expiry import earned_month
from coalition.federation.terms import COALITION_CURRENCY_NO
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.kernel.money import POINTS_MAX
from coalition.ledger import holders, posting
from coalition.ledger.drafts import Adjust, Posted, Till
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import Provenance
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from coalition.oversight.reasons import valid_reason
from coalition.points import terms as business
from coalition.points.guards.signals import POSTED
from coalition.points.refusals import InvalidAdjustment, NotInContract, PartnerInDefault
from coalition.points.terms import Terms

KIND = "adjustment"
"""The kind of approval by which points are given or taken."""

OPERATOR = 0
"""The operator's number where a partner's would stand."""


class PreparedAdjustment(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    member_id: UUID
    points: int
    """Above zero they are given, below zero taken."""
    reason: str
    currency_no: int = COALITION_CURRENCY_NO
    partner_no: int = OPERATOR
    """Who gives them."""
    expires_on: date | None = None
    """The last day on which points of the operator can be spent; None is never."""


class Adjusted(msgspec.Struct, frozen=True):
    """An adjustment that was posted, with what the member can spend after it."""

    posting_id: UUID
    member_id: UUID
    points: int
    balance: int


async def prepare(
    *,
    member: UUID,
    points: int,
    reason: str,
    prepared_by: str,
    at: datetime,
    partner_no: int = OPERATOR,
    expires_on: date | None = None,
    currency_no: int = COALITION_CURRENCY_NO,
) -> UUID:
    """Prepare to give `member` points, or to take some (below zero); return the approval's id.

    A partner gives what its contract in force says, in its point currency and with its expiry.
    Raises `InvalidAdjustment`, `UnknownHolder`, `HolderNotActive`, `UnknownPartner`,
    `PartnerSuspended`, `PartnerInDefault`, `NoContract`, `NotInContract` or `ReasonNeeded`; all is
    judged again when the second person approves.
    """
    wanted = PreparedAdjustment(
        member, points, valid_reason(reason), currency_no, partner_no, expires_on
    )
    async with transaction() as connection:
        terms = await business.load(connection)
        _check(wanted, terms, at)
        states = await holders.read_states(connection, [member])
        refusal = holders.refusal_by_state(states, member)
        if refusal is not None:
            raise refusal
        return await approvals.prepare(
            kind=KIND,
            subject=f"member:{member}",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Adjusted:
    """Give or take what was prepared, as the second person. Raises as `approvals.approve` does.

    Besides `NotEnoughPoints` when the member cannot spend what is to be taken, and whatever
    `prepare` refuses.
    """
    await ensure_partition(at)
    adjusted = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(adjusted, Adjusted), "the applier of this kind returns what was adjusted"
    return adjusted


async def adjust(
    *,
    member: UUID,
    points: int,
    reason: str,
    prepared_by: str,
    approved_by: str,
    at: datetime,
    partner_no: int = OPERATOR,
    expires_on: date | None = None,
    currency_no: int = COALITION_CURRENCY_NO,
) -> Adjusted:
    """Prepare and approve at once, where both persons are there; raises as both do."""
    await ensure_partition(at)
    async with transaction():
        approval_id = await prepare(
            member=member,
            points=points,
            reason=reason,
            prepared_by=prepared_by,
            at=at,
            partner_no=partner_no,
            expires_on=expires_on,
            currency_no=currency_no,
        )
        return await approve(approval_id, approved_by=approved_by, at=at)


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: Approval) -> Adjusted:
    assert approval.decided_at is not None, "only a decided approval is applied"
    at = approval.decided_at
    wanted = msgspec.json.decode(approval.payload, type=PreparedAdjustment)
    terms = await business.load(connection)
    given = _check(wanted, terms, at)
    today = terms.day(at)
    currency_no = given.currency_no if given is not None else wanted.currency_no
    draft = Adjust(
        wanted.member_id,
        Till(wanted.partner_no, None, None, None, today, at),
        currency_no,
        abs(wanted.points),
        wanted.reason,
        given,
    )
    await posting.pin(connection)
    suspended = terms.catalogue.suspended_at(at)
    batch, (outcome,) = await posting.post(
        connection,
        [draft],
        at=at,
        today=today,
        clocks=terms.catalogue.clocks,
        suspended=suspended,
    )
    if isinstance(outcome, Refused):
        raise outcome
    assert isinstance(outcome, Posted), "an adjustment is posted or refused"
    await outbox.append(
        connection, [outbox.Event(POSTED, {"batch": str(batch), "postings": 1})], at
    )
    left = await posting.balances(
        connection,
        [wanted.member_id],
        currency_no=currency_no,
        today=today,
        suspended=suspended,
    )
    return Adjusted(
        outcome.posting, MemberId(wanted.member_id), wanted.points, left[wanted.member_id]
    )


def _check(wanted: PreparedAdjustment, terms: Terms, at: datetime) -> Provenance | None:
    """Return where points that are given come from; None where points are taken."""
    if not 1 <= abs(wanted.points) <= POINTS_MAX:
        raise InvalidAdjustment(f"an adjustment is of 1 to {POINTS_MAX} points, given or taken")
    if wanted.points < 0:
        if wanted.partner_no != OPERATOR or wanted.expires_on is not None:
            raise InvalidAdjustment(
                "points are taken in spending order whoever issued them; name neither a partner "
                "nor an expiry"
            )
        return None
    if wanted.partner_no == OPERATOR:
        return _of_operator(wanted, terms, at)
    return _of_partner(wanted, terms, at)


def _of_partner(wanted: PreparedAdjustment, terms: Terms, at: datetime) -> Provenance:
    if wanted.expires_on is not None:
        raise InvalidAdjustment("points of a partner expire as its contract says; name no expiry")
    terms.catalogue.active_partner(wanted.partner_no)
    contract = terms.catalogue.contract_at(wanted.partner_no, at)
    if not contract.issues:
        raise NotInContract("The partner's contract does not let it issue points")
    if terms.catalogue.default_at(wanted.partner_no, at) is not None:
        raise PartnerInDefault("The partner is in default; let the operator give the points")
    return terms.base_provenance(contract, at)


def _of_operator(wanted: PreparedAdjustment, terms: Terms, at: datetime) -> Provenance:
    if wanted.expires_on is not None and wanted.expires_on < terms.day(at):
        raise InvalidAdjustment("the last day to spend the points has passed; choose a later one")
    return Provenance(
        currency_no=wanted.currency_no,
        issuer_no=OPERATOR,
        contract_no=OPERATOR,
        funder_no=OPERATOR,
        earned_month=earned_month(at, terms.catalogue.zone),
        expires_on=wanted.expires_on,
        issue_price=Decimal(0),
        prefunded_share=Decimal(1),
    )
