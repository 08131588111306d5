"""A member changes its password by the old one; whoever else is in has to go."""

import pytest

from coalition.access import freshness, logins
from coalition.kernel.database import transaction
from coalition.kernel.identity import InvalidToken, TokenVerifier, audience_of
from coalition.ledger import holders
from coalition.ledger.accounts import HolderState
from tests.access.entrance import Entrance, assert_refused, new_member
from tests.access.world import ISSUER
from tests.support.members import PASSWORD

NEW = "five other words of mine"


async def test_a_new_password_holds_and_the_old_one_does_not(entrance: Entrance) -> None:
    token = await entrance.token()

    answer = await entrance.change(token, PASSWORD, NEW)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert entrance.verifier.verify(answer.json()["access_token"], entrance.at).member_id
    assert_refused(await entrance.enter(), 401, "sign_in_failed")
    assert (await entrance.enter(NEW)).status_code == 200


async def test_whoever_else_had_come_in_is_out_everywhere(entrance: Entrance) -> None:
    others, own = await entrance.token(), await entrance.token()

    fresh = (await entrance.change(own, PASSWORD, NEW)).json()["access_token"]

    elsewhere = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(elsewhere, entrance.at)
    for verifier in (entrance.verifier, elsewhere):
        for token in (others, own):
            with pytest.raises(InvalidToken, match="password has changed"):
                verifier.verify(token, entrance.at)
        verifier.verify(fresh, entrance.at)


async def test_a_password_set_by_a_code_ends_what_was_before_it(entrance: Entrance) -> None:
    token = await entrance.token()

    await entrance.set_password(await entrance.code(), NEW)
    await freshness.refresh(entrance.verifier, entrance.at)

    with pytest.raises(InvalidToken, match="password has changed"):
        entrance.verifier.verify(token, entrance.at)


async def test_a_code_that_was_not_used_is_void(entrance: Entrance) -> None:
    code, token = await entrance.code(), await entrance.token()

    assert (await entrance.change(token, PASSWORD, NEW)).status_code == 200

    assert_refused(await entrance.set_password(code), 401, "unusable_code")


async def test_the_old_password_is_not_found_by_trying(entrance: Entrance) -> None:
    token = await entrance.token()

    for _ in range(5):
        assert_refused(await entrance.change(token, "a guess", NEW), 403, "wrong_password")

    assert_refused(await entrance.change(token, PASSWORD, NEW), 429, "too_many_attempts")
    assert_refused(await entrance.enter(), 429, "too_many_attempts")


async def test_a_weak_password_changes_nothing_and_counts_as_no_guess(entrance: Entrance) -> None:
    token = await entrance.token()

    for _ in range(6):
        answer = await entrance.change(token, PASSWORD, "passwordpassword")
        assert_refused(answer, 422, "weak_password")

    assert (await entrance.enter()).status_code == 200
    assert_refused(await entrance.change(token, PASSWORD, "short"), 422, "invalid")
    assert_refused(await entrance.change("x", PASSWORD, NEW), 401, "invalid_token")


async def test_who_is_frozen_changes_nothing(entrance: Entrance) -> None:
    token = await entrance.token()
    async with transaction() as connection:
        await holders.set_state(connection, entrance.member, HolderState.FROZEN)

    assert_refused(await entrance.change(token, PASSWORD, NEW), 403, "member_frozen")


async def test_who_has_no_login_has_no_password_to_change(entrance: Entrance) -> None:
    token = await entrance.token()
    async with transaction() as connection:
        await logins.forget(connection, entrance.member)

    assert_refused(await entrance.change(token, PASSWORD, NEW), 403, "wrong_password")


async def test_who_came_in_as_the_survivor_changes_the_password_it_came_in_by(
    entrance: Entrance,
) -> None:
    survivor = await new_member(entrance.at)
    assert (
        await entrance.set_password(await entrance.code("bo@exempel.example", survivor), NEW)
    ).status_code == 200
    async with transaction() as connection:
        await holders.set_state(connection, entrance.member, HolderState.CLOSED)
        await holders.forward(connection, [entrance.member], survivor)

    answer = await entrance.change(await entrance.token(), PASSWORD, "four words of ours")

    assert answer.json()["member_id"] == str(survivor)
    assert (await entrance.enter("four words of ours")).status_code == 200
    assert (await entrance.enter(NEW, "bo@exempel.example")).status_code == 200
