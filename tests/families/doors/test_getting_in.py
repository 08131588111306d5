"""Nobody comes through a member's door but that member, now."""

import pytest

from coalition.kernel.ids import random_id
from tests.families.doors.world import Town, done, refused, transfer
from tests.kernel.identity import forge
from tests.kernel.identity.test_members import claims

READS = (
    "/v1/me",
    "/v1/me/balance",
    "/v1/me/postings",
    "/v1/families",
    "/v1/invitations",
    "/v1/transfers",
    "/v1/wards",
)


async def test_a_token_ends_after_fifteen_minutes(town: Town) -> None:
    anna = await town.member()
    for address in READS:
        done(await anna.get(address))
    town.advance(minutes=15)

    for address in READS:
        refused(await anna.get(address), 401, "invalid_token")


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "é", "\x00", "e30.e30.e30", "x" * 5000],
    ids=["nothing", "word", "dots", "letter", "nul", "empty", "long"],
)
async def test_what_is_no_token_opens_nothing(town: Town, token: str) -> None:
    headers = {b"authorization": f"Bearer {token}".encode("latin-1")}
    for address in READS:
        answer = await town.http.get(address, headers=headers)
        assert answer.status_code == 401, answer.text


async def test_a_token_that_we_have_not_signed_opens_nothing(town: Town) -> None:
    anna = await town.member()
    body = claims(town.at, sub=str(anna.member), member_id=str(anna.member))
    for head in (forge.header(), forge.header(alg="none"), forge.header(kid=None)):
        headers = {"authorization": f"Bearer {forge.token(head, body)}"}
        for address in READS:
            refused(await town.http.get(address, headers=headers), 401, "invalid_token")


async def test_a_signature_is_not_carried_over_to_other_claims(town: Town) -> None:
    anna, bo = await town.member(), await town.member()
    (head, _, signature), (_, body, _) = anna.token.split("."), bo.token.split(".")
    headers = {"authorization": f"Bearer {head}.{body}.{signature}"}

    for address in READS:
        refused(await town.http.get(address, headers=headers), 401, "invalid_token")


async def test_everything_that_writes_needs_a_key(town: Town) -> None:
    await town.plain()
    anna, bo = await town.member(50), await town.member()
    nothing = random_id()
    for address, body in (
        ("/v1/transfers", transfer(bo, 5)),
        (f"/v1/transfers/{nothing}/approve", {}),
        ("/v1/families", {"kind": "family"}),
        (f"/v1/families/{nothing}/leave", {}),
        (f"/v1/wards/{nothing}/stop", {}),
        (f"/v1/invitations/{nothing}/decline", {}),
    ):
        answer = await town.http.post(address, json=body, headers=anna.headers)
        refused(answer, 400, "idempotency_key_missing")


async def test_a_body_that_is_too_large_or_nested_is_refused(town: Town) -> None:
    await town.plain()
    anna = await town.member(50)
    headers = anna.headers | {"idempotency-key": "large", "content-type": "application/json"}

    for content, status in (
        (b'{"purpose": "' + b"x" * 1_000_001 + b'"}', 413),
        (b"[" * 100_000, 422),
        (b'{"to": {"to": {}}}', 422),
        (b"null", 422),
        (b"\xff", 400),
    ):
        answer = await town.http.post("/v1/transfers", content=content, headers=headers)
        assert answer.status_code == status, answer.text
    assert await town.balance(anna) == 50
