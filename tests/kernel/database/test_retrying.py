"""Retries: of what may pass, a few times; never of what will not."""

import asyncpg
import pytest

from coalition.kernel.database import retrying, retrying_own, transaction
from coalition.kernel.database.transactions import is_outage
from coalition.kernel.errors import Unavailable

pytestmark = pytest.mark.usefixtures("database")


class Work:
    """Fails some times and counts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts = 0

    async def __call__(self) -> str:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_a_lost_race_is_run_again() -> None:
    work = Work(asyncpg.DeadlockDetectedError("x"), asyncpg.SerializationError("x"), OSError())
    assert await retrying(work) == "done"
    assert work.attempts == 4


async def test_what_may_have_been_done_is_not_done_twice() -> None:
    work = Work(asyncpg.DeadlockDetectedError("x"), asyncpg.ConnectionDoesNotExistError("x"))
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await retrying_own(work)
    assert work.attempts == 2
    assert await retrying_own(work) == "done"


async def test_within_a_transaction_nothing_is_run_again() -> None:
    work = Work(asyncpg.DeadlockDetectedError("x"))
    with pytest.raises(asyncpg.DeadlockDetectedError):
        async with transaction():
            await retrying_own(work)
    assert work.attempts == 1


async def test_an_end_is_put_to_attempts() -> None:
    work = Work(*(asyncpg.DeadlockDetectedError("x") for _ in range(50)))
    with pytest.raises(Unavailable):
        await retrying(work)
    assert work.attempts < 10


async def test_a_value_that_cannot_be_sent_is_no_outage() -> None:
    attempts = 0

    async def send() -> None:
        nonlocal attempts
        attempts += 1
        async with transaction() as connection:
            await connection.fetchval("SELECT $1::int4", 2**31)

    with pytest.raises(asyncpg.DataError, match="int32") as caught:
        await retrying(send)
    assert attempts == 1
    assert not is_outage(caught.value)
