"""What a till says and hears about points: the bodies of requests and the shapes of answers."""

from datetime import date, datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from coalition.kernel.money import AMOUNT_MINOR_MAX, POINTS_MAX
from coalition.kernel.web.fields import (
    AmountMinor,
    Body,
    CodeText,
    CurrencyCode,
    Instant,
    LongText,
    PointsAmount,
    ReceiptText,
    ShortText,
)
from coalition.points.rules import Payable, Reason

CardText = Annotated[
    str,
    Meta(min_length=4, max_length=64, description="A loyalty card: 4 to 32 letters or digits"),
]
CashierText = Annotated[
    CodeText, Meta(description="Who stands at the till, in the partner's own words")
]
ConfirmedBy = Annotated[
    CodeText,
    Meta(description="Who of the staff confirms an act that the till may not do by itself"),
]
PointCurrencyCode = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{3,12}(?![\s\S])",
        max_length=12,
        description="A point currency; without it the coalition's own",
        examples=["POINT"],
    ),
]
PointCurrencyTold = Annotated[
    str | UnsetType, Meta(description="Left out where it is the coalition's own")
]
OwnBalanceTold = Annotated[
    int | UnsetType,
    Meta(description="What of `balance` is the member's own; only where others' points count"),
]
PoolBalanceTold = Annotated[
    int | UnsetType,
    Meta(description="What of `balance` is of others with whom the member spends together"),
]
HOLD_DEFAULT_S = 900
HOLD_MOST_S = 7 * 86_400
LINES_MOST = 1000
MEASURES_MOST = 16
QUANTITY_MOST = 1_000_000


class Purchase(Body, frozen=True):
    """What was bought, in minor units with its currency."""

    amount_minor: AmountMinor
    currency: CurrencyCode


class PurchaseLine(Body, frozen=True):
    """One line of the purchase; what it cost is what all of its quantity cost together."""

    amount_minor: Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX)]
    category: CodeText | None = None
    sku: CodeText | None = None
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MOST)] = 1


PurchaseLines = Annotated[
    list[PurchaseLine],
    Meta(
        max_length=LINES_MOST,
        description="The purchase's lines; they may not cost more than the purchase",
    ),
]
MeasureName = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}(?![\s\S])", max_length=32)]
Measures = Annotated[
    dict[MeasureName, Annotated[int, Meta(ge=0, le=POINTS_MAX)]],
    Meta(
        max_length=MEASURES_MOST,
        description="What else may earn, counted: visits, hours, items",
        examples=[{"visits": 1}],
    ),
]


class IssueBody(Body, frozen=True):
    """Give points for a purchase, or a number of points that the partner decided itself.

    Lines and measures are for the earning rules, so they do not go with a number of points.
    """

    receipt: ReceiptText
    occurred_at: Instant
    member_id: UUID | None = None
    card: CardText | None = None
    store: ShortText | None = None
    purchase: Purchase | None = None
    points: PointsAmount | None = None
    lines: PurchaseLines | None = None
    measures: Measures | None = None
    cashier: CashierText | None = None


class RedeemBody(Body, frozen=True):
    """Take points as payment at once."""

    receipt: ReceiptText
    occurred_at: Instant
    points: PointsAmount
    member_id: UUID | None = None
    card: CardText | None = None
    store: ShortText | None = None
    point_currency: PointCurrencyCode | None = None
    cashier: CashierText | None = None
    confirmed_by: ConfirmedBy | None = None


class HoldBody(RedeemBody, frozen=True):
    """Reserve points; released by themselves after `expires_in_s` seconds."""

    expires_in_s: Annotated[int, Meta(ge=1, le=HOLD_MOST_S)] = HOLD_DEFAULT_S


class CaptureBody(Body, frozen=True):
    """Take all of a hold, or the points named; the rest is released."""

    points: PointsAmount | None = None


class VoidBody(Body, frozen=True):
    """Release a hold."""


class ReturnedLine(Body, frozen=True):
    """A line of the purchase that goes back: all that is left of it, or the quantity named."""

    no: Annotated[int, Meta(ge=1, le=LINES_MOST, description="The first line is number 1")]
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MOST)] | None = None


class ReverseBody(Body, frozen=True):
    """Reverse what is left of a posting, or the points named, or what its returned lines earned.

    With both, the lines go back and exactly the points named are taken.
    """

    points: PointsAmount | None = None
    reason: LongText | None = None
    lines: Annotated[list[ReturnedLine], Meta(min_length=1, max_length=LINES_MOST)] | None = None
    cashier: CashierText | None = None


class QuoteBody(Body, frozen=True):
    """Ask what a purchase (or measures alone) would earn and what points could pay of it."""

    purchase: Purchase | None = None
    occurred_at: Instant | None = None
    member_id: UUID | None = None
    card: CardText | None = None
    store: ShortText | None = None
    lines: PurchaseLines | None = None
    measures: Measures | None = None
    cashier: CashierText | None = None


Command = IssueBody | RedeemBody | HoldBody | CaptureBody | VoidBody | ReverseBody


class Agreed(NamedTuple):
    """What was agreed for one issue of a number of points, beside contract and rules.

    No till can say it: a caller within the house does. `expires_on` is the last day on which the
    points can be spent; `funding` says who pays, by weight, as pairs of number and weight (0 is the
    operator), in the order of numbers. Left out, both are as the contract has them.
    """

    expires_on: date | None = None
    funding: tuple[tuple[int, int], ...] = ()


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A command with who gives it; `target` is the hold or posting that the address names."""

    partner_no: int
    client_no: int
    store_no: int | None
    command: Command
    target: UUID | None = None
    agreed: Agreed | None = None


class IssuedLot(msgspec.Struct, frozen=True, gc=False):
    """Points that were given and the last day on which they can be spent (None is never)."""

    points: int
    expires_on: date | None


class PostingAnswer(msgspec.Struct, gc=False):
    """A posting that was made; `posting_id` is null for a purchase that earns nothing."""

    posting_id: UUID | None
    member_id: UUID
    points: int
    reasons: list[Reason]
    lots: list[IssuedLot] = []
    balance: int | None = None
    point_currency: PointCurrencyTold = UNSET
    own_balance: OwnBalanceTold = UNSET
    pool_balance: PoolBalanceTold = UNSET


class ReversalAnswer(PostingAnswer, gc=False):
    """A posting that was reversed; `debt` is how many of its points were spent and are owed now.

    `points` went back. Where all of them were spent, nothing is posted: `posting_id` is null.
    """

    debt: int = 0


class HoldAnswer(msgspec.Struct, gc=False):
    """A hold that was made or released."""

    hold_id: UUID
    member_id: UUID
    points: int
    expires_at: datetime | None = None
    balance: int | None = None
    point_currency: PointCurrencyTold = UNSET
    own_balance: OwnBalanceTold = UNSET
    pool_balance: PoolBalanceTold = UNSET


class QuoteAnswer(msgspec.Struct):
    """What a purchase would earn, and the most of it that points could pay."""

    points: int
    reasons: list[Reason]
    member_id: UUID | None = None
    balance: int | None = None
    payable: Payable | None = None
    own_balance: OwnBalanceTold = UNSET
    pool_balance: PoolBalanceTold = UNSET


class BalanceAnswer(msgspec.Struct):
    """What a member can spend now."""

    member_id: UUID
    balance: int
    point_currency: PointCurrencyTold = UNSET
    debt: int | UnsetType = UNSET
    """What the member owes in points of all currencies; left out where that is nothing."""
    own_balance: OwnBalanceTold = UNSET
    pool_balance: PoolBalanceTold = UNSET
