"""Every forgery is refused, a good token is understood, and a revoked one stops at once."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from coalition.kernel.identity import InvalidToken, TokenVerifier, verifier
from coalition.kernel.ids import random_id
from tests.kernel.identity.forge import (
    AUDIENCE,
    ISSUER,
    KEY,
    KID,
    PARTNER_ID,
    claims,
    encoded,
    header,
    token,
)

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
YEAR_S = 365 * 86_400


def new_verifier() -> TokenVerifier:
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys={KID: KEY.public_key()})


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {claim: value for claim, value in body.items() if claim != name}


def test_a_good_token_names_its_caller(at: datetime) -> None:
    caller = new_verifier().verify(token(header(), claims(at, store_no=12)), at)

    assert caller.client_no == 7
    assert caller.client_id == "client_till"
    assert caller.partner_no == 3
    assert caller.partner_id == PARTNER_ID
    assert caller.scopes == {"points:issue", "members:read"}
    assert caller.store_no == 12
    assert caller.expires_at == at + timedelta(minutes=15)
    assert caller.expires_at.tzinfo is UTC


def test_a_good_token_of_the_operator_names_no_partner(at: datetime) -> None:
    body = without(claims(at, partner_no=0, scope="settlement:read audit:read"), "partner_id")

    caller = new_verifier().verify(token(header(), body), at)

    assert (caller.partner_no, caller.partner_id) == (0, None)
    assert caller.scopes == {"settlement:read", "audit:read"}
    assert caller.actor == "client:client_till"


def test_a_good_token_is_understood_as_bytes_and_as_text(at: datetime) -> None:
    good = token(header(), claims(at))

    assert new_verifier().verify(good.encode(), at) == new_verifier().verify(good, at)


def test_claims_that_are_not_known_do_not_matter(at: datetime) -> None:
    assert new_verifier().verify(token(header(), claims(at, tomorrow="more")), at).client_no == 7


@pytest.mark.parametrize(
    "head",
    [
        header(typ="JWT"),
        header(typ="application/at+jwt"),
        header(typ=None),
        header(alg="ES256"),
        header(alg="none"),
        header(alg="eddsa"),
        header(kid="key-2"),
        header(kid=None),
        header(kid=["key-1"]),
        header(crit=["exp"]),
        header(b64=False, crit=["b64"]),
        header(jwk={"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
        header(jku="https://attacker.example/jwks.json"),
        {"alg": "EdDSA", "kid": KID},
        {"typ": "at+jwt", "kid": KID},
        {"alg": "EdDSA", "typ": "at+jwt"},
        [],
        "EdDSA",
    ],
    ids=json.dumps,
)
def test_a_wrong_header_is_refused(at: datetime, head: object) -> None:
    with pytest.raises(InvalidToken):
        new_verifier().verify(token(head, claims(at)), at)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://attacker.example"},
        {"iss": None},
        {"aud": "https://other.example"},
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "https://other.example"]},
        {"aud": None},
        {"sub": "client_other"},
        {"sub": 7},
        {"client_id": "client_other"},
        {"jti": ""},
        {"jti": 1},
        {"scope": ["points:issue"]},
        {"scope": None},
        {"client_no": "7"},
        {"client_no": 7.0},
        {"client_no": True},
        {"partner_no": None},
        {"partner_id": "3"},
        {"store_no": "12"},
        {"partner_id": None},
        {"partner_no": 0},
        {"partner_no": 0, "partner_id": None},
        {"partner_no": 0, "scope": "settlement:read"},
        {"partner_no": 0, "partner_id": None, "scope": "settlement:read points:issue"},
        {"partner_no": 0, "partner_id": None, "scope": "settlement:read", "store_no": 1},
        {"scope": "settlement:read"},
        {"scope": "points:issue members:read audit:read"},
        {"scope": "points:issue\tsettlement:approve"},
    ],
    ids=str,
)
def test_a_wrong_claim_is_refused(at: datetime, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidToken):
        new_verifier().verify(token(header(), claims(at, **changes)), at)


@pytest.mark.parametrize("name", sorted(claims(datetime(2026, 11, 21, tzinfo=UTC))))
def test_a_missing_claim_is_refused(at: datetime, name: str) -> None:
    with pytest.raises(InvalidToken):
        new_verifier().verify(token(header(), without(claims(at), name)), at)


@pytest.mark.parametrize(
    ("issued_s", "expires_s"),
    [
        (0, 10 * YEAR_S),
        (0, 901),
        (-900, 0),
        (-2000, -1100),
        (31, 900),
        (3600, 4000),
        (10, 10),
        (10, 5),
        (-10 * YEAR_S, 10),
        (0, 2**70),
        (-(2**70), 900),
    ],
)
def test_a_token_that_lives_too_long_or_not_now_is_refused(
    at: datetime, issued_s: int, expires_s: int
) -> None:
    now_s = int(at.timestamp())

    with pytest.raises(InvalidToken):
        new_verifier().verify(
            token(header(), claims(at, iat=now_s + issued_s, exp=now_s + expires_s)), at
        )


@pytest.mark.parametrize(
    "wrong", ["1795262400", 1795262400.5, 1e3, True, None, [], {}, -1], ids=str
)
@pytest.mark.parametrize("name", ["iat", "exp"])
def test_a_time_that_is_no_whole_number_is_refused(at: datetime, name: str, wrong: object) -> None:
    with pytest.raises(InvalidToken):
        new_verifier().verify(token(header(), claims(at, **{name: wrong})), at)


def test_a_token_holds_from_its_nbf_give_or_take_the_leeway(at: datetime) -> None:
    now_s = int(at.timestamp())

    good = token(header(), claims(at, nbf=now_s + 30))
    assert new_verifier().verify(good, at).client_no == 7
    with pytest.raises(InvalidToken, match="not valid yet"):
        new_verifier().verify(token(header(), claims(at, nbf=now_s + 31)), at)


def test_an_unsigned_token_is_refused(at: datetime) -> None:
    body = encoded(json.dumps(claims(at)).encode())
    for algorithm in ("none", "None", "EdDSA"):
        head = encoded(json.dumps(header(alg=algorithm)).encode())
        with pytest.raises(InvalidToken):
            new_verifier().verify(f"{head}.{body}.", at)


def test_the_public_key_used_as_an_hmac_secret_signs_nothing(at: datetime) -> None:
    public = KEY.public_key()
    for secret in (
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        signed = ".".join(
            encoded(json.dumps(part).encode()) for part in (header(alg="HS256"), claims(at))
        )
        signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        with pytest.raises(InvalidToken):
            new_verifier().verify(f"{signed}.{encoded(signature)}", at)


def test_a_token_signed_by_another_key_under_our_kid_is_refused(at: datetime) -> None:
    with pytest.raises(InvalidToken, match="signature"):
        new_verifier().verify(token(header(), claims(at), key=OTHER_KEY), at)


def test_a_tampered_token_is_refused(at: datetime) -> None:
    head, _, signature = token(header(), claims(at)).split(".")
    greedy = encoded(json.dumps(claims(at, scope="points:issue webhooks:manage")).encode())

    with pytest.raises(InvalidToken, match="signature"):
        new_verifier().verify(f"{head}.{greedy}.{signature}", at)


def test_every_changed_character_of_a_token_is_noticed(at: datetime) -> None:
    good = token(header(), claims(at))
    known = new_verifier()
    known.verify(good, at)

    for place, character in enumerate(good):
        forged = good[:place] + ("A" if character != "A" else "B") + good[place + 1 :]
        with pytest.raises(InvalidToken):
            known.verify(forged, at)


@pytest.mark.parametrize(
    "junk",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "bearer",
        "\x00",
        "é.ü.ß",
        "\ud800.\udfff.\ud800",
        "W10.W10.W10",
        "e30.e30.e30",
        b"\xff\xfe\xfd",
        b"\x00" * 100,
        "." * 4000,
        "[" * 4000,
        encoded(b"[" * 2900) + ".e30.e30",
        encoded(b'{"alg":"EdDSA","typ":"at+jwt","kid":"\xff"}') + ".e30.e30",
    ],
    ids=lambda junk: ascii(junk)[:40],
)
def test_junk_is_refused_and_nothing_breaks(at: datetime, junk: str | bytes) -> None:
    with pytest.raises(InvalidToken):
        new_verifier().verify(junk, at)


@pytest.mark.parametrize("body", ["[]", "1", "null", '"text"', "{", "\x00", "[" * 1000])
def test_a_signed_payload_that_is_no_object_is_refused(at: datetime, body: str) -> None:
    signed = f"{encoded(json.dumps(header()).encode())}.{encoded(body.encode())}"

    with pytest.raises(InvalidToken):
        new_verifier().verify(f"{signed}.{encoded(KEY.sign(signed.encode()))}", at)


def test_a_signed_payload_that_is_not_utf_8_is_refused(at: datetime) -> None:
    body = json.dumps(claims(at, jti="X")).encode().replace(b"X", b"\xff")
    signed = f"{encoded(json.dumps(header()).encode())}.{encoded(body)}"

    with pytest.raises(InvalidToken):
        new_verifier().verify(f"{signed}.{encoded(KEY.sign(signed.encode()))}", at)


def test_a_huge_token_is_refused_even_when_its_signature_is_good(at: datetime) -> None:
    huge = token(header(), claims(at, jti="x" * 5000))

    with pytest.raises(InvalidToken, match="4096 bytes"):
        new_verifier().verify(huge, at)


def test_a_remembered_token_still_expires(at: datetime) -> None:
    known = new_verifier()
    good = token(header(), claims(at))
    assert known.verify(good, at) is known.verify(good, at + timedelta(minutes=14, seconds=59))

    for _ in range(2):
        with pytest.raises(InvalidToken, match="expired"):
            known.verify(good, at + timedelta(minutes=15))


def test_a_token_of_a_revoked_client_stops_at_once_though_it_is_remembered(at: datetime) -> None:
    known = new_verifier()
    good, others = token(header(), claims(at)), token(header(), claims(at, client_no=8))
    known.verify(good, at)

    known.revoke_client(7, until=at + timedelta(minutes=16))

    with pytest.raises(InvalidToken, match="revoked"):
        known.verify(good, at)
    assert known.verify(others, at).client_no == 8


def test_a_revoked_token_stops_at_once_and_no_other_does(at: datetime) -> None:
    known = new_verifier()
    good, other = token(header(), claims(at)), token(header(), claims(at, jti="token-2"))
    known.verify(good, at)

    known.revoke_token(known.token_id(good, at), until=at + timedelta(minutes=16))

    with pytest.raises(InvalidToken, match="revoked"):
        known.verify(good, at)
    known.verify(other, at)


def test_tokens_of_an_earlier_password_stop_and_those_of_later_ones_do_not(at: datetime) -> None:
    known, login = new_verifier(), random_id()
    member = str(random_id())
    told: dict[str, object] = {"login_id": str(login), "member_id": member, "sub": member}
    told |= {"client_id": "member", "scope": "member", "client_no": 0, "partner_no": -1}
    told |= {"partner_id": None, "auth_time": int(at.timestamp())}
    first, second = (token(header(), claims(at, **told, password_no=no)) for no in (1, 2))
    known.verify(first, at)

    known.expect_password(login, 2, until=at + timedelta(minutes=16))
    known.expect_password(login, 1, until=at + timedelta(minutes=16))

    with pytest.raises(InvalidToken, match="password has changed"):
        known.verify(first, at)
    assert known.verify(second, at).login_id == login
    known.forget_ended(at + timedelta(minutes=16))
    known.verify(first, at)


def test_a_clients_token_that_names_a_login_is_refused(at: datetime) -> None:
    with pytest.raises(InvalidToken, match="names none"):
        new_verifier().verify(token(header(), claims(at, login_id=str(random_id()))), at)


def test_a_revocation_holds_until_the_tokens_have_ended_and_is_then_forgotten(at: datetime) -> None:
    known = new_verifier()
    known.revoke_client(7, until=at + timedelta(minutes=16))
    known.revoke_token("token-9", until=at + timedelta(minutes=5))

    known.forget_ended(at + timedelta(minutes=5))

    with pytest.raises(InvalidToken, match="revoked"):
        known.verify(token(header(), claims(at)), at)
    assert known.verify(token(header(), claims(at, client_no=8, jti="token-9")), at).client_no == 8


def test_a_key_trusted_no_longer_opens_nothing_though_its_token_is_remembered(at: datetime) -> None:
    known = new_verifier()
    good = token(header(), claims(at))
    known.verify(good, at)

    known.trust({KID: KEY.public_key(), "key-2": OTHER_KEY.public_key()})
    known.verify(good, at)
    known.verify(token(header(kid="key-2"), claims(at), key=OTHER_KEY), at)
    known.trust({"key-2": OTHER_KEY.public_key()})
    with pytest.raises(InvalidToken, match="trusted"):
        known.verify(good, at)


def test_a_kid_that_comes_to_mean_another_key_forgets_what_the_first_had_signed(
    at: datetime,
) -> None:
    known = new_verifier()
    good = token(header(), claims(at))
    known.verify(good, at)

    known.trust({KID: OTHER_KEY.public_key()})
    with pytest.raises(InvalidToken, match="signature"):
        known.verify(good, at)


def test_the_memory_of_tokens_is_bounded(at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "REMEMBERED_MAX", 4)
    known = new_verifier()
    soon = claims(at, exp=int(at.timestamp()) + 5)
    for number in range(3):
        known.verify(token(header(), soon | {"jti": f"soon-{number}"}), at)
    later = at + timedelta(seconds=10)
    for number in range(9):
        known.verify(token(header(), claims(at, jti=f"late-{number}")), later)
    assert known.remembered_count == 4


def test_a_refused_token_is_not_remembered(at: datetime) -> None:
    known = new_verifier()
    with pytest.raises(InvalidToken):
        known.verify(token(header(), claims(at), key=OTHER_KEY), at)
    assert known.remembered_count == 0
