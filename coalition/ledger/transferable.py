"""Which lots a transfer may take, and what their points are where they arrive.

Pure.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from coalition.ledger.drafts import Transfer
from coalition.ledger.provenance import NO_CLOCK, Provenance
from coalition.ledger.rules import Available
from coalition.ledger.selecting import KEEP, LotFilter


def arriving(draft: Transfer, was: Provenance) -> Provenance:
    """Return the provenance that points of the sender have at the receiver."""
    contributor = draft.contributor
    if contributor == KEEP:
        contributor = was.contributor or draft.holder
    arrives = was._replace(
        contributor=contributor,
        class_no=(draft.classes or {}).get(was.class_no, was.class_no),
    )
    end = (draft.endings or {}).get(was.contract_no)
    if end is None:
        return arrives
    return arrives._replace(expires_on=end.expires_on, clock_no=end.clock_no)


def may_move(draft: Transfer, one: Available, was: Provenance, today: date) -> bool:
    """Tell whether the draft takes points of a lot: it passes the filter, and they arrive alive.

    While expiry is suspended for the sender it has points that would have ended at the receiver.
    """
    return passes(draft.lots, was, draft.holder) and _arrives_alive(draft, one, was, today)


def passes(wanted: LotFilter | None, was: Provenance, holder: UUID) -> bool:
    """Tell whether a lot of `holder` is among the wanted ones."""
    if wanted is None:
        return True
    asked = (
        wanted.issuer_nos is None or was.issuer_no in wanted.issuer_nos,
        wanted.class_nos is None or was.class_no in wanted.class_nos,
        wanted.contributor is None or (was.contributor or holder) == wanted.contributor,
        wanted.earned_since is None or was.earned_month >= wanted.earned_since,
    )
    return all(asked)


def _arrives_alive(draft: Transfer, one: Available, was: Provenance, today: date) -> bool:
    arrives = arriving(draft, was)
    if arrives.expires_on is not None and arrives.expires_on < today:
        return False
    is_carried = draft.endings is None or was.contract_no not in draft.endings
    # Where no end is told there are no clocks.
    live_until = None if one.end is None else one.end.live_until
    return not (
        is_carried and was.clock_no != NO_CLOCK and live_until is not None and live_until < today
    )


def without(available: Sequence[Available], taken: Sequence[tuple[UUID, int]]) -> list[Available]:
    """Return what is left of `available` lots, in their order, once points were `taken`."""
    gone = dict(taken)
    left = (one._replace(points=one.points - gone.get(one.lot, 0)) for one in available)
    return [one for one in left if one.points]
