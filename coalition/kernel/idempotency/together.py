"""Requests that came together, answered in one transaction: each key once, equal keys joined."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec.structs import replace

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Executes, OutdatedError
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency.claims import (
    Answer,
    Claim,
    ClaimTakenError,
    KeyReused,
    find,
    replay,
    store,
)

_LOOK_FOR = 50
"""For how many batches keys are looked for first, after one was sent again: others may follow."""

Answers = list[Answer | Refused]


class Attempt(Protocol):
    """Answers a batch in a transaction of its own; told whether it looks for its keys first."""

    def __call__(self, *, looks_first: bool) -> Awaitable[Answers]:
        """Raise `ClaimTakenError` for a key that is answered and was not looked for; undo all."""
        ...


Work = Callable[[list[int]], Awaitable[dict[int, Answer | Refused]]]
"""Answers the requests at the positions that it is given, whose keys are new."""


class Crowds:
    """Answers batches of requests, and remembers whether keys are being sent again.

    Nearly every key is new, so in a crowd none is looked for at first: that an answer was given
    before shows where its request is refused, or where its answer cannot be kept.
    """

    def __init__(self) -> None:
        """Begin without having seen a key twice."""
        self._look = 0

    async def answer(self, requests: int, attempt: Attempt) -> Answers:
        """Return what `attempt` answers to so many requests.

        It is tried again, looking first, when one of their keys proves to have been answered, or
        what it had trusted to be outdated.
        """
        self._look = max(self._look - 1, 0)
        looks_first = requests == 1 or self._look > 0
        while True:
            try:
                return await attempt(looks_first=looks_first)
            except ClaimTakenError:
                self._look, looks_first = _LOOK_FOR, True
            except OutdatedError:
                looks_first = True


async def answer_together(
    connection: Connection,
    claims: Sequence[Claim],
    work: Work,
    at: datetime,
    *,
    looks_first: bool,
    later: Executes | None = None,
) -> Answers:
    """Return the answer of each request, in order; only what was done is kept.

    It may be left to `later`, which the caller writes. `looks_first` for answers given before.
    Raises `ClaimTakenError` when one is found too late, or another process gives one meanwhile:
    roll back, look first, and it will be found.
    """
    answers: list[Answer | Refused | None] = [None] * len(claims)
    if looks_first:
        found = await find(connection, claims)
        if found:
            answers = [replay(claim, found) for claim in claims]
    first: dict[UUID, int] = {}
    for position, claim in enumerate(claims):
        if answers[position] is None:
            first.setdefault(claim.digest, position)
    fresh = list(first.values())
    if fresh:
        for position, made in (await work(fresh)).items():
            answers[position] = made
        is_known = await _replay_instead_of_refusing(connection, claims, fresh, answers)
        if is_known and not looks_first:
            raise ClaimTakenError  # its refusal is to leave nothing, not even a count
        kept = [
            (claims[position], answer)
            for position in fresh
            if isinstance(answer := answers[position], Answer) and not answer.replayed
        ]
        await store(connection if later is None else later, kept, at)
    return [
        answer if answer is not None else _joined(claims, position, first, answers)
        for position, answer in enumerate(answers)
    ]


async def _replay_instead_of_refusing(
    connection: Connection,
    claims: Sequence[Claim],
    fresh: list[int],
    answers: list[Answer | Refused | None],
) -> bool:
    """Look for the keys of refused requests; return whether one was answered before.

    Another process may have answered it since the first look, and its effect is then what this one
    was refused for. It committed with its answer, so whoever saw the one finds the other.
    """
    is_known = False
    refused = [position for position in fresh if isinstance(answers[position], Refused)]
    if refused:
        found = await find(connection, [claims[position] for position in refused])
        for position in refused:
            known = replay(claims[position], found)
            if known is not None:
                answers[position] = known
                is_known = True
    return is_known


def _joined(
    claims: Sequence[Claim],
    position: int,
    first: dict[UUID, int],
    answers: list[Answer | Refused | None],
) -> Answer | Refused:
    """Return the answer of an equal key that came in the same batch."""
    claim = claims[position]
    original = first[claim.digest]
    answer = answers[original]
    assert answer is not None, "the first of equal keys is answered"
    if claims[original].body_hash != claim.body_hash:
        return KeyReused()
    return replace(answer, replayed=True) if isinstance(answer, Answer) else answer
