"""Lets a member earn more at tills, for as long as its plan says, at the cost of its funders.

A bonus is written down once, with its end; when that comes earlier it is ended, and when it comes
later another follows. So of one benefit there are several in turn, none at the same time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from billing.benefits.funding import Funders, funders, partner_no
from billing.benefits.spans import FOREVER, Span, union, without
from billing.plans.documents import EarnMultiplier
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.points.bonuses import personal
from coalition.points.bonuses.personal import EarningBonus


class Earning(NamedTuple):
    """What a benefit lets a member earn; two versions of a plan may say the same.

    Members read the plan's name where they are told why they earned so much.
    """

    plan_name: str
    benefit: str
    factor: Decimal
    partner_no: int | None
    category: str | None
    funding: Funders


def earning(plan_name: str, benefit: EarnMultiplier) -> Earning:
    """Return what a benefit of a plan comes to at tills."""
    return Earning(
        plan_name,
        benefit.code,
        Decimal(benefit.factor).normalize(),
        partner_no(benefit.partner),
        benefit.category,
        funders(benefit.funding),
    )


async def agree(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    wanted: Mapping[Earning, Sequence[Span]],
    *,
    at: datetime,
) -> None:
    """Let the member, who is locked, earn by this membership as is `wanted`, and no more."""
    prefix = f"plan:{membership_id}:"
    kept = await personal.given(connection, member, prefix)
    for bonus in kept:
        ends = ending(bonus, wanted.get(_earning(bonus, prefix), ()))
        if ends is not None:
            await personal.end(connection, member, bonus.source, at=ends)
    for bonus in further(kept, prefix, wanted, member):
        await personal.give(connection, bonus, at=at)


async def agrees(
    connection: Connection,
    member: MemberId,
    membership_id: UUID,
    wanted: Mapping[Earning, Sequence[Span]],
) -> bool:
    """Tell whether a member earns by this membership just what is `wanted`."""
    prefix = f"plan:{membership_id}:"
    kept = await personal.given(connection, member, prefix)
    ends = (ending(bonus, wanted.get(_earning(bonus, prefix), ())) for bonus in kept)
    return not any(ends) and not further(kept, prefix, wanted, member)


def ending(bonus: EarningBonus, wanted: Iterable[Span]) -> datetime | None:
    """Return when a bonus has to end before its time; None where it is wanted to its end.

    One that begins when nothing is wanted ends as it begins, so it never holds.
    """
    surplus = without([_span(bonus)], wanted)
    return surplus[0][0] if surplus else None


def further(
    kept: Sequence[EarningBonus],
    prefix: str,
    wanted: Mapping[Earning, Sequence[Span]],
    member: MemberId,
) -> list[EarningBonus]:
    """Return the bonuses that are wanted beside those that are kept, as far as those hold."""
    held: dict[Earning, list[Span]] = defaultdict(list)
    for bonus in kept:
        one = _earning(bonus, prefix)
        begins, ends = _span(bonus)
        early = ending(bonus, wanted.get(one, ()))
        held[one].append((begins, ends if early is None else early))
    sources = {bonus.source for bonus in kept}
    found = []
    for one, spans in sorted(wanted.items(), key=lambda item: repr(item[0])):
        for begins, ends in without(spans, union(held[one])):
            source = _free(f"{prefix}{one.benefit}:{begins.astimezone(UTC):%Y%m%d}", sources)
            sources.add(source)
            found.append(
                EarningBonus(
                    holder=member,
                    source=source,
                    name=one.plan_name,
                    kind="multiplier",
                    factor=one.factor,
                    partner_no=one.partner_no,
                    category=one.category,
                    funding=one.funding,
                    valid_from=begins,
                    valid_until=None if ends == FOREVER else ends,
                )
            )
    return found


def _earning(bonus: EarningBonus, prefix: str) -> Earning:
    assert bonus.factor is not None, "plans multiply"
    benefit = bonus.source.removeprefix(prefix).split(":")[0]
    factor = bonus.factor.normalize()
    name = bonus.name or bonus.source
    return Earning(name, benefit, factor, bonus.partner_no, bonus.category, bonus.funding)


def _span(bonus: EarningBonus) -> Span:
    return bonus.valid_from, bonus.valid_until or FOREVER


def _free(source: str, taken: set[str]) -> str:
    """Return a source that names no other bonus: the day, or with a number behind it."""
    numbered = (f"{source}.{no}" for no in range(2, len(taken) + 3))
    return next(one for one in (source, *numbered) if one not in taken)
