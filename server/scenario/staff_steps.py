"""What staff and the clock do in a story: one Struct per verb, told apart by `do`.

What needs two persons is prepared by one and approved by another in the same step.
"""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from coalition.kernel.money import POINTS_MAX
from coalition.kernel.web.fields import LongText, PointsAmount
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.guards.documents import GuardDocument
from server.scenario.names import Name, PointCurrency, Word
from server.scenario.terms import ContractPart
from server.scenario.till_steps import Happening

SignedPoints = Annotated[
    int,
    Meta(ge=-POINTS_MAX, le=POINTS_MAX, description="given above zero, taken below"),
]
Ratio = Annotated[int, Meta(ge=1, le=1_000_000)]

_STANDINGS = ("tier", "plan", "segment", "flag")


class Expire(Happening, frozen=True, kw_only=True, tag="expire"):
    """What is due by now is booked as expired."""


class Advance(Happening, frozen=True, kw_only=True, tag="advance"):
    """The jobs of each night run until now, or until the beginning of the day `until`."""

    until: date | None = None


class Contract(Happening, frozen=True, kw_only=True, tag="contract"):
    """A later version of a partner's contract."""

    partner: Name
    contract: ContractPart


class Rules(Happening, frozen=True, kw_only=True, tag="rules"):
    """A new earning rule, or a new version of one; it is written as in a rule file."""

    rules: RuleDocument


class Guard(Happening, frozen=True, kw_only=True, tag="guard"):
    """A new guard of the tills, or a new version of one; it is written as in a guard file."""

    guard: GuardDocument


class Adjust(Happening, frozen=True, kw_only=True, tag="adjust"):
    """Points given by the operator (or `partner`, under its contract) or taken, below zero."""

    member: Name
    points: SignedPoints
    reason: LongText
    partner: Name | None = None
    expires: date | None = None
    currency: PointCurrency | None = None


class Recover(Happening, frozen=True, kw_only=True, tag="recover"):
    """What a member has pays what it owes: all, or `points`, or what the issue `posting` left."""

    member: Name
    points: PointsAmount | None = None
    posting: Name | None = None
    reason: LongText


class WriteOff(Happening, frozen=True, kw_only=True, tag="write_off"):
    """Nobody owes any more: all, or `points`, or what the issue `posting` left."""

    member: Name
    points: PointsAmount | None = None
    posting: Name | None = None
    reason: LongText


class Rate(Happening, frozen=True, kw_only=True, tag="rate"):
    """From now on `from_points` of one point currency become `to_points` of another."""

    from_currency: PointCurrency = msgspec.field(name="from")
    to_currency: PointCurrency = msgspec.field(name="to")
    from_points: Ratio
    to_points: Ratio


class Standing(Happening, frozen=True, kw_only=True, tag="standing"):
    """What a member is from now on, one of the four, through the day `until`."""

    member: Name
    tier: Word | None = None
    plan: Word | None = None
    segment: Word | None = None
    flag: Word | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        """Refuse none of the four, and several."""
        if len(self.named()) != 1:
            raise ValueError(f"name one of {', '.join(_STANDINGS)}")

    def named(self) -> dict[str, str]:
        """Return the kind of standing that is named, with its value."""
        held = {kind: getattr(self, kind) for kind in _STANDINGS}
        return {kind: value for kind, value in held.items() if value is not None}


class Merge(Happening, frozen=True, kw_only=True, tag="merge"):
    """One person who was enrolled twice: `member` becomes part of `into`."""

    member: Name
    into: Name
    reason: LongText


class Freeze(Happening, frozen=True, kw_only=True, tag="freeze"):
    """A member's points stop moving."""

    member: Name


class Unfreeze(Happening, frozen=True, kw_only=True, tag="unfreeze"):
    """A frozen member's points move again."""

    member: Name


class CloseMember(Happening, frozen=True, kw_only=True, tag="close_member"):
    """A membership ends for good."""

    member: Name
    forfeit_points: bool = False
    write_off_debt: bool = False


class Erase(Happening, frozen=True, kw_only=True, tag="erase"):
    """A member is forgotten: the membership ends, points are forfeited, personal data are gone."""

    member: Name
    reason: LongText
