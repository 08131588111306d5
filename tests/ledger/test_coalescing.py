"""Coalescing: what comes while a batch commits goes with the next one, each with its own answer."""

import asyncio

import asyncpg

from coalition.kernel.database import Engine, transaction
from coalition.kernel.errors import Unavailable
from coalition.ledger.coalescing import Coalescer


class Work:
    """Doubles numbers; refuses some; keeps the batches that it was given."""

    def __init__(self, *bad: int, error: Exception | None = None) -> None:
        self.batches: list[list[int]] = []
        self.bad = set(bad)
        self.error = error or ZeroDivisionError("bad")

    async def __call__(self, numbers: list[int]) -> list[int]:
        self.batches.append(numbers)
        await asyncio.sleep(0)
        if self.bad & set(numbers):
            raise self.error
        return [2 * number for number in numbers]


async def test_what_gathers_during_a_batch_goes_with_the_next_in_order() -> None:
    work = Work()
    coalescer = Coalescer(work)
    first = coalescer.submit(1)
    await asyncio.sleep(0)
    rest = [coalescer.submit(number) for number in (2, 3, 4)]
    assert await asyncio.gather(first, *rest) == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3, 4]]
    assert await coalescer.submit(5) == 10, "it goes on after it was idle"


async def test_a_batch_has_a_bound() -> None:
    work = Work()
    coalescer = Coalescer(work, most=2)
    answers = await asyncio.gather(*(coalescer.submit(number) for number in range(5)))
    assert answers == [0, 2, 4, 6, 8]
    assert work.batches == [[0, 1], [2, 3], [4]]


async def test_halving_isolates_the_request_that_fails() -> None:
    work = Work(5)
    coalescer = Coalescer(work)
    answers = await asyncio.gather(
        *(coalescer.submit(number) for number in range(8)), return_exceptions=True
    )
    assert [answer for answer in answers if isinstance(answer, int)] == [0, 2, 4, 6, 8, 12, 14]
    assert isinstance(answers[5], ZeroDivisionError)
    assert work.batches == [
        *([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]),
        *([4, 5], [4], [5], [6, 7]),
    ]


async def test_an_outage_is_told_to_all_at_once() -> None:
    """Each attempt on a database that is away takes seconds: trying the halves would take hours."""
    work = Work(5, error=Unavailable())
    coalescer = Coalescer(work)
    answers = await asyncio.gather(
        *(coalescer.submit(number) for number in range(8)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {Unavailable}
    assert len(work.batches) == 1


async def test_whoever_waited_through_an_outage_hears_of_it_too() -> None:
    work = Work(1, error=Unavailable())
    coalescer = Coalescer(work)
    first = coalescer.submit(1)
    await asyncio.sleep(0)
    rest = [coalescer.submit(number) for number in (2, 3)]
    answers = await asyncio.gather(first, *rest, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
    assert work.batches == [[1]]
    assert await coalescer.submit(2) == 4, "and the next one is tried"


async def test_a_caller_that_goes_away_does_not_disturb_the_others() -> None:
    work = Work(4)
    coalescer = Coalescer(work)
    futures = [coalescer.submit(number) for number in (1, 2, 3, 4)]
    await asyncio.sleep(0)
    futures[1].cancel()
    futures[3].cancel()
    await coalescer.finish()
    assert (futures[0].result(), futures[2].result()) == (2, 6)
    assert futures[1].cancelled()
    assert futures[3].cancelled()


async def test_work_that_forgets_an_answer_fails_for_all_and_is_not_answered_wrongly() -> None:
    async def forget(numbers: list[int]) -> list[int]:
        return numbers[1:]

    coalescer = Coalescer(forget)
    answers = await asyncio.gather(
        *(coalescer.submit(number) for number in range(3)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {AssertionError}


async def test_finishing_waits_for_all_that_was_submitted() -> None:
    coalescer = Coalescer(Work())
    await coalescer.finish()
    futures = [coalescer.submit(number) for number in range(3)]
    await coalescer.finish()
    assert all(future.done() for future in futures)


async def test_a_batch_never_joins_the_transaction_of_a_caller(database: Engine) -> None:
    async def read(numbers: list[int]) -> list[str]:
        async with transaction({"lock_timeout": "123ms"}) as connection:
            found = await connection.fetchval("SHOW lock_timeout")
        return [found] * len(numbers)

    coalescer = Coalescer(read)
    async with transaction():
        assert await coalescer.submit(1) == "123ms"


async def test_who_waits_for_a_lock_of_another_session_holds_up_only_itself() -> None:
    work = Work(5, error=asyncpg.LockNotAvailableError("5 waits"))
    coalescer = Coalescer(work)
    futures = [coalescer.submit(number) for number in range(8)]
    await coalescer.finish()
    assert isinstance(futures[5].exception(), asyncpg.LockNotAvailableError)
    assert [future.result() for future in futures if not future.exception()] == [
        *(0, 2, 4, 6, 8, 12, 14)
    ]
    assert work.batches[0] == list(range(8))
    assert sorted(work.batches[1:]) == [[number] for number in range(8)]
