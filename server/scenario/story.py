"""What a story says as a whole: the Structs of a scenario file, its format and JSON Schema at once.

Dates and instants are ISO 8601, decimals are text in quotes, and money is in major units where a
person writes it (`"25.00"`). The names of fields are those of the API and of contracts.
"""

from datetime import date
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from coalition.kernel.web.fields import CurrencyCode, LongText
from coalition.points.bonuses.documents import RuleDocument
from server.founding import TIMEZONE
from server.scenario.names import Name, Part, PointCurrency, StoreCode, Word
from server.scenario.staff_steps import Contract
from server.scenario.steps import Step
from server.scenario.terms import ContractPart

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
    earning_rules: tuple[RuleDocument, ...] = ()
    """Rules that hold from the beginning, each written as in a rule file."""
    steps: tuple[Step, ...]

    def contracts(self) -> list[ContractPart]:
        """Return every contract version that the story speaks of."""
        later = [step.contract for step in self.steps if isinstance(step, Contract)]
        return [*(partner.contract for partner in self.partners.values()), *later]


LATER: Final[dict[tuple[str, ...], dict[str, str]]] = {
    (): {"rule_sets": "families", "families": "families"},
    ("members", "*"): {"guardian": "families"},
}
"""Fields of packages that are not there yet, by where they stand, with the package."""
