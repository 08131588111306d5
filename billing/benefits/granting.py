"""Gives what plans give by the month when it is due, and takes back what was refunded; in sets.

The operator gives, and each funder's share is a posting of its own under that funder's contract,
with the operator as issuer: so settlement charges it as a promotion, whenever the contract says.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from billing.benefits import entitlement_rows, grants, schedule
from billing.benefits.funding import funders
from billing.benefits.grants import Grant
from billing.benefits.rules import Given, Monthly, Outlook, Owing, look
from billing.benefits.schedule import Due, Next
from billing.plans import catalogue
from billing.plans.catalogue import Plans
from billing.plans.documents import MonthlyPoints
from coalition.federation.expiry import earned_month, last_spendable_day
from coalition.federation.refusals import NoContract
from coalition.federation.terms import COALITION_CURRENCY_NO
from coalition.kernel import outbox
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import split
from coalition.ledger import posting
from coalition.ledger.accounts import Kind
from coalition.ledger.drafts import Draft, Issue, Outcome, Owed, Posted, Reverse, Till
from coalition.ledger.drafts import Grant as Points
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import Provenance
from coalition.ledger.refusals import PointsAlreadySpent, ReversalExceedsOriginal
from coalition.points import terms as business
from coalition.points.bonuses.compiled import OPERATOR
from coalition.points.guards.signals import POSTED
from coalition.points.owing import recovery_by_contract
from coalition.points.terms import Terms

MEMBERSHIPS_AT_ONCE = 500
EXPIRES_AFTER_MONTHS = 12
"""Points that the operator pays for end with the last day of this month after theirs."""
RECOVERED_PERCENT = 100
"""How much of each later issue pays for what was spent of points that are taken back."""
TRIED_AGAIN_AFTER = timedelta(days=1)
"""When a member whose points may not move is looked at again."""


class _Wanted(NamedTuple):
    """A draft, and the grant that it makes or takes back."""

    draft: Draft
    grant: Grant


async def grant_due(at: datetime) -> int:
    """Give and take back all that is due at `at`; return how many memberships were looked at."""
    await ensure_partition(at)
    looked_at = 0
    while some := await retrying(lambda: _grant_some(at)):
        looked_at += some
    return looked_at


async def _grant_some(at: datetime) -> int:
    async with transaction(posting.PINNED) as connection:
        due = await schedule.take_due(connection, at, MEMBERSHIPS_AT_ONCE)
        if not due:
            return 0
        plans = await catalogue.load(connection)
        terms = await business.load(connection)
        outlooks, kept = await _look(connection, due, plans, at)
        wanted: list[_Wanted] = []
        for one in due:
            outlook = outlooks[one]
            wanted += _backs(one, outlook, kept.get((one.member, one.membership_id), ()), terms, at)
            wanted += _gives(one, outlook, kept.get((one.member, one.membership_id), ()), terms, at)
        stuck = await _post(connection, wanted, terms, at)
        await schedule.set_next(connection, [_next(one, outlooks[one], stuck, at) for one in due])
        return len(due)


async def _look(
    connection: Connection, due: Sequence[Due], plans: Plans, at: datetime
) -> tuple[dict[Due, Outlook], dict[tuple[MemberId, UUID], list[Grant]]]:
    entitled = await entitlement_rows.read_each(connection, {one.member for one in due})
    kept = await grants.read(connection, [(one.member, one.membership_id) for one in due])
    monthly: Monthly = {
        plan.no: [one for one in plan.document.benefits if isinstance(one, MonthlyPoints)]
        for plan in plans.plans
    }
    outlooks = {}
    for one in due:
        held = entitled.get(one.member, [])
        given = kept.get((one.member, one.membership_id), [])
        outlooks[one] = look(
            [entitlement for of, entitlement in held if of == one.membership_id],
            [
                Given(grant.month, grant.no, grant.plan_no, grant.benefit, grant.points)
                for grant in given
                if grant.taken_back_at is None
            ],
            monthly,
            months_from=one.months_from,
            at=at,
        )
    return outlooks, kept


def _gives(
    due: Due, outlook: Outlook, kept: Sequence[Grant], terms: Terms, at: datetime
) -> Iterable[_Wanted]:
    numbers: dict[int, int] = {}
    for owing in outlook.owing:
        no = numbers.get(owing.month, sum(one.month == owing.month for one in kept))
        for provenance, points in _shares(owing, terms, at):
            grant = Grant(
                due.member,
                due.membership_id,
                owing.month,
                no,
                owing.plan_no,
                owing.benefit.code,
                provenance.funder_no,
                points,
                due.membership_id,
                at,
            )
            draft = Issue(
                due.member,
                _till(terms, at),
                (Points(provenance, points),),
                kind=Kind.BENEFIT,
                reason=f"{owing.benefit.code}: month {owing.month + 1} of the membership",
            )
            yield _Wanted(draft, grant)
            no += 1
        numbers[owing.month] = no


def _backs(
    due: Due, outlook: Outlook, kept: Sequence[Grant], terms: Terms, at: datetime
) -> Iterable[_Wanted]:
    del due
    # Whatever a contract says of returns at its own tills: who was given it for a payment that is
    # gone owes what it has spent.
    debts = {contract.no: RECOVERED_PERCENT for contract in terms.catalogue.contracts}
    debts |= {OPERATOR: RECOVERED_PERCENT, **recovery_by_contract(terms.catalogue)}
    by_place = {(one.month, one.no): one for one in kept}
    for given in outlook.taken_back:
        grant = by_place[given.month, given.no]
        draft = Reverse(
            grant.posting,
            _till(terms, at),
            None,
            "reverse",
            terms.day(at),
            "the payment of the membership was returned",
            debts,
        )
        yield _Wanted(draft, grant)


async def _post(
    connection: Connection, wanted: Sequence[_Wanted], terms: Terms, at: datetime
) -> set[MemberId]:
    """Post everything and write it down; return the members whose points may not move now."""
    if not wanted:
        return set()
    known = terms.catalogue
    batch, outcomes = await posting.post(
        connection,
        [one.draft for one in wanted],
        at=at,
        today=terms.day(at),
        clocks=known.clocks,
        classes=known.classes,
        suspended=known.suspended_at(at),
    )
    made, back, stuck = [], [], set()
    for (draft, grant), outcome in zip(wanted, outcomes, strict=True):
        if isinstance(draft, Issue) and isinstance(outcome, Posted):
            made.append(grant._replace(posting=outcome.posting))
        elif isinstance(draft, Reverse) and _is_gone(outcome):
            back.append(grant)
        else:
            stuck.add(grant.member)
    await grants.add(connection, made)
    await grants.note_taken_back(connection, back, at)
    if posted := sum(isinstance(one, Posted) for one in outcomes):
        event = outbox.Event(POSTED, {"batch": str(batch), "postings": posted})
        await outbox.append(connection, [event], at)
    return stuck


def _is_gone(outcome: Outcome) -> bool:
    """Tell whether nothing of a grant is left to take back: taken, owed, or expired before."""
    return isinstance(outcome, Posted | Owed | PointsAlreadySpent | ReversalExceedsOriginal)


def _next(due: Due, outlook: Outlook, stuck: set[MemberId], at: datetime) -> Next:
    next_at = outlook.next_at
    if due.member in stuck:
        later = at + TRIED_AGAIN_AFTER
        next_at = later if next_at is None else min(later, next_at)
    return Next(due.member, due.membership_id, outlook.months_from, next_at)


def _shares(owing: Owing, terms: Terms, at: datetime) -> Iterable[tuple[Provenance, int]]:
    """Yield where the points come from, by funder; what a funder cannot give the operator does."""
    parties = funders(owing.benefit.funding)
    shares = split(owing.points, [weight for _, weight in parties])
    by_funder: dict[int, tuple[Provenance, int]] = {}
    for (funder_no, _), points in zip(parties, shares, strict=True):
        if points:
            provenance = _provenance(funder_no, terms, at)
            _, before = by_funder.get(provenance.funder_no, (None, 0))
            by_funder[provenance.funder_no] = provenance, before + points
    yield from by_funder.values()


def _provenance(funder_no: int, terms: Terms, at: datetime) -> Provenance:
    if funder_no != OPERATOR and terms.catalogue.default_at(funder_no, at) is None:
        try:
            contract = terms.catalogue.contract_at(funder_no, at)
        except NoContract:
            pass
        else:
            if contract.point_currency_no == COALITION_CURRENCY_NO:
                return terms.base_provenance(contract, at)._replace(issuer_no=OPERATOR)
    zone = terms.catalogue.zone
    return Provenance(
        currency_no=COALITION_CURRENCY_NO,
        issuer_no=OPERATOR,
        contract_no=OPERATOR,
        funder_no=OPERATOR,
        earned_month=earned_month(at, zone),
        expires_on=last_spendable_day(at, expiry_months=EXPIRES_AFTER_MONTHS, zone=zone),
        issue_price=Decimal(0),
        prefunded_share=Decimal(1),
    )


def _till(terms: Terms, at: datetime) -> Till:
    return Till(OPERATOR, None, None, None, terms.day(at), at)
