"""Whatever arrives as a token, also signed by us, is a caller or an invalid token."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.kernel.identity import InvalidToken, TokenVerifier
from tests.kernel.identity.forge import AUDIENCE, ISSUER, KEY, KID, claims, encoded, header, token

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def new_verifier() -> TokenVerifier:
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys={KID: KEY.public_key()})


def verify(text: str | bytes) -> None:
    with contextlib.suppress(InvalidToken):
        new_verifier().verify(text, AT)


@given(st.text() | st.binary() | st.from_regex(r"[\w=-]*\.[\w=-]*\.[\w=-]*", fullmatch=True))
def test_any_text_or_bytes(text: str | bytes) -> None:
    verify(text)


@given(st.dictionaries(st.sampled_from(sorted(claims(AT))), JSON, min_size=1, max_size=3))
def test_any_claims_under_a_good_signature(changes: dict[str, object]) -> None:
    verify(token(header(), claims(AT) | changes))


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jku"]), JSON))
def test_any_header_over_good_claims(changes: dict[str, object]) -> None:
    verify(token(header() | changes, claims(AT)))


@pytest.mark.parametrize("depth", [100, 900, 1400])
def test_nested_json_is_refused_at_every_depth(depth: int) -> None:
    deep = ("[" * depth + "]" * depth).encode()
    head = b'{"alg":"EdDSA","typ":"at+jwt","kid":"key-1"'
    body = json.dumps(claims(AT)).encode()[:-1]
    good_head, good_body = encoded(head + b"}"), encoded(body + b"}")
    deep_head, deep_body = encoded(head + b',"x":' + deep + b"}"), encoded(body + b',"x":' + deep)

    for signed in (f"{deep_head}.{good_body}", f"{good_head}.{deep_body}"):
        with pytest.raises(InvalidToken):
            new_verifier().verify(f"{signed}.{encoded(KEY.sign(signed.encode()))}", AT)
