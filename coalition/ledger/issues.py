"""Issuing: lots of the receivers grow, all of a batch in one upsert; who owes pays at once."""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.database.meanwhile import meanwhile
from coalition.ledger.accounts import INTO_LOT, Account
from coalition.ledger.drafts import Issue, Outcome, Posted, Recovered
from coalition.ledger.holders import Standing
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import LotChanges
from coalition.ledger.provenance import lot_id
from coalition.ledger.recoveries import Recoveries
from coalition.ledger.rules import Available

_ISSUED = Account.ISSUED  # looked up once: a member of an Enum's class costs more than a call


async def issue(
    connection: Connection,
    journal: Journal,
    drafts: Sequence[Issue],
    owing: Mapping[UUID, Standing],
    later: Later | None = None,
) -> list[Outcome]:
    """Post `drafts`; each makes one posting with a leg per grant.

    Those to holders in `owing`, who are locked, pay debts by further postings, at most with the
    points that they give. Where nobody owes the lots may be left to `later`.
    """
    changes = LotChanges()
    in_debt = {draft.holder for draft in drafts if draft.holder in owing} if owing else set()
    recoveries = await Recoveries.of(connection, journal, in_debt)
    all_legs = [_legs(draft, changes) for draft in drafts]
    if later is not None:
        assert not in_debt, "debts are paid with what is written"
        await changes.write(later)
        if not later.locks_last:
            await later.begin(connection)
        return [*_note(journal, drafts, all_legs)]
    if not in_debt:
        _, outcomes = await meanwhile(
            changes.write(connection), partial(_note, journal, drafts, all_legs)
        )
        return [*outcomes]
    outcomes = _note(journal, drafts, all_legs)
    for draft, legs, outcome in zip(drafts, all_legs, outcomes, strict=True):
        if draft.holder in in_debt:
            available = _spendable(draft, legs, owing[draft.holder], journal)
            outcome.recovered = _pay_debts(recoveries, draft, outcome.points, available, changes)
    await changes.write(connection)
    await recoveries.write(connection)
    return [*outcomes]


def _note(journal: Journal, drafts: Sequence[Issue], all_legs: Sequence[list[Leg]]) -> list[Posted]:
    outcomes = []
    for draft, legs in zip(drafts, all_legs, strict=True):
        currency_no = draft.grants[0].provenance.currency_no
        posting = journal.add(
            kind=draft.kind,
            holder=draft.holder,
            till=draft.till,
            currency_no=currency_no,
            direction=INTO_LOT,
            legs=legs,
            account=_ISSUED,
            purchase=draft.purchase,
            rule_no=draft.rule_no,
            reason=draft.reason,
        )
        points = legs[0][1] if len(legs) == 1 else sum(leg[1] for leg in legs)
        outcomes.append(Posted(posting, draft.holder, points, currency_no=currency_no))
    return outcomes


def _legs(draft: Issue, changes: LotChanges) -> list[Leg]:
    """Put the grants into their lots; grants alike in everything make one leg."""
    if len(draft.grants) == 1:
        grant = draft.grants[0]
        return [(changes.put_in(draft.holder, grant.provenance, grant.points), grant.points, None)]
    points_of: dict[UUID, int] = {}
    for grant in draft.grants:
        lot = changes.put_in(draft.holder, grant.provenance, grant.points)
        points_of[lot] = points_of.get(lot, 0) + grant.points
    return [(lot, points, None) for lot, points in points_of.items()]


def _pay_debts(
    recoveries: Recoveries,
    draft: Issue,
    points: int,
    available: list[Available],
    changes: LotChanges,
) -> tuple[Recovered, ...]:
    payments = recoveries.shares_of_issue(
        draft.holder,
        draft.grants[0].provenance.currency_no,
        points,
        most=sum(one.points for one in available),
    )
    return recoveries.pay(payments, available, changes)


def _spendable(
    draft: Issue, legs: Sequence[Leg], standing: Standing, journal: Journal
) -> list[Available]:
    """Return, in spending order, what of an issue can be spent today; one that comes late may not.

    A clock never stands in the way: it runs anew from an issue. It puts none of the lots before
    another either, since one issue is under one clock.
    """
    today, until = journal.today, standing.suspended_until
    kept = until is not None and until >= today
    live = {
        lot_id(draft.holder, provenance)
        for provenance in [grant.provenance for grant in draft.grants]
        if (kept or provenance.expires_on is None or provenance.expires_on >= today)
        and provenance.funder_no not in journal.suspended
    }
    found = [Available(lot, points) for lot, points, _ in legs if lot in live]
    return sorted(found, key=lambda available: available.lot.bytes)
