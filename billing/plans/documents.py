"""What a plan says: its prices, its trial and grace, and what it gives, paid by whom.

The file that an operator writes (`coalition plan show`) and what is kept of each version.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Interval = Literal["month", "year"]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
Weight = Annotated[int, Meta(ge=1, le=1_000_000)]


class PriceDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A price per interval, tax included; `eligibility` names who may have it, such as student."""

    interval: Interval
    currency: Currency
    amount_minor: Annotated[int, Meta(ge=0, le=100_000_000)]
    eligibility: Code | None = None


class EarnMultiplier(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="benefit",
    tag="earn_multiplier",
):
    """`factor` times the base points, at one partner or in one category where they are named.

    `funding` is partner codes, or `operator`, or `issuer` (whoever sells), with whole weights.
    """

    code: Code
    factor: str
    partner: str | None = None
    category: str | None = None
    funding: dict[str, Weight] = {}


class MonthlyPoints(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="benefit",
    tag="monthly_points",
):
    """So many points once in each month of the plan, funded as `funding` says."""

    code: Code
    points: Annotated[int, Meta(ge=1, le=1_000_000)]
    funding: dict[str, Weight] = {}


class FreeShipping(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="benefit",
    tag="free_shipping",
):
    """No charge for sending, at one partner or all, so many times in a period (None: always)."""

    code: Code
    partner: str | None = None
    uses_per_period: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    most_minor: Annotated[int, Meta(ge=1, le=10_000_000)]
    currency: Currency
    funding: dict[str, Weight] = {}


class PartnerDiscount(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="benefit",
    tag="partner_discount",
):
    """A share off the price at a partner, in hundredths of a percent (500 is 5 %)."""

    code: Code
    partner: str
    basis_points: Annotated[int, Meta(ge=1, le=10_000)]
    most_minor: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    currency: Currency
    uses_per_period: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    funding: dict[str, Weight] = {}


class EarlyAccess(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="benefit",
    tag="early_access",
):
    """A flag of the member that partners and rules read, such as early-access."""

    code: Code
    flag: Code


class FamilyPerk(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="benefit",
    tag="family_perk",
):
    """What the plan changes in the rule sets of families; they read the plan, this says it."""

    code: Code
    says: Annotated[str, Meta(min_length=1, max_length=200)]
    says_in: dict[str, Annotated[str, Meta(min_length=1, max_length=200)]] = {}
    """The same in other languages; one that is not there reads `says`."""


Benefit = EarnMultiplier | MonthlyPoints | FreeShipping | PartnerDiscount | EarlyAccess | FamilyPerk


class PlanDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version of a plan; days are whole, prices include tax."""

    code: Code
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    rank: Annotated[int, Meta(ge=0, le=1000)]
    """The higher plan: a change to a higher rank is an upgrade and holds at once."""
    prices: tuple[PriceDocument, ...]
    trial_days: Annotated[int, Meta(ge=0, le=730)] = 0
    grace_days: Annotated[int, Meta(ge=0, le=60)] = 7
    grace_after_trial_days: Annotated[int, Meta(ge=0, le=60)] = 1
    seats: Annotated[int, Meta(ge=0, le=20)] = 0
    """How many others of the family share the plan, beside who pays."""
    refund_unused: bool = False
    """Whether who withdraws, and has used none of the benefits, has all of it back: no days are
    kept."""
    benefits: tuple[Benefit, ...] = ()
