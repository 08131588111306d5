"""Sessions of the pages: how long they last, and what ends them."""

from datetime import timedelta

import pytest

from coalition.access import logins
from coalition.access.refusals import SignInFailed
from coalition.access.sessions import IDLE, LONGEST, Sessions
from coalition.kernel.database import transaction
from coalition.ledger import holders
from coalition.ledger.accounts import HolderState
from tests.access.entrance import EMAIL, Entrance
from tests.support.members import PASSWORD


def sessions_of(entrance: Entrance) -> Sessions:
    return Sessions(entrance.sign_ins)


async def test_a_session_is_of_whom_the_password_is(entrance: Entrance) -> None:
    sessions, at = sessions_of(entrance), entrance.at
    word = await sessions.open(EMAIL, PASSWORD, at)
    session = await sessions.read(word, at)
    assert session is not None
    assert session.member_id == entrance.member
    assert session.ends_at == at + LONGEST
    with pytest.raises(SignInFailed):
        await sessions.open(EMAIL, "not the password", at)
    assert await sessions.read(word + "x", at) is None
    assert await sessions.read("", at) is None


async def test_only_the_hash_of_a_word_is_kept(entrance: Entrance) -> None:
    word = await sessions_of(entrance).open(EMAIL, PASSWORD, entrance.at)
    async with transaction() as connection:
        kept = await connection.fetchval("SELECT page_session::text FROM page_session")
    assert word not in kept
    assert word.encode().hex() not in kept


async def test_a_session_that_is_used_lasts_twelve_hours_and_no_longer(entrance: Entrance) -> None:
    sessions, at = sessions_of(entrance), entrance.at
    word = await sessions.open(EMAIL, PASSWORD, at)
    step = IDLE - timedelta(minutes=1)
    for n in range(1, LONGEST // step + 1):
        assert await sessions.read(word, at + n * step) is not None
    assert await sessions.read(word, at + LONGEST) is None


async def test_a_session_that_nobody_uses_ends_after_half_an_hour(entrance: Entrance) -> None:
    sessions, at = sessions_of(entrance), entrance.at
    word = await sessions.open(EMAIL, PASSWORD, at)
    assert await sessions.read(word, at + IDLE) is None


async def test_a_session_ends_when_told_and_with_its_password(entrance: Entrance) -> None:
    sessions, at = sessions_of(entrance), entrance.at
    first = await sessions.open(EMAIL, PASSWORD, at)
    second = await sessions.open(EMAIL, PASSWORD, at)
    await sessions.end(first)
    await sessions.end(first)
    assert await sessions.read(first, at) is None
    assert await sessions.read(second, at) is not None
    await entrance.set_password(await entrance.code(), "another three words")
    assert await sessions.read(second, at) is None


async def test_who_has_left_is_let_in_no_more(entrance: Entrance) -> None:
    sessions, at = sessions_of(entrance), entrance.at
    word = await sessions.open(EMAIL, PASSWORD, at)
    async with transaction() as connection:
        await holders.set_state(connection, entrance.member, HolderState.CLOSED)
    assert await sessions.read(word, at) is None


async def test_with_the_login_of_a_member_its_sessions_are_forgotten(entrance: Entrance) -> None:
    sessions, at = sessions_of(entrance), entrance.at
    word = await sessions.open(EMAIL, PASSWORD, at)
    async with transaction() as connection:
        await logins.forget(connection, entrance.member)
    assert await sessions.read(word, at) is None
