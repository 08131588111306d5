"""Requests that came together, answered in one transaction: each key once, equal keys joined."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency.claims import Answer, Claim, KeyReused, find, replay, store

Work = Callable[[list[int]], Awaitable[dict[int, Answer | Refused]]]
"""Answers the requests at the positions that it is given, whose keys are new."""


async def answer_together(
    connection: Connection, claims: Sequence[Claim], work: Work, at: datetime
) -> list[Answer | Refused]:
    """Return the answer of each request, in order; only what was done is kept.

    Raises `ClaimTakenError` when another process has committed one of the keys meanwhile: roll
    back, and its answer will be found.
    """
    found = await find(connection, claims)
    answers: dict[int, Answer | Refused] = {}
    first: dict[UUID, int] = {}
    for position, claim in enumerate(claims):
        known = replay(claim, found)
        if known is not None:
            answers[position] = known
        else:
            first.setdefault(claim.digest, position)
    fresh = list(first.values())
    if fresh:
        answers |= await work(fresh)
        await _replay_instead_of_refusing(connection, claims, fresh, answers)
        done = {i: answer for i in fresh if isinstance(answer := answers[i], Answer)}
        await store(
            connection, [(claims[i], one) for i, one in done.items() if not one.replayed], at
        )
    return [
        answers[position] if position in answers else _joined(claims, position, first, answers)
        for position in range(len(claims))
    ]


async def _replay_instead_of_refusing(
    connection: Connection,
    claims: Sequence[Claim],
    fresh: list[int],
    answers: dict[int, Answer | Refused],
) -> None:
    """Look again for the keys of refused requests.

    Another process may have answered one since the first look, and its effect is then what this one
    was refused for. It committed with its answer, so whoever saw the one finds the other.
    """
    refused = [position for position in fresh if isinstance(answers[position], Refused)]
    if refused:
        found = await find(connection, [claims[position] for position in refused])
        for position in refused:
            known = replay(claims[position], found)
            if known is not None:
                answers[position] = known


def _joined(
    claims: Sequence[Claim],
    position: int,
    first: dict[UUID, int],
    answers: dict[int, Answer | Refused],
) -> Answer | Refused:
    """Return the answer of an equal key that came in the same batch."""
    original = first[claims[position].digest]
    if claims[original].body_hash != claims[position].body_hash:
        return KeyReused()
    answer = answers[original]
    return answer._replace(replayed=True) if isinstance(answer, Answer) else answer
