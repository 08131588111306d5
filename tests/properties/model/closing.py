"""How an account ends in the model: its points are forfeited, its debts forgiven."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tests.properties.model.debts import owed
from tests.properties.model.things import Answer, Owner

if TYPE_CHECKING:
    from tests.properties.model.ledger import Ledger


def close(ledger: Ledger, owner: Owner, at: datetime) -> Answer:
    """Give up all that `owner` has and owes, for good."""
    mine = [lot for lot in ledger.lots.values() if lot.owner is owner]
    if any(lot.held for lot in mine):
        return Answer("member_has_holds")
    ledger.expire(at, owner)
    points = sum(lot.points_in - lot.points_out for lot in mine)
    for lot in mine:
        lot.points_out = lot.points_in
    debt = owed(ledger, owner)
    for one in ledger.debts:
        if one.owner is owner:
            one.written_off += one.left
    owner.state = "closed"
    return Answer("done", points, debt=debt)
