"""What guards are told over the outbox: what was posted, asked, confirmed and refused."""

import base64
from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

import msgspec

from coalition.points.guards.rules import Act, unpack_cards

POSTED = "points.posted"
"""The event of one committed batch: `PostedBatch`."""

GUARDED = "points.guarded"
"""The event of what the guards of one batch saw before its commit: `{"signals"}`."""


class Outcome(StrEnum):
    """What became of an act that a guard noticed."""

    REPORTED = "reported"
    FROZEN = "frozen"
    ASKED = "asked"
    """Refused, since nobody confirmed it."""
    CONFIRMED = "confirmed"
    """Posted, since somebody confirmed it."""
    REFUSED = "refused"


class Signal(msgspec.Struct, frozen=True, omit_defaults=True):
    """An act that did not go the usual way; without a rule, its receipt had been used."""

    act: Act
    rule_no: int | None = None
    outcome: Outcome | None = None
    reached: int = 0


class Signals(msgspec.Struct, frozen=True):
    """The payload of `GUARDED`."""

    signals: list[Signal]


class PostedBatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """The payload of `POSTED`: who posted, and which cards were used.

    A batch without partners is none that guards can look up.
    """

    batch: UUID
    postings: int
    partners: list[int] = []
    cards: str = ""
    """Base64 of `rules.pack_cards`; empty while no guard counts by card."""
    measured: list[UUID] = []
    """Issues without a purchase for which an earning rule gave the points, not a person."""

    def card_of(self) -> Mapping[bytes, str]:
        """Return the card of each posting that was made by one, by the end of the posting's id."""
        return unpack_cards(base64.b64decode(self.cards)) if self.cards else {}
