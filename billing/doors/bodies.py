"""What members send to the doors of memberships."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from billing.subscriptions.entries import Entry
from billing.subscriptions.views import FeeView, GiftView, Receipt
from coalition.kernel.web.fields import Body, CurrencyCode, Instant, ShortText

PriceNo = Annotated[int, Meta(ge=1, le=2**31 - 1, description="A price of `GET /v1/plans`")]
Path = Annotated[
    str,
    Meta(
        pattern=r"^/[!-~]{0,199}(?![\s\S])",
        description="A path of this service to which Stripe's page leads back",
        examples=["/membership"],
    ),
]
Country = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}(?![\s\S])", description="ISO 3166 alpha-2", examples=["SE"])
]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2}(?![\s\S])", examples=["sv"])]
PlanCode = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}(?![\s\S])", description="A plan", examples=["plus"])
]


class CheckoutBody(Body, frozen=True):
    """An order, with the version of the disclosure that was shown and accepted."""

    price_no: PriceNo
    country: Country
    language: Language
    disclosure_version: Annotated[ShortText, Meta(examples=["SE-2026-11"])]
    promotion: (
        Annotated[ShortText, Meta(description="A promotion code, as it was given out")] | None
    ) = None
    back_to: Path = "/membership"


class PortalBody(Body, frozen=True):
    """Where Stripe's page leads back to."""

    back_to: Path = "/membership"


class PriceBody(Body, frozen=True):
    """To which price the membership would change."""

    price_no: PriceNo


class ConsentBody(Body, frozen=True):
    """To which price the member agrees: `new_price_no` of the notice that it was shown."""

    price_no: PriceNo


class ChangeBody(Body, frozen=True):
    """To which price the membership changes, as it was previewed."""

    price_no: PriceNo
    previewed_at: Annotated[Instant, Meta(description="`previewed_at` of the preview")]


class SeatBody(Body, frozen=True):
    """With whom a plan is shared."""

    member_id: UUID


class CancelBody(Body, frozen=True):
    """Why, if the member wants to say; nobody has to."""

    reason: ShortText | None = None


class PauseBody(Body, frozen=True):
    """For how many months."""

    months: Annotated[int, Meta(ge=1, le=3)] = 1


class GiftBody(Body, frozen=True):
    """So many months of a plan for somebody else."""

    plan: PlanCode
    months: Annotated[int, Meta(ge=1, le=36)]
    currency: CurrencyCode
    back_to: Path = "/gifts"


class GiftCodeBody(Body, frozen=True):
    """The code of a gift; hyphens, spaces and case do not count."""

    code: Annotated[ShortText, Meta(examples=["AB2C-DE3F-GH4I-JK5L"])]


class WithdrawalBody(Body, frozen=True):
    """A membership's reference, which is its id, and the e-mail address of its member."""

    reference: UUID
    email: Annotated[str, Meta(min_length=3, max_length=254, examples=["asa@exempel.example"])]


class CancellationBody(WithdrawalBody, frozen=True):
    """A membership's reference, the address of its member, and why, if somebody wants to say."""

    reason: ShortText | None = None


class PortalAnswer(msgspec.Struct, frozen=True):
    """The address of Stripe's page."""

    url: str


class ReceiptList(msgspec.Struct, frozen=True):
    """Receipts, the latest first."""

    items: list[Receipt]


class GiftList(msgspec.Struct, frozen=True):
    """Gifts, the latest first."""

    items: list[GiftView]


class FeeList(msgspec.Struct, frozen=True):
    """Fees: what is due first, then what was paid, the latest first."""

    items: tuple[FeeView, ...]


class MembershipLedger(msgspec.Struct, frozen=True):
    """What was paid for memberships and what went back, in the order in which it happened."""

    items: list[Entry]
