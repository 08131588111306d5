"""Members sign in: codes, passwords, waiting after wrong ones, and who is let in no more."""

import asyncio
from datetime import timedelta

import pytest

from coalition.access import freshness, logins
from coalition.access.refusals import LoginTaken
from coalition.kernel.database import transaction
from coalition.kernel.identity import InvalidToken, TokenVerifier, audience_of
from coalition.ledger import holders
from coalition.ledger.accounts import HolderState
from tests.access.entrance import EMAIL, Entrance, assert_refused, new_member
from tests.access.world import ACTOR, ISSUER, part
from tests.support.members import PASSWORD


async def test_a_member_gets_a_token_of_its_own_side(entrance: Entrance) -> None:
    answer = await entrance.enter()

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["scope"], body["expires_in"]) == ("Bearer", "member", 900)
    assert body["member_id"] == str(entrance.member)
    caller = entrance.verifier.verify(body["access_token"], entrance.at)
    assert caller.member_id == entrance.member
    assert caller.actor == f"member:{entrance.member}"
    assert caller.scopes == {"member"}
    assert caller.authenticated_at == entrance.at
    assert part(body["access_token"], 0)["typ"] == "at+jwt"
    assert EMAIL not in str(part(body["access_token"], 1))


async def test_an_address_is_the_same_however_it_is_written(entrance: Entrance) -> None:
    assert (await entrance.enter(email=" ASA@Exempel.example ")).status_code == 200


async def test_a_password_is_the_same_however_its_letters_are_composed(
    entrance: Entrance,
) -> None:
    await entrance.set_password(await entrance.code(), "smörgåsbord i all ära")

    assert (await entrance.enter("smo\u0308rga\u030asbord i all a\u0308ra")).status_code == 200


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(
    entrance: Entrance,
) -> None:
    answers = [
        await entrance.enter("not the password"),
        await entrance.enter(email="nobody@exempel.example"),
    ]

    for answer in answers:
        assert_refused(answer, 401, "sign_in_failed")
    first, second = ({**answer.json(), "request_id": ""} for answer in answers)
    assert first == second


@pytest.mark.parametrize("email", [EMAIL, "nobody@exempel.example"], ids=["known", "unknown"])
async def test_after_five_wrong_passwords_anybody_has_to_wait(
    entrance: Entrance, email: str
) -> None:
    for _ in range(5):
        assert_refused(await entrance.enter("wrong", email), 401, "sign_in_failed")

    answer = await entrance.enter(email=email)

    assert_refused(answer, 429, "too_many_attempts")
    assert answer.headers["retry-after"] == "30"
    assert answer.json()["retry_after_s"] == 30


async def test_waiting_grows_and_then_the_right_password_lets_in(entrance: Entrance) -> None:
    waits = []
    for _ in range(12):
        answer = await entrance.enter("wrong")
        if answer.status_code == 429:
            waits.append(answer.json()["retry_after_s"])
            entrance.clock.advance(timedelta(seconds=waits[-1]))
    assert waits[:4] == [30, 60, 120, 240]
    entrance.clock.advance(timedelta(minutes=15))

    assert (await entrance.enter()).status_code == 200

    assert_refused(await entrance.enter("wrong"), 401, "sign_in_failed")
    assert (await entrance.enter()).status_code == 200


async def test_many_guesses_at_once_count_as_many(entrance: Entrance) -> None:
    answers = await asyncio.gather(*(entrance.enter(f"guess {i}") for i in range(20)))

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15


async def test_attempts_of_yesterday_are_forgotten(entrance: Entrance) -> None:
    for _ in range(5):
        await entrance.enter("wrong")
    entrance.clock.advance(timedelta(days=1, seconds=1))

    for _ in range(4):
        assert_refused(await entrance.enter("wrong"), 401, "sign_in_failed")
    assert (await entrance.enter()).status_code == 200


async def test_a_code_sets_a_password_once(entrance: Entrance) -> None:
    code = await entrance.code()

    assert (await entrance.set_password(code, "another set of words")).json() == {
        "member_id": str(entrance.member)
    }

    assert_refused(
        await entrance.set_password(code, "yet another set of words"), 401, "unusable_code"
    )
    assert (await entrance.enter("another set of words")).status_code == 200
    assert_refused(await entrance.enter(), 401, "sign_in_failed")


async def test_a_code_is_over_after_seven_days_or_when_another_is_given(
    entrance: Entrance,
) -> None:
    first = await entrance.code()
    second = await entrance.code()
    assert_refused(await entrance.set_password(first), 401, "unusable_code")
    entrance.clock.advance(timedelta(days=7))

    assert_refused(await entrance.set_password(second), 401, "unusable_code")


async def test_an_address_whose_code_was_never_used_opens_nothing(entrance: Entrance) -> None:
    other = await new_member(entrance.at)
    await entrance.code("new@exempel.example", other)

    assert_refused(await entrance.enter(email="new@exempel.example"), 401, "sign_in_failed")


async def test_an_address_is_the_login_of_one_member(entrance: Entrance) -> None:
    other = await new_member(entrance.at)

    with pytest.raises(LoginTaken):
        await entrance.code(EMAIL, other)


@pytest.mark.parametrize(
    "password",
    ["short", "x" * 201, "passwordpassword", "aaaaaaaaaaaaaaaa", "qwerty123456789"],
)
async def test_a_weak_password_is_refused_and_the_code_stays(
    entrance: Entrance, password: str
) -> None:
    code = await entrance.code()

    answer = await entrance.set_password(code, password)

    assert answer.status_code == 422
    assert (await entrance.set_password(code)).status_code == 200


async def test_who_is_closed_is_let_in_no_more_and_told_so(entrance: Entrance) -> None:
    async with transaction() as connection:
        await holders.set_state(connection, entrance.member, HolderState.CLOSED)

    assert_refused(await entrance.enter(), 403, "membership_ended")
    assert_refused(await entrance.enter("wrong"), 401, "sign_in_failed")


async def test_who_is_frozen_may_come_in(entrance: Entrance) -> None:
    async with transaction() as connection:
        await holders.set_state(connection, entrance.member, HolderState.FROZEN)

    assert (await entrance.enter()).status_code == 200


async def test_who_was_merged_comes_in_as_the_survivor(entrance: Entrance) -> None:
    survivor = await new_member(entrance.at)
    async with transaction() as connection:
        await holders.set_state(connection, entrance.member, HolderState.CLOSED)
        await holders.forward(connection, [entrance.member], survivor)

    assert (await entrance.enter()).json()["member_id"] == str(survivor)


async def test_a_token_that_was_taken_back_opens_nothing(entrance: Entrance) -> None:
    token = await entrance.token()
    headers = {"authorization": f"Bearer {token}"}

    assert (await entrance.http.post("/v1/sign-out", headers=headers)).status_code == 204

    assert_refused(await entrance.http.post("/v1/sign-out", headers=headers), 401, "invalid_token")
    elsewhere = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(elsewhere, entrance.at)
    with pytest.raises(InvalidToken, match="revoked"):
        elsewhere.verify(token, entrance.at)


async def test_signing_out_needs_a_token(entrance: Entrance) -> None:
    assert_refused(await entrance.http.post("/v1/sign-out"), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"email": 5, "password": "x"}', 422),
        (b'{"email": "a@b.example"}', 422),
        (b'{"email": "a@b.example", "password": "x", "more": 1}', 422),
        (b'{"email": "no address", "password": "x"}', 422),
        (b'{"email": "a@b.example", "password": "\\u0000"}', 401),
        (b'{"email": "a@b.example", "password": "' + b"x" * 201 + b'"}', 422),
        (b'{"email": "\\ud800@b.example", "password": "x"}', 400),
    ],
    ids=str,
)
async def test_strange_bodies_have_their_answer(
    entrance: Entrance, body: bytes, status: int
) -> None:
    headers = {"content-type": "application/json"}

    answer = await entrance.http.post("/v1/sign-in", content=body, headers=headers)

    assert answer.status_code == status, answer.text


async def test_nothing_that_opens_a_login_is_kept(entrance: Entrance) -> None:
    code = await entrance.code()

    async with transaction() as connection:
        rows = await connection.fetch("SELECT * FROM login")
        logged = await connection.fetch("SELECT actor, action, facts FROM audit_log")

    (row,) = rows
    kept = str(dict(row)) + str([tuple(one) for one in logged])
    for secret in (EMAIL, PASSWORD, code):
        assert secret not in kept
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert [tuple(one)[:2] for one in logged].count((ACTOR, "login.code_given")) == 2


async def test_a_login_is_forgotten_with_its_person(entrance: Entrance) -> None:
    async with transaction() as connection:
        await logins.forget(connection, entrance.member)

    assert_refused(await entrance.enter(), 401, "sign_in_failed")
