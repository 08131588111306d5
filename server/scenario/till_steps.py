"""What happens at the tills of a story: one Struct per verb, told apart by `do`."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from coalition.kernel.web.fields import (
    AmountMinor,
    CodeText,
    CurrencyCode,
    Instant,
    LongText,
    PointsAmount,
    ReceiptText,
)
from coalition.points.commands import (
    HOLD_DEFAULT_S,
    HOLD_MOST_S,
    LINES_MOST,
    QUANTITY_MOST,
    Measures,
    ReturnedLine,
)
from server.scenario.names import Name, Part, PointCurrency, StoreCode

REPEAT_MOST: Final = 100_000

Repeat = Annotated[
    int, Meta(ge=1, le=REPEAT_MOST, description="how many of the same, one receipt each")
]
Weight = Annotated[int, Meta(ge=1, le=1_000_000, description="a share in relation to the others")]
Seconds = Annotated[int, Meta(ge=1, le=HOLD_MOST_S)]


class Happening(Part, frozen=True, kw_only=True, tag_field="do"):
    """A step: when it happens, and the name under which later steps speak of it."""

    at: Instant
    id: Name | None = None


class Money(Part, frozen=True, kw_only=True):
    """An amount in minor units with its currency, as the API has it."""

    amount_minor: AmountMinor
    currency: CurrencyCode


class Line(Part, frozen=True, kw_only=True):
    """A line of a purchase; `amount` is that of the whole line, in the contract's currency."""

    amount: Decimal
    category: CodeText | None = None
    sku: CodeText | None = None
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MOST)] = 1


class AtTill(Happening, frozen=True, kw_only=True):
    """What happens at a till, with a receipt; `occurred_at` when that came in late."""

    partner: Name
    member: Name
    store: StoreCode | None = None
    receipt: ReceiptText | None = None
    occurred_at: Instant | None = None
    cashier: CodeText | None = None


class Issue(AtTill, frozen=True, kw_only=True, tag="issue"):
    """Points for a purchase (`"25.00"` in the contract's currency), or a number of points.

    `expires` (the last day on which they can be spent) and `funding` (who pays, by weight) are
    agreed for this issue beside contract and rules; both go with `points` only.
    """

    points: PointsAmount | None = None
    purchase: Decimal | Money | None = None
    lines: Annotated[tuple[Line, ...], Meta(max_length=LINES_MOST)] = ()
    measures: Measures | None = None
    expires: date | None = None
    funding: dict[Name, Weight] | None = None
    repeat: Repeat = 1


class Redeem(AtTill, frozen=True, kw_only=True, tag="redeem"):
    """Points as payment."""

    points: PointsAmount
    currency: PointCurrency | None = None
    confirmed_by: CodeText | None = None
    repeat: Repeat = 1


class Hold(AtTill, frozen=True, kw_only=True, tag="hold"):
    """Points are reserved, for `expires_in_s` seconds."""

    points: PointsAmount
    currency: PointCurrency | None = None
    confirmed_by: CodeText | None = None
    expires_in_s: Seconds = HOLD_DEFAULT_S


class Convert(AtTill, frozen=True, kw_only=True, tag="convert"):
    """Points of one currency become points of another, at the rate of their time."""

    points: PointsAmount
    from_currency: PointCurrency = msgspec.field(name="from")
    to_currency: PointCurrency = msgspec.field(name="to")


class Capture(Happening, frozen=True, kw_only=True, tag="capture"):
    """A hold is taken, all of it or the points named; the rest is released."""

    hold: Name
    points: PointsAmount | None = None


class Void(Happening, frozen=True, kw_only=True, tag="void"):
    """A hold is released."""

    hold: Name


class Reverse(Happening, frozen=True, kw_only=True, tag="reverse"):
    """What is left of a posting goes back, or the points named, by the partner that made it."""

    posting: Name
    points: PointsAmount | None = None
    lines: tuple[ReturnedLine, ...] = ()
    reason: LongText | None = None
