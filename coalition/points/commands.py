"""What a till says and hears about points: the bodies of requests and the shapes of answers."""

from datetime import date, datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from coalition.kernel.web.fields import (
    AmountMinor,
    Body,
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
HOLD_DEFAULT_S = 900
HOLD_MOST_S = 7 * 86_400


class Purchase(Body, frozen=True):
    """What was bought, in minor units with its currency."""

    amount_minor: AmountMinor
    currency: CurrencyCode


class IssueBody(Body, frozen=True):
    """Give points for a purchase, or a number of points that the partner decided itself."""

    receipt: ReceiptText
    occurred_at: Instant
    member_id: UUID | None = None
    card: CardText | None = None
    store: ShortText | None = None
    purchase: Purchase | None = None
    points: PointsAmount | None = None


class RedeemBody(Body, frozen=True):
    """Take points as payment at once."""

    receipt: ReceiptText
    occurred_at: Instant
    points: PointsAmount
    member_id: UUID | None = None
    card: CardText | None = None
    store: ShortText | None = None


class HoldBody(RedeemBody, frozen=True):
    """Reserve points; released by themselves after `expires_in_s` seconds."""

    expires_in_s: Annotated[int, Meta(ge=1, le=HOLD_MOST_S)] = HOLD_DEFAULT_S


class CaptureBody(Body, frozen=True):
    """Take all of a hold, or the points named; the rest is released."""

    points: PointsAmount | None = None


class VoidBody(Body, frozen=True):
    """Release a hold."""


class ReverseBody(Body, frozen=True):
    """Reverse what is left of a posting, or the points named."""

    points: PointsAmount | None = None
    reason: LongText | None = None


class QuoteBody(Body, frozen=True):
    """Ask what a purchase would earn and what points could pay of it."""

    purchase: Purchase
    occurred_at: Instant | None = None
    member_id: UUID | None = None
    card: CardText | None = None
    store: ShortText | None = None


Command = IssueBody | RedeemBody | HoldBody | CaptureBody | VoidBody | ReverseBody


class Asked(NamedTuple):
    """A command with who gives it; `target` is the hold or posting that the address names."""

    partner_no: int
    client_no: int
    store_no: int | None
    command: Command
    target: UUID | None = None


class IssuedLot(msgspec.Struct, frozen=True):
    """Points that were given and the last day on which they can be spent (None is never)."""

    points: int
    expires_on: date | None


class PostingAnswer(msgspec.Struct):
    """A posting that was made; `posting_id` is null for a purchase that earns nothing."""

    posting_id: UUID | None
    member_id: UUID
    points: int
    reasons: list[Reason]
    lots: list[IssuedLot] = []
    balance: int | None = None


class HoldAnswer(msgspec.Struct):
    """A hold that was made or released."""

    hold_id: UUID
    member_id: UUID
    points: int
    expires_at: datetime | None = None
    balance: int | None = None


class QuoteAnswer(msgspec.Struct):
    """What a purchase would earn, and the most of it that points could pay."""

    points: int
    reasons: list[Reason]
    member_id: UUID | None = None
    balance: int | None = None
    payable: Payable | None = None


class BalanceAnswer(msgspec.Struct):
    """What a member can spend now."""

    member_id: UUID
    balance: int
