"""Clocks in the model: points that live as long as their owner is active."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from tests.properties.model.things import Owner, Source, months_later

if TYPE_CHECKING:
    from tests.properties.model.ledger import Ledger


def has_run_out(owner: Owner, today: date) -> bool:
    """Tell whether a clock of `owner` has run out; its points are then gone for good."""
    return any(live_until < today for live_until in owner.live_until.values())


def start(ledger: Ledger, owner: Owner, sources: Iterable[Source], today: date) -> None:
    """Start the clocks of new points, where they do not run."""
    for source in sources:
        kind = source.currency, source.clock
        if source.clock and owner.live_until.get(kind, date.min) < today:
            owner.live_until[kind] = months_later(today, ledger.clocks[source.clock].months)


def renew(ledger: Ledger, owner: Owner, currency: int, today: date) -> None:
    """Set back all clocks of a currency: a rule counts something as activity."""
    for of_currency, number in owner.live_until:
        if of_currency == currency:
            months = ledger.clocks[number].months
            owner.live_until[of_currency, number] = months_later(today, months)


def note(ledger: Ledger, owner: Owner, currency: int, kind: str, today: date) -> None:
    """Set back the clocks of a currency for which this kind of posting counts as activity."""
    for of_currency, number in owner.live_until:
        clock = ledger.clocks[number]
        if of_currency == currency and kind in clock.counts:
            owner.live_until[of_currency, number] = months_later(today, clock.months)
