"""Tokens of members: a side of their own, which no token shares with another."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from coalition.kernel.identity import InvalidToken, TokenVerifier
from tests.kernel.identity.forge import AUDIENCE, ISSUER, KEY, KID, PARTNER_ID, header, token

MEMBER = UUID("0d9b8a7c-6e5f-4c0e-9d0b-6a1f6f0e6d0a")


def claims(at: datetime, **changes: object) -> dict[str, Any]:
    """Return the claims of a good token of a member issued at `at`, changed."""
    good = {
        "iss": ISSUER,
        "sub": str(MEMBER),
        "client_id": "member",
        "aud": AUDIENCE,
        "iat": int(at.timestamp()),
        "exp": int((at + timedelta(minutes=15)).timestamp()),
        "jti": "token-1",
        "scope": "member",
        "client_no": 0,
        "partner_no": -1,
        "member_id": str(MEMBER),
        "auth_time": int(at.timestamp()),
    } | changes
    return {name: value for name, value in good.items() if value is not ...}


def new_verifier() -> TokenVerifier:
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys={KID: KEY.public_key()})


def test_a_good_token_names_the_member_and_no_partner(at: datetime) -> None:
    caller = new_verifier().verify(token(header(), claims(at)), at)

    assert caller.member_id == MEMBER
    assert caller.authenticated_at == at
    assert (caller.partner_no, caller.partner_id, caller.store_no) == (-1, None, None)
    assert caller.scopes == {"member"}
    assert caller.actor == f"member:{MEMBER}"


@pytest.mark.parametrize(
    "changes",
    [
        {"member_id": ...},
        {"member_id": None},
        {"member_id": str(PARTNER_ID)},
        {"member_id": 5},
        {"sub": "member"},
        {"auth_time": ...},
        {"auth_time": -1},
        {"auth_time": 4_000_000_000},
        {"auth_time": "now"},
        {"partner_no": 0},
        {"partner_no": 3},
        {"partner_no": -2},
        {"partner_no": 3, "partner_id": str(PARTNER_ID)},
        {"partner_id": str(PARTNER_ID)},
        {"store_no": 1},
        {"client_no": 7},
        {"client_id": "client_till"},
        {"scope": ""},
        {"scope": "points:issue"},
        {"scope": "member points:issue"},
        {"scope": "member settlement:read"},
        {"scope": "member member"},
    ],
    ids=str,
)
def test_a_token_that_is_a_members_and_anothers_is_refused(
    at: datetime, changes: dict[str, object]
) -> None:
    with pytest.raises(InvalidToken):
        new_verifier().verify(token(header(), claims(at, **changes)), at)


@pytest.mark.parametrize(
    "changes",
    [{"scope": "member"}, {"scope": "points:issue member"}, {"auth_time": 1}],
    ids=str,
)
@pytest.mark.parametrize("partner", [3, 0], ids=["partner", "operator"])
def test_a_client_is_no_member(at: datetime, changes: dict[str, object], partner: int) -> None:
    good: dict[str, object] = {
        "sub": "client_till",
        "client_id": "client_till",
        "client_no": 7,
        "partner_no": partner,
        "partner_id": str(PARTNER_ID) if partner else ...,
        "member_id": ...,
        "auth_time": ...,
        "scope": "points:issue" if partner else "audit:read",
    }
    new_verifier().verify(token(header(), claims(at, **good)), at)

    with pytest.raises(InvalidToken):
        new_verifier().verify(token(header(), claims(at, **good | changes)), at)
