"""A client proves itself with its key: what is good is taken once, every forgery is refused."""

import asyncio
import json
from datetime import datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from coalition.access import service
from coalition.access.assertions import ASSERTION_TYPE
from coalition.kernel.database import Engine
from tests.access.world import ACTOR, ISSUER, TOKEN_ADDRESS, World, new_client, new_world

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def pem(key: PrivateKey) -> str:
    data = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data.decode()


def claims(world: World, **changes: Any) -> dict[str, Any]:
    now_s = int(world.clock.now().timestamp())
    good = {
        "iss": world.client.client_id,
        "sub": world.client.client_id,
        "aud": ISSUER,
        "iat": now_s,
        "exp": now_s + 300,
        "jti": "first",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def sign(
    body: dict[str, Any],
    key: PrivateKey = ED25519,
    algorithm: str = "EdDSA",
    headers: dict[str, Any] | None = None,
) -> str:
    # PyJWS signs whatever it is given, where PyJWT would refuse to make the forgery.
    return jwt.PyJWS().encode(json.dumps(body).encode(), key, algorithm, headers)


async def ask(world: World, assertion: str, **form: str) -> httpx.Response:
    proof = {"client_assertion": assertion, "client_assertion_type": ASSERTION_TYPE}
    return await world.ask(proof | form, headers={})


async def world_with_key(at: datetime, key: PrivateKey = ED25519) -> World:
    world = await new_world(at)
    await service.add_key(world.client.client_id, pem(key), actor=ACTOR, at=at)
    return world


def refused(answer: httpx.Response, why: str = "") -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text
    assert why in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [
        ("EdDSA", lambda: ED25519),
        ("ES256", lambda: ec.generate_private_key(ec.SECP256R1())),
        ("RS256", lambda: rsa.generate_private_key(65537, 2048)),
    ],
    ids=["EdDSA", "ES256", "RS256"],
)
async def test_each_kind_of_key_opens(
    database: Engine, at: datetime, algorithm: str, make: Any
) -> None:
    key = make()
    world = await world_with_key(at, key)

    answer = await ask(world, sign(claims(world), key, algorithm))

    assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert world.verifier.verify(token, at).client_id == world.client.client_id


@pytest.mark.parametrize("audience", [ISSUER, TOKEN_ADDRESS, [ISSUER], [TOKEN_ADDRESS]], ids=str)
async def test_the_audience_is_the_issuer_or_the_token_endpoint(
    database: Engine, at: datetime, audience: object
) -> None:
    world = await world_with_key(at)

    assert (await ask(world, sign(claims(world, aud=audience)))).status_code == 200


async def test_an_assertion_is_taken_once(database: Engine, at: datetime) -> None:
    world = await world_with_key(at)
    assertion = sign(claims(world))
    assert (await ask(world, assertion)).status_code == 200

    refused(await ask(world, assertion), "used before")
    longer_s = int(at.timestamp()) + 299
    refused(await ask(world, sign(claims(world, exp=longer_s))), "used before")
    assert (await ask(world, sign(claims(world, jti="second")))).status_code == 200


async def test_an_assertion_sent_many_times_at_once_is_taken_once(
    database: Engine, at: datetime
) -> None:
    world = await world_with_key(at)
    assertion = sign(claims(world))

    answers = await asyncio.gather(*(ask(world, assertion) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_two_clients_may_use_the_same_jti(database: Engine, at: datetime) -> None:
    world = await world_with_key(at)
    other = await new_client(at, partner_no=world.partner_no)
    await service.add_key(other.client_id, pem(ED25519), actor=ACTOR, at=at)
    theirs = sign(claims(world, iss=other.client_id, sub=other.client_id))

    assert (await ask(world, sign(claims(world)))).status_code == 200
    assert (await ask(world, theirs)).status_code == 200


async def test_a_wrong_claim_is_refused(database: Engine, at: datetime) -> None:
    world = await world_with_key(at)
    other = await new_client(at, partner_no=world.partner_no)
    now_s = int(at.timestamp())
    wrong: tuple[dict[str, Any], ...] = (
        {"iss": "client_other"},
        {"sub": "client_other"},
        {"sub": "client_other", "iss": "client_other"},
        {"sub": other.client_id, "iss": other.client_id},
        {"sub": "client_\x00", "iss": "client_\x00"},
        {"sub": "client_é", "iss": "client_é"},
        {"sub": 7, "iss": 7},
        {"aud": "https://other.example"},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": []},
        {"aud": ISSUER + "/"},
        {"aud": {"iss": ISSUER}},
        {"exp": now_s + 301},
        {"exp": now_s + 10 * 365 * 86_400},
        {"exp": now_s - 31, "iat": now_s - 100},
        {"exp": "soon"},
        {"exp": 2**80},
        {"exp": 1e300},
        {"exp": now_s + 331, "iat": None},
        {"iat": now_s + 31},
        {"iat": now_s - 3600},
        {"nbf": now_s + 31},
        {"jti": ""},
        {"jti": "x" * 201},
        {"jti": 5},
    )
    for changes in wrong:
        refused(await ask(world, sign(claims(world, **changes))))
    for missing in ("iss", "sub", "aud", "exp", "jti"):
        refused(await ask(world, sign(claims(world, **{missing: None}))), "no JWT with")

    assert (await ask(world, sign(claims(world)))).status_code == 200


async def test_times_may_have_fractions_and_differ_by_the_leeway(
    database: Engine, at: datetime
) -> None:
    world = await world_with_key(at)
    now_s = int(at.timestamp())
    differing: tuple[dict[str, float | None], ...] = (
        {"exp": now_s + 299.5, "iat": now_s + 0.25},
        {"exp": now_s - 29, "iat": now_s - 60},
        {"exp": now_s + 330, "iat": None},
        {"exp": now_s + 330, "iat": now_s + 30, "nbf": now_s + 30},
    )
    for number, changes in enumerate(differing):
        answer = await ask(world, sign(claims(world, jti=f"n{number}", **changes)))
        assert answer.status_code == 200, (changes, answer.text)


async def test_a_wrong_header_or_signature_is_refused(database: Engine, at: datetime) -> None:
    world = await world_with_key(at)
    good = claims(world)
    head, body, signature = sign(good).split(".")
    curve = ec.generate_private_key(ec.SECP256R1())
    for forged in (
        sign(good, OTHER_ED25519),
        sign(good, headers={"kid": "another"}),
        sign(good, headers={"typ": "at+jwt"}),
        sign(good, headers={"typ": "dpop+jwt"}),
        sign(good, headers={"crit": ["b64"], "b64": True}),
        sign(good, curve, "ES256"),
        jwt.encode(good, "", algorithm="none"),
        jwt.encode(good, "secret" * 8, algorithm="HS256"),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}",
        head,
        "a.b.c",
        "...",
        "W10.W10.W10",
        "x" * 8000,
    ):
        refused(await ask(world, forged))

    assert (await ask(world, sign(good))).status_code == 200


async def test_the_type_of_the_assertion_must_be_named(database: Engine, at: datetime) -> None:
    world = await world_with_key(at)
    assertion = sign(claims(world))

    for form in (
        {"client_assertion": assertion},
        {"client_assertion": assertion, "client_assertion_type": "jwt"},
    ):
        answer = await world.ask(form, headers={})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    refused(await world.ask({"client_assertion_type": ASSERTION_TYPE}, headers={}), "missing")


async def test_a_client_id_beside_the_assertion_must_be_the_same(
    database: Engine, at: datetime
) -> None:
    world = await world_with_key(at)

    refused(await ask(world, sign(claims(world)), client_id="client_other"), "client_id")
    answer = await ask(world, sign(claims(world)), client_id=world.client.client_id)
    assert answer.status_code == 200


async def test_a_revoked_key_opens_nothing_and_another_still_does(
    database: Engine, at: datetime
) -> None:
    world = await world_with_key(at)
    client_id = world.client.client_id
    kid = await service.add_key(client_id, pem(OTHER_ED25519), actor=ACTOR, at=at)
    named = {"kid": kid}
    first = sign(claims(world, jti="1"), OTHER_ED25519, headers=named)
    assert (await ask(world, first)).status_code == 200

    await service.revoke_key(client_id, kid, actor=ACTOR, at=at)

    refused(await ask(world, sign(claims(world, jti="2"), OTHER_ED25519, headers=named)))
    assert (await ask(world, sign(claims(world, jti="3")))).status_code == 200


async def test_an_assertion_of_a_revoked_client_is_refused(database: Engine, at: datetime) -> None:
    world = await world_with_key(at)
    await service.revoke_client(world.client.client_id, actor=ACTOR, at=at)

    refused(await ask(world, sign(claims(world))))
