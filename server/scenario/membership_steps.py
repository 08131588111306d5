"""What members do with a paid membership in a story: one Struct per verb, told apart by `do`.

Orders are paid on the hosted page of the sandbox, which stands in for Stripe.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from billing.plans.documents import Interval
from coalition.kernel.web.fields import CurrencyCode
from server.scenario.names import Name, Word
from server.scenario.till_steps import Happening

CountryCode = Annotated[str, Meta(pattern="^[A-Z]{2}$", description="a country as in ISO 3166")]


class CardKind(StrEnum):
    """What becomes of a card when it is charged."""

    WORKS = "works"
    DECLINES = "declines"
    NEEDS_AUTHENTICATION = "needs_authentication"
    """Its holder agrees on the payment page; a renewal, which nobody attends, fails."""


class Subscribe(Happening, frozen=True, kw_only=True, tag="subscribe"):
    """A member orders a plan under the law of a country and pays with its card."""

    member: Name
    plan: Word
    interval: Interval = "month"
    currency: CurrencyCode | None = None
    country: CountryCode = "SE"


class Upgrade(Happening, frozen=True, kw_only=True, tag="upgrade"):
    """A member changes to a higher plan, or to the longer interval; what that costs is charged."""

    member: Name
    plan: Word | None = None
    interval: Interval | None = None


class Downgrade(Happening, frozen=True, kw_only=True, tag="downgrade"):
    """A member changes to a smaller plan, or to the shorter interval, when what is paid ends."""

    member: Name
    plan: Word | None = None
    interval: Interval | None = None


class Cancel(Happening, frozen=True, kw_only=True, tag="cancel"):
    """A member ends its membership with what is paid."""

    member: Name


class Uncancel(Happening, frozen=True, kw_only=True, tag="uncancel"):
    """A member takes its cancellation back."""

    member: Name


class Pause(Happening, frozen=True, kw_only=True, tag="pause"):
    """A member pauses from the end of what is paid."""

    member: Name
    months: Annotated[int, Meta(ge=1, le=3)] = 1


class Resume(Happening, frozen=True, kw_only=True, tag="resume"):
    """A member ends its pause now."""

    member: Name


class Withdraw(Happening, frozen=True, kw_only=True, tag="withdraw"):
    """A member withdraws from its order: it ends now, and what was not used comes back."""

    member: Name


class PaymentCard(Happening, frozen=True, kw_only=True, tag="card"):
    """A member pays with another card from now on; what is due is paid with it at once."""

    member: Name
    card: CardKind
