"""Who sends points in a ring: from member to member and back to the first. Pure.

Rings are how caps per sender are walked around, and how stolen points are hidden; honest families
have them too, so they are told to a person and nothing is stopped.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

LONGEST = 6
"""How many members a ring may have to be looked for."""

_STEPS_MOST = 200_000
"""How far is looked in all; a graph that takes more is told in part, and that is said."""


class Sent(NamedTuple):
    """What one member sent to another in the time that is looked at, in all."""

    sender: UUID
    receiver: UUID
    points: int
    times: int


class Ring(NamedTuple):
    """Members each of whom sent to the next, and the last to the first."""

    members: tuple[UUID, ...]
    """From the least id on, in the direction in which points went."""
    points: int
    """What may have gone all the way round: the least of what any of them sent."""
    times: int
    """The transfers between them in all."""


class Found(NamedTuple):
    """The rings, those that more points may have gone round first."""

    rings: list[Ring]
    is_complete: bool
    """False where the graph was too dense to be searched whole."""


def find(sent: Iterable[Sent], *, longest: int = 4) -> Found:
    """Return the rings of 2 to `longest` members, each once, whoever it is read from."""
    assert 2 <= longest <= LONGEST, "longer rings are not looked for"
    edges: dict[UUID, dict[UUID, Sent]] = defaultdict(dict)
    for one in sent:
        edges[one.sender][one.receiver] = one
    rings: list[Ring] = []
    steps = 0
    for start in sorted(edges):
        trails: list[tuple[UUID, ...]] = [(start,)]
        while trails:
            trail = trails.pop()
            for receiver in edges.get(trail[-1], {}):
                steps += 1
                if steps > _STEPS_MOST:
                    return Found(_in_order(rings), is_complete=False)
                if receiver == start:
                    rings.append(_ring(trail, edges))
                elif receiver > start and receiver not in trail and len(trail) < longest:
                    # Through a lesser id it was found from there.
                    trails.append((*trail, receiver))
    return Found(_in_order(rings), is_complete=True)


def _ring(trail: tuple[UUID, ...], edges: Mapping[UUID, Mapping[UUID, Sent]]) -> Ring:
    steps = [
        edges[sender][receiver]
        for sender, receiver in zip(trail, (*trail[1:], trail[0]), strict=True)
    ]
    return Ring(trail, min(step.points for step in steps), sum(step.times for step in steps))


def _in_order(rings: list[Ring]) -> list[Ring]:
    return sorted(rings, key=lambda ring: (-ring.points, ring.members))
