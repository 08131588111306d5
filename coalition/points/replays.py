"""Answers that were given before: found by their keys, and given again as they were."""

from collections.abc import Sequence
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Answer, Claim, KeyReused, find, replay


async def replay_instead_of_refusing(
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


def joined(
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
    return answer._replace(replayed=True) if isinstance(answer, Answer) else answer
