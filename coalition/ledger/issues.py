"""Issuing: lots of the receivers grow, all of a batch in one upsert."""

from collections.abc import Sequence
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.ledger.accounts import INTO_LOT, Account, Kind
from coalition.ledger.drafts import Issue, Outcome, Posted
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import LotChanges


async def issue(connection: Connection, journal: Journal, drafts: Sequence[Issue]) -> list[Outcome]:
    """Post `drafts`; each makes one posting with a leg per grant."""
    changes = LotChanges()
    outcomes: list[Outcome] = []
    for draft in drafts:
        legs = _legs(draft, changes)
        posting = journal.add(
            kind=Kind.ISSUE,
            holder=draft.holder,
            till=draft.till,
            currency_no=draft.grants[0].provenance.currency_no,
            direction=INTO_LOT,
            legs=legs,
            account=Account.ISSUED,
            purchase=draft.purchase,
            rule_no=draft.rule_no,
        )
        points = sum(leg[1] for leg in legs)
        outcomes.append(Posted(posting, draft.holder, points))
    await changes.write(connection)
    return outcomes


def _legs(draft: Issue, changes: LotChanges) -> list[Leg]:
    """Put the grants into their lots; grants alike in everything make one leg."""
    points_of: dict[UUID, int] = {}
    for provenance, points in draft.grants:
        lot = changes.put_in(draft.holder, provenance, points)
        points_of[lot] = points_of.get(lot, 0) + points
    return [(lot, points, None) for lot, points in points_of.items()]
