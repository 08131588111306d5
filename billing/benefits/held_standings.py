"""Lets a member be of a plan, and have its flags, for as long as it is entitled to them.

Standings are facts that are only added, and others may have granted the same value: what they
granted stays. So the facts of a membership are those that turn what holds into what should.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from billing.benefits.spans import FOREVER, Span, union, without
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.members import standings
from coalition.members.standings import Fact, StandingKind

Wanted = Mapping[tuple[StandingKind, str], Sequence[Span]]
"""For which spans of time a member should hold a value."""


def source_of(membership_id: UUID) -> str:
    """Return the source that the standings of a membership name."""
    return f"plan:{membership_id}"


async def agree(
    connection: Connection, member: MemberId, membership_id: UUID, wanted: Wanted, *, at: datetime
) -> None:
    """Let the member, who is locked, hold by this membership what is `wanted`, and nothing else."""
    history = await standings.history(connection, member)
    facts = missing(history, member, source_of(membership_id), wanted, at=at)
    if facts:
        await standings.append(connection, facts)


async def agrees(
    connection: Connection, member: MemberId, membership_id: UUID, wanted: Wanted
) -> bool:
    """Tell whether a member holds by this membership just what is `wanted`."""
    history = await standings.history(connection, member)
    return not missing(history, member, source_of(membership_id), wanted, at=FOREVER)


def missing(
    history: Sequence[Fact], member: MemberId, source: str, wanted: Wanted, *, at: datetime
) -> list[Fact]:
    """Return the facts that are to be added; of what agrees already there are none."""
    by_value: dict[tuple[StandingKind, str], list[Fact]] = defaultdict(list)
    for fact in history:
        by_value[fact.kind, fact.value].append(fact)
    mine = {key for key, facts in by_value.items() if any(one.source == source for one in facts)}
    found = []
    for key in sorted(mine | wanted.keys()):
        facts = by_value.get(key, [])
        held = _held(facts)
        others = _held(fact for fact in facts if fact.source != source)
        target = union([*wanted.get(key, ()), *others])
        changes = [(span, False) for span in without(held, target)]
        changes += [(span, True) for span in without(target, held)]
        for (begins, ends), holds in changes:
            fact = Fact(
                member_id=member,
                kind=key[0],
                value=key[1],
                held=holds,
                valid_from=begins,
                valid_until=None if ends == FOREVER else ends,
                source=source,
                made_at=at,
            )
            found.append(fact)
    return found


def _held(facts: Iterable[Fact]) -> list[Span]:
    """Return when a value is held; of its facts, which come in order, the last decides.

    Those that came by a merge are weaker than the member's own.
    """
    held: list[Span] = []
    for fact in sorted(facts, key=lambda one: one.given_as is None):
        span = (fact.valid_from, fact.valid_until or FOREVER)
        held = union([*held, span]) if fact.held else without(held, [span])
    return held
