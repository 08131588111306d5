"""Merging two owners in the model: whatever one has and owes goes over to the other."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tests.properties.model.things import Answer, Lot, Owner

if TYPE_CHECKING:
    from tests.properties.model.ledger import Ledger


def merge(ledger: Ledger, gone: Owner, kept: Owner, at: datetime) -> Answer:
    """Move all of `gone` to `kept`; return the points that moved."""
    if gone is kept:
        return Answer("merge_with_itself")
    for owner in (gone, kept):
        if owner.state != "active":
            return Answer("member_merged" if owner.merged_into else "member_not_active")
    mine = [lot for lot in ledger.lots.values() if lot.owner is gone]
    if any(lot.held for lot in mine):
        return Answer("member_has_holds")
    ledger.expire(at, gone, kept)
    points = sum(_move(ledger, lot, kept) for lot in mine)
    for kind, live_until in gone.live_until.items():
        kept.live_until[kind] = max(live_until, kept.live_until.get(kind, live_until))
    for debt in ledger.debts:
        if debt.owner is gone:
            debt.owner = kept
    kept.kept_until = max(filter(None, (gone.kept_until, kept.kept_until)), default=None)
    gone.state, gone.merged_into = "merged", kept
    return Answer("done", points)


def _move(ledger: Ledger, lot: Lot, kept: Owner) -> int:
    points = lot.points_in - lot.points_out
    lot.points_out += points
    if points:
        ledger.lot(kept.number, lot.source).points_in += points
    return points
