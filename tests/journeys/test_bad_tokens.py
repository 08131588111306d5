"""Tokens that are forged, over, for others or none: each is refused and moves no point."""

import asyncio
import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coalition.access import signing_keys
from coalition.access.signing import SigningKey
from coalition.kernel.database import transaction
from tests.journeys.world import Scene, assert_refused
from tests.kernel.identity.forge import claims, encoded, token
from tests.support.http import SETTINGS

Claims = dict[str, Any]  # Any: a JSON object
NOW_S = 1_795_262_400
YEAR_S = 31_536_000

NO_TOKENS = {
    "nothing": None,
    "an empty header": b"",
    "another scheme": b"Basic Y2xpZW50OnNlY3JldA==",
    "a token without scheme": b"e30.e30.e30",
    "letters of no alphabet": b"Bearer \xff\xfe",
}
NOT_TOKENS = {
    "the scheme alone": "Bearer",
    "no token": "Bearer ",
    "a word": "Bearer token",
    "dots": "Bearer ..",
    "a hundred thousand dots": "Bearer " + "." * 100_000,
    "a megabyte": "Bearer " + "a" * 1_000_000,
    "empty objects": "Bearer e30.e30.e30",
    "deep JSON": "Bearer " + encoded(b"[" * 2000) + ".e30.e30",
    "NUL": "Bearer \x00",
}


def _signed(standing: Scene, key: SigningKey, head: Claims, body: Claims) -> str:
    """Return a token of the grocer's client signed by `key`, changed by `head` and `body`."""
    good = claims(
        standing.grocer.at,
        sub=standing.grocer.client.client_id,
        client_id=standing.grocer.client.client_id,
        client_no=standing.grocer.client.client_no,
        partner_no=standing.grocer.partner.no,
        partner_id=str(standing.grocer.partner.id),
        scope="points:issue points:redeem members:read",
    )
    headers = {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid} | head
    changed = {name: value for name, value in (good | body).items() if value is not None}
    return token(headers, changed, key.private_key)


CHANGED_HEADS: dict[str, Claims] = {
    "typ JWT": {"typ": "JWT"},
    "no typ": {"typ": None},
    "the typ of an ID token": {"typ": "id_token+jwt"},
    "alg none": {"alg": "none"},
    "alg HS256": {"alg": "HS256"},
    "alg RS256": {"alg": "RS256"},
    "alg ES256": {"alg": "ES256"},
    "an unknown key": {"kid": "another"},
    "a key that is a path": {"kid": "../../../../dev/null"},
    "a key that is a statement": {"kid": "' UNION SELECT public_key FROM signing_key --"},
    "a key of its own": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}},
    "keys from elsewhere": {"jku": "https://evil.example/keys.json"},
    "a critical extension": {"crit": ["exp"]},
    "compressed": {"zip": "DEF"},
}
CHANGED_CLAIMS: dict[str, Claims] = {
    "ten years": {"exp": NOW_S + 10 * YEAR_S},
    "16 minutes": {"exp": NOW_S + 16 * 60},
    "issued tomorrow": {"iat": NOW_S + 86_400, "exp": NOW_S + 87_000},
    "over since a second": {"iat": NOW_S - 600, "exp": NOW_S - 1},
    "over now": {"iat": NOW_S - 600, "exp": NOW_S},
    "over before it began": {"exp": NOW_S - 900},
    "not yet": {"nbf": NOW_S + 600},
    "no end": {"exp": None},
    "no beginning": {"iat": None},
    "an end in text": {"exp": "1795263300"},
    "an end in fractions": {"exp": 1_795_263_300.5},
    "an end beyond any clock": {"iat": 2**62, "exp": 2**62 + 60},
    "an end beyond any number": {"exp": 10**400},
    "another issuer": {"iss": "https://evil.example"},
    "another path of the issuer": {"iss": "https://points.example/"},
    "another audience": {"aud": "https://points.example"},
    "a list of audiences": {"aud": ["https://points.example/v1"]},
    "no audience": {"aud": None},
    "another subject": {"sub": "client_other"},
    "no id": {"jti": None},
    "an empty id": {"jti": ""},
    "no partner": {"partner_no": None},
    "a partner in text": {"partner_no": "1"},
    "no scope": {"scope": None},
    "a list of scopes": {"scope": ["points:issue"]},
    "a scope of staff beside": {"scope": "points:issue members:read settlement:approve"},
    "the operator in place of a partner": {"partner_no": 0},
    "the operator with a partner's scopes": {"partner_no": 0, "partner_id": None},
}


@pytest.fixture(scope="module")
def key(runner: asyncio.Runner, standing: Scene) -> SigningKey:
    """Return the key that signs access tokens, as a thief of the master key would have it."""

    async def read() -> SigningKey:
        async with transaction() as connection:
            return await signing_keys.active_signing_key(
                connection, master_key=SETTINGS.master_key, at=standing.grocer.at
            )

    return runner.run(read())


async def test_the_token_that_is_forged_here_would_be_good_unchanged(
    standing: Scene, key: SigningKey
) -> None:
    answer = await _read(standing, f"Bearer {_signed(standing, key, {}, {})}".encode())
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("header", NO_TOKENS.values(), ids=NO_TOKENS)
async def test_who_shows_no_token_is_told_to(standing: Scene, header: bytes | None) -> None:
    for ask in (_read, _write):
        answer = await assert_refused(ask(standing, header), 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="coalition"'


@pytest.mark.parametrize("header", NOT_TOKENS.values(), ids=NOT_TOKENS)
async def test_what_is_no_token_opens_nothing(standing: Scene, header: str) -> None:
    await _refuse(standing, header.encode())


@pytest.mark.parametrize("head", CHANGED_HEADS.values(), ids=CHANGED_HEADS)
async def test_a_token_of_another_kind_opens_nothing(
    standing: Scene, key: SigningKey, head: Claims
) -> None:
    await _refuse(standing, f"Bearer {_signed(standing, key, head, {})}".encode())


@pytest.mark.parametrize("body", CHANGED_CLAIMS.values(), ids=CHANGED_CLAIMS)
async def test_a_token_with_other_claims_opens_nothing(
    standing: Scene, key: SigningKey, body: Claims
) -> None:
    await _refuse(standing, f"Bearer {_signed(standing, key, {}, body)}".encode())


async def test_another_key_of_the_same_name_opens_nothing(standing: Scene, key: SigningKey) -> None:
    stranger = SigningKey(key.kid, Ed25519PrivateKey.generate())
    await _refuse(standing, f"Bearer {_signed(standing, stranger, {}, {})}".encode())


def _without_signature(good: str, _: SigningKey) -> str:
    return good.rpartition(".")[0] + "."


def _cut(good: str, _: SigningKey) -> str:
    return good[:-1]


def _with_more(good: str, _: SigningKey) -> str:
    return good + ".e30"


def _with_another_partner(good: str, _: SigningKey) -> str:
    head, body, signature = good.split(".")
    changed = json.loads(_decoded(body)) | {"partner_no": 2}
    return f"{head}.{encoded(json.dumps(changed).encode())}.{signature}"


def _signed_by_the_public_key(good: str, key: SigningKey) -> str:
    """Return the token as HMAC with the published key as its secret (CVE-2015-9235)."""
    body = good.split(".")[1]
    head = encoded(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": key.kid}).encode())
    secret = key.private_key.public_key().public_bytes_raw()
    tag = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{encoded(tag)}"


@pytest.mark.parametrize(
    "forge",
    [_without_signature, _cut, _with_more, _with_another_partner, _signed_by_the_public_key],
)
async def test_a_token_that_was_tampered_with_opens_nothing(
    standing: Scene, key: SigningKey, forge: Callable[[str, SigningKey], str]
) -> None:
    await _refuse(standing, f"Bearer {forge(standing.grocer.token, key)}".encode())


async def test_two_authorizations_are_refused(standing: Scene) -> None:
    headers = [
        ("authorization", f"Bearer {shop.token}") for shop in (standing.grocer, standing.fuel)
    ]
    sending = standing.http.get(f"/v1/members/{standing.member}/balance", headers=headers)
    await assert_refused(sending, 400, "malformed")


async def test_a_token_in_the_address_is_no_token(standing: Scene) -> None:
    address = f"/v1/members/{standing.member}/balance?access_token={standing.grocer.token}"
    await assert_refused(standing.http.get(address), 401, "unauthenticated")


async def test_a_token_ends_after_fifteen_minutes_also_when_it_is_known(standing: Scene) -> None:
    header = f"Bearer {standing.grocer.token}".encode()
    assert (await _read(standing, header)).status_code == 200
    standing.clock.advance(timedelta(minutes=15))
    try:
        await _refuse(standing, header)
    finally:
        standing.clock.advance(timedelta(minutes=-15))


async def _refuse(standing: Scene, header: bytes) -> None:
    for ask in (_read, _write):
        answer = await assert_refused(ask(standing, header), 401, "invalid_token")
        assert answer.headers["www-authenticate"].endswith('error="invalid_token"')


async def _read(standing: Scene, header: bytes | None) -> httpx.Response:
    headers = [] if header is None else [(b"authorization", header)]
    return await standing.http.get(f"/v1/members/{standing.member}/balance", headers=headers)


async def _write(standing: Scene, header: bytes | None) -> httpx.Response:
    headers = [] if header is None else [(b"authorization", header)]
    headers.append((b"idempotency-key", b"stranger"))
    body = standing.grocer.payment(standing.member, 5)
    return await standing.http.post("/v1/points/issue", json=body, headers=headers)


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
