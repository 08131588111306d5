"""What a story says as a whole: the Structs of a scenario file, its format and JSON Schema at once.

Dates and instants are ISO 8601, decimals are text in quotes, and money is in major units where a
person writes it (`"25.00"`). The names of fields are those of the API and of contracts.
"""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from billing.plans.documents import PlanDocument
from coalition.kernel.web.fields import CurrencyCode, LongText
from coalition.points.bonuses.documents import RuleDocument
from server.founding import TIMEZONE
from server.scenario.family_steps import Share, WrittenRules
from server.scenario.names import Name, Part, PointCurrency, StoreCode, Word
from server.scenario.staff_steps import Contract
from server.scenario.steps import Step
from server.scenario.terms import ContractPart

CountryCode = Annotated[str, Meta(pattern="^[A-Z]{2}$", description="a country as in ISO 3166")]
RuleSetName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_-]*$",
        max_length=40,
        description="a name of small letters, digits, _ and -",
    ),
]
EarningText = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,7}/[0-9]{1,9}(\.[0-9]{1,3})?$",
        description="points for every amount, such as 1/1.00",
    ),
]


class CoalitionPart(Part, frozen=True, kw_only=True):
    """The coalition: the money of its contracts and the zone of its days."""

    currency: CurrencyCode
    timezone: Word = TIMEZONE
    expiry_suspended_tiers: tuple[Word, ...] = ()
    """While members have one of these tiers, their points do not end."""


class PartnerPart(Part, frozen=True, kw_only=True):
    """A partner company with its first contract, its stores, and what purchases there earn."""

    contract: ContractPart
    earning: EarningText | None = None
    stores: tuple[StoreCode, ...] = ()


class MemberPart(Part, frozen=True, kw_only=True):
    """A member, there from `joined` on, or from the beginning of the story."""

    born: date | None = None
    joined: date | None = None
    tier: Word | None = None
    plan: Word | None = None
    segments: tuple[Word, ...] = ()
    flags: tuple[Word, ...] = ()
    address: LongText | None = None
    address_registered: bool = True
    """Whether the address was found in a register of the population."""
    country: CountryCode | None = None
    first_name: Word | None = None
    last_name: Word | None = None
    guardian: Name | None = None
    """Another member, who guards this one."""


class FamilyPart(Part, frozen=True, kw_only=True):
    """A group of members under a rule set, formed before the story or in it.

    Its founding members joined when it was formed; nobody had any points to bring then.
    """

    rules: Name
    head: Name
    members: dict[Name, Word] = msgspec.field(default_factory=dict)
    """The others with their roles: spouse, partner, child, parent, sibling, relative, friend."""
    shares: dict[Name, Share] = msgspec.field(default_factory=dict)
    """Of what members earn, in percent, where it is not the first that the rules offer."""
    relationships: dict[Name, Word] = msgspec.field(default_factory=dict)
    """What members are to the head, where their roles do not say it."""
    nominees: tuple[Word, ...] = ()
    formed: date | None = None


class CurrencyPart(Part, frozen=True, kw_only=True):
    """A point currency of a partner's own."""

    partner: Name
    name: Word | None = None


class Story(Part, frozen=True, kw_only=True):
    """A whole story; its steps happen in the order of the file."""

    coalition: CoalitionPart
    partners: Annotated[dict[Name, PartnerPart], Meta(min_length=1)]
    members: dict[Name, MemberPart | None] = msgspec.field(default_factory=dict)
    currencies: dict[PointCurrency, CurrencyPart] = msgspec.field(default_factory=dict)
    rule_sets: dict[RuleSetName, WrittenRules] = msgspec.field(default_factory=dict)
    """Of families and transfers; the first of the mechanism p2p is that of plain transfers."""
    families: dict[Name, FamilyPart] = msgspec.field(default_factory=dict)
    plans: tuple[PlanDocument, ...] = ()
    """Of paid membership, on sale from the beginning; each is written as in a plan file."""
    earning_rules: tuple[RuleDocument, ...] = ()
    """Rules that hold from the beginning, each written as in a rule file."""
    steps: tuple[Step, ...]

    def contracts(self) -> list[ContractPart]:
        """Return every contract version that the story speaks of."""
        later = [step.contract for step in self.steps if isinstance(step, Contract)]
        return [*(partner.contract for partner in self.partners.values()), *later]
