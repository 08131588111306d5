"""Lets whoever guards a receiver hear what others have sent to it; no other sender does."""

from collections.abc import Sequence

import msgspec

from coalition.families.kin import guardians
from coalition.families.kin.speaking import By
from coalition.families.transfers.judging import Judged
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused


async def confided(
    connection: Connection, judged: Sequence[Judged | Refused]
) -> list[Judged | Refused]:
    """Return what was judged; what it says of receivers is private no more to their guardians.

    That is so where a guardian sends its own points itself.
    """
    private = {one.wish.receiver for one in judged if isinstance(one, Judged) and _is_private(one)}
    if not private:
        return list(judged)
    guarding = await guardians.guardians_of(connection, private)
    return [
        _opened(one)
        if isinstance(one, Judged)
        and _is_private(one)
        and one.wish.sender in guarding[one.wish.receiver]
        else one
        for one in judged
    ]


def _is_private(one: Judged) -> bool:
    is_itself = one.wish.requested_by == By.of(one.wish.sender).name
    return is_itself and any(failure.private for failure in one.verdict.failures)


def _opened(one: Judged) -> Judged:
    failures = tuple(msgspec.structs.replace(each, private=()) for each in one.verdict.failures)
    return one._replace(verdict=msgspec.structs.replace(one.verdict, failures=failures))
