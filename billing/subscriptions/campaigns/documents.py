"""What a campaign says: who pays what from when, who is told how long before, and who must agree.

The file that an operator writes for `coalition plan campaign propose`.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from billing.plans.countries.terms import CountryCode
from billing.plans.documents import Code, Interval

Consent = Literal["notice", "explicit"]
"""Whether members are told of the new price, or have to agree to it."""
WithoutConsent = Literal["stays", "ends"]
"""What becomes of who does not agree: keeps the old price, or ends with what is paid."""
Standing = Literal["runs", "paused", "stopped"]
"""How a campaign stands as a whole."""
Days = Annotated[int, Meta(ge=0, le=366)]
Aware = Annotated[datetime, Meta(tz=True)]


class Grandfathering(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose membership began before a time keeps its price: until another time, or for good."""

    joined_before: Aware
    until: Aware | None = None


class CampaignDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Members with a price of an earlier version of a plan come to the like price on sale."""

    code: Code
    plan: Code
    from_version: Annotated[int, Meta(ge=1)]
    intervals: tuple[Interval, ...] = ("month", "year")
    applies_from: Aware
    """The first renewal at or after this time may have the new price."""
    notice_days: Days = 30
    """Before the renewal; where the terms of a country say more, that many."""
    told_at_most_days_before: Days = 120
    """Nobody is told longer before than that; whoever renews later is told later."""
    consent: dict[CountryCode, Consent] = {}
    """By country; where its terms ask for consent it is `explicit`, whatever is written here."""
    without_consent: WithoutConsent = "stays"
    grandfathered: tuple[Grandfathering, ...] = ()


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """From which of our prices to which, by number, with the amounts that two persons agreed on."""

    from_price: int
    to_price: int
    interval: Interval
    currency: str
    from_minor: int
    to_minor: int

    @property
    def more_a_year(self) -> int:
        """How much more it is in a year, in minor units."""
        return (self.to_minor - self.from_minor) * (12 if self.interval == "month" else 1)


class PreparedCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """What the second person sees and approves: the payload of the approval."""

    document: CampaignDocument
    moves: tuple[Move, ...]


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that two persons agreed on; `no` counts all."""

    no: int
    code: str
    document: CampaignDocument
    moves: tuple[Move, ...]
    prepared_by: str
    approved_by: str
    made_at: datetime
    stopped_at: datetime | None = None
    stopped_by: str | None = None
    paused_at: datetime | None = None
    paused_by: str | None = None

    @property
    def standing(self) -> Standing:
        """Whether it runs, is paused, or was stopped for good."""
        if self.stopped_at is not None:
            return "stopped"
        return "runs" if self.paused_at is None else "paused"

    def move_from(self, price_no: int) -> Move | None:
        """Return where members with a price go; None for one that the campaign is not about."""
        return next((move for move in self.moves if move.from_price == price_no), None)
