"""The world of a story while it is told: its clock, its tills, and what its names stand for."""

from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from coalition.families.groups.groups import Groups
from coalition.families.pools.pooling import FamilyPools
from coalition.families.rule_sets.notation import Money
from coalition.families.transfers.transferring import Transfers
from coalition.federation.terms import COALITION_CURRENCY_NO, CreditMode
from coalition.kernel.clock import FixedClock
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money as BillingMoney
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from coalition.points.bonuses.compiled import OPERATOR as OPERATOR_NO
from coalition.points.till import Tills
from partners.settlement.netting import Claim, Leg
from server.scenario.club import Club
from server.scenario.names import OPERATOR, OWN_POINTS
from server.scenario.story import Story


class Done(msgspec.Struct, frozen=True):
    """What a step did, and a few words for people who read along."""

    said: str
    points: int | None = None
    posting: UUID | None = None
    hold: UUID | None = None
    partner: str | None = None
    """At whose till it was done, where it was at one."""
    transfer: UUID | None = None
    sender: UUID | None = None
    """Whose points a transfer moves, or who bought a gift."""
    gift: UUID | None = None
    state: str | None = None
    """Of a transfer that has not moved, or no longer."""
    fee: Money | None = None
    fee_points: int | None = None
    paid: BillingMoney | None = None
    """What a step of a membership charged, or gave back where it is negative."""


class Cycle(msgspec.Struct, frozen=True):
    """What was netted together: the periods as the story names them, and who pays what."""

    periods: tuple[str, ...]
    currency: str
    legs: tuple[Leg, ...]


class World:
    """One coalition on its scratch database, at the instant that the story has come to."""

    def __init__(self, story: Story, *, begins_at: datetime, settings: Settings) -> None:
        """Set the clock to `begins_at`; partners and members are founded next."""
        self.story = story
        self.settings = settings
        self.keys = MemberKeys.of(settings)
        self.clock = FixedClock(begins_at)
        pools = FamilyPools(keys=self.keys)
        self.tills = Tills(card_key=settings.blind_index_key, clock=self.clock, pools=pools)
        self.transfers = Transfers(keys=self.keys, clock=self.clock)
        self.groups = Groups(keys=self.keys)
        self.club = Club(settings, begins_at) if story.plans else None
        """Paid memberships, where the story has plans."""
        self.families: dict[str, UUID] = {}
        self.invitations: dict[tuple[str, str], UUID] = {}
        """By family and member, the last invitation."""
        self.families_at = begins_at
        """Until when all that falls due in families was done."""
        self.birthdays: list[datetime] = []
        """When members come to an age that matters in families, in order."""
        self.follows_heads = False
        """Whether tiers of heads suspend expiry in families."""
        self.fees_told: set[UUID] = set()
        """The events of fees of acts in families that were told already."""
        self.before = begins_at
        """Where the clock stood before it was moved last."""
        self.limits_credit = any(
            contract.credit_mode is not CreditMode.NONE for contract in story.contracts()
        )
        """Whether a contract of the story limits what its partner may owe."""
        self.zone = ZoneInfo(story.coalition.timezone)
        self.partners: dict[str, int] = {}
        self.members: dict[str, UUID] = {}
        self.currencies: dict[str, int] = {OWN_POINTS: COALITION_CURRENCY_NO}
        self.done: dict[str, Done] = {}
        """What the steps with an id did; a refused one is not in it."""
        self.holds_end: list[datetime] = []
        """When holds that were made run out."""
        self.closed: set[int] = set()
        """The partners of whom a period was closed."""
        self.positions: list[Claim] = []
        """What was said that partners owe each other, and no cycle has netted yet."""
        self.cycles: list[Cycle] = []

    @property
    def at(self) -> datetime:
        """The present instant of the story, in UTC."""
        return self.clock.now()

    def its_club(self) -> Club:
        """Return the paid memberships of a story that has some."""
        assert self.club is not None, "a story was checked: it has the plans that its steps name"
        return self.club

    def member(self, name: str) -> MemberId:
        """Return the id of a member of the story."""
        return MemberId(self.members[name])

    def day(self) -> date:
        """Return the present day in the coalition's zone."""
        return self.at.astimezone(self.zone).date()

    def move_to(self, instant: datetime) -> None:
        """Set the clock to `instant`, which is not before the present one."""
        step = instant.astimezone(UTC) - self.at
        assert step.total_seconds() >= 0, "a story was checked: its time does not go back"
        self.before = self.at
        self.clock.advance(step)

    def currency_no(self, code: str | None) -> int:
        """Return the number of a point currency; None is the coalition's own."""
        return self.currencies[code or OWN_POINTS]

    def funder_no(self, name: str) -> int:
        """Return the number of a partner, or of the operator."""
        return OPERATOR_NO if name == OPERATOR else self.partners[name]

    def currency_of(self, partner: str) -> str:
        """Return the money of a partner's first contract."""
        return self.story.partners[partner].contract.currency or self.story.coalition.currency
