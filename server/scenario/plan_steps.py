"""What else happens to paid memberships in a story: gifts, seats, dearer prices, disputes.

One Struct per verb, told apart by `do`. Plans are sold and campaigns begun by two of the staff.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from billing.plans.documents import PlanDocument
from billing.subscriptions.campaigns.documents import CampaignDocument
from coalition.kernel.web.fields import CurrencyCode
from server.scenario.names import Name, Word
from server.scenario.till_steps import Happening


class DisputeEnd(StrEnum):
    """How the bank decides a dispute."""

    WON = "won"
    """The payment stays ours."""
    LOST = "lost"


class Gift(Happening, frozen=True, kw_only=True, tag="gift"):
    """A member buys months of a plan for somebody, with its card."""

    member: Name
    plan: Word
    months: Annotated[int, Meta(ge=1, le=36)]
    currency: CurrencyCode | None = None


class RedeemGift(Happening, frozen=True, kw_only=True, tag="redeem_gift"):
    """A member redeems the code of a gift, which is named by the id of its step."""

    member: Name
    gift: Name


class Share(Happening, frozen=True, kw_only=True, tag="share"):
    """A member shares its plan with another of its family."""

    member: Name
    with_member: Name = msgspec.field(name="with")


class Unshare(Happening, frozen=True, kw_only=True, tag="unshare"):
    """A member shares its plan with another no more."""

    member: Name
    with_member: Name = msgspec.field(name="with")


class Sell(Happening, frozen=True, kw_only=True, tag="sell"):
    """A plan, or a further version of one, is sold from now on; who has an earlier one keeps it."""

    plan: PlanDocument


class Campaign(Happening, frozen=True, kw_only=True, tag="campaign"):
    """Members with an earlier version of a plan come to its price on sale."""

    campaign: CampaignDocument


class Agree(Happening, frozen=True, kw_only=True, tag="agree"):
    """A member agrees to the new price of which it was told."""

    member: Name


class Dispute(Happening, frozen=True, kw_only=True, tag="dispute"):
    """A member disputes its last payment at its bank, which takes the money back for now."""

    member: Name


class DisputeEnds(Happening, frozen=True, kw_only=True, tag="dispute_ends"):
    """The bank decides the dispute of a member."""

    member: Name
    outcome: DisputeEnd
