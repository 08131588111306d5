"""Whatever bytes arrive, the answer is a credential or a refusal in the words of RFC 6749."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coalition.access import assertions, client_keys, form
from coalition.access.refusals import InvalidClient, TokenRefused, UnusableKey
from coalition.access.signing import base64url

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = st.sampled_from(
    ["grant_type", "scope", "token", "client_id", "client_secret", "client_assertion", "x"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]), JSON)
HEADERS = st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64"]), JSON)


def prove(text: str) -> None:
    assertions.prove(assertions.read(text), [], audiences=["https://points.example"], at=AT)


@given(
    body=st.binary(max_size=200)
    | st.lists(st.tuples(NAMES, st.text())).map(
        lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode(
            "utf-8", "replace"
        )
    )
)
@example(body=b"a=1;b=2")
@example(body=b"=&=")
@example(body=b"grant_type=%")
@example(body=b"grant_type=%ED%A0%80")
def test_any_body_is_a_form_or_refused(body: bytes) -> None:
    with contextlib.suppress(TokenRefused):
        known = form.read_form(body, form.FORM_MEDIA_TYPE)
        assert all(value.isascii() and value.isprintable() for value in known.values())


@given(authorization=st.lists(st.text(st.characters(max_codepoint=255)), max_size=2))
@example(authorization=["Basic " + base64url(b"a:b")])
@example(authorization=["Basic Og=="])
def test_any_authorization_is_a_credential_or_refused(authorization: list[str]) -> None:
    with contextlib.suppress(TokenRefused):
        form.credential_of({}, authorization)


@given(header=HEADERS, body=CLAIMS)
def test_any_assertion_is_refused_without_its_key(
    header: dict[str, object], body: dict[str, object]
) -> None:
    parts = [base64url(json.dumps(part).encode()) for part in (header, body)]
    with pytest.raises(InvalidClient):
        prove(".".join([*parts, "AAAA"]))


@pytest.mark.parametrize("depth", [100, 900, 2000])
def test_nested_json_is_refused_at_every_depth(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    good = '{"iss":"a","sub":"a","aud":"a","exp":1,"jti":"a"'
    for header, body in (
        (f'{{"alg":"EdDSA","crit":{deep}}}', good + "}"),
        ('{"alg":"EdDSA"}', f'{good},"x":{deep}}}'),
        ('{"alg":"EdDSA"}', f'{good},"x":{deep}'),
    ):
        with pytest.raises(InvalidClient):
            prove(f"{base64url(header.encode())}.{base64url(body.encode())}.AAAA")
    with pytest.raises(UnusableKey):
        client_keys.read_public_key(f'{{"kty":{deep}}}')


@pytest.mark.parametrize("text", ["", "é.é.é", "\ud800", "\x00", "a" * 9000])
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidClient):
        prove(text)


@pytest.mark.parametrize("extra", ['"b64":true', '"crit":["b64"],"b64":true', '"crit":["exp"]'])
def test_a_header_that_asks_for_more_is_refused(extra: str) -> None:
    body = base64url(b'{"iss":"a","sub":"a","aud":"a","exp":1,"jti":"a"}')
    header = base64url(f'{{"alg":"EdDSA",{extra}}}'.encode())

    with pytest.raises(InvalidClient):
        prove(f"{header}.{body}.AAAA")


@given(text=st.text() | st.text().map(lambda text: "-----BEGIN PUBLIC KEY-----\n" + text))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with contextlib.suppress(UnusableKey):
        client_keys.read_public_key(text)


@given(
    jwk=st.fixed_dictionaries(
        {"kty": st.sampled_from(["OKP", "EC", "RSA"])},
        optional={
            "crv": st.sampled_from(["Ed25519", "P-256"]),
            "x": JSON,
            "y": JSON,
            "n": JSON,
            "e": JSON,
            "kid": JSON,
            "alg": JSON,
            "use": JSON,
        },
    )
)
def test_any_jwk_is_a_key_or_refused(jwk: dict[str, object]) -> None:
    with contextlib.suppress(UnusableKey):
        client_keys.read_public_key(json.dumps(jwk))
