"""Entitlement tokens: checked offline by our published keys, and never taken for another kind."""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import msgspec
import pytest

from billing.benefits import held_now, tokens
from billing.benefits.tokens import EntitlementClaims, InvalidEntitlement, Signer
from coalition.access import freshness
from coalition.access.sign_in import claims_of
from coalition.access.signing import base64url
from coalition.access.signing_keys import active_signing_key, ensure_signing_key
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.identity import InvalidToken, TokenVerifier, audience_of
from coalition.kernel.ids import random_id
from tests.billing.benefits.world import (
    DOUBLE,
    EARLY,
    MONTHLY,
    SHIPPING,
    Club,
    day,
    make_club,
    plan,
)
from tests.structure import tree
from tests.support.http import ISSUER, SETTINGS

pytestmark = pytest.mark.usefixtures("database")

PARTNER = UUID(int=7)
HERE = {**SHIPPING, "partner": "Grocer", "uses_per_period": 3}


class Desk:
    """What signs and what verifies, of one service."""

    def __init__(self, club: Club, verifier: TokenVerifier) -> None:
        self.club = club
        self.verifier = verifier
        self.signer = Signer(issuer=ISSUER, master_key=SETTINGS.master_key)

    async def token(
        self, at: datetime, at_partner: int | None = None, card: str | None = None
    ) -> str | None:
        async with transaction() as connection:
            held = await held_now.read(
                connection,
                self.club.member,
                at_partner=at_partner or self.club.world.grocer,
                plans=self.club.plans,
                at=at,
            )
            assert held is not None
            return await self.signer.sign(connection, held, partner_id=PARTNER, card=card, at=at)

    def verify(self, token: str, at: datetime, partner: UUID = PARTNER) -> EntitlementClaims:
        keys = self.verifier.keys
        return tokens.verify(token, keys, issuer=ISSUER, partner_id=partner, at=at)


async def desk(at: datetime) -> Desk:
    club = await make_club(at, plan("plus", HERE, DOUBLE, EARLY, MONTHLY))
    await ensure_signing_key(master_key=SETTINGS.master_key, at=at)
    verifier = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(verifier, at)
    return Desk(club, verifier)


async def test_a_till_checks_a_token_without_asking_until_it_ends(at: datetime) -> None:
    till = await desk(at)
    await till.club.apply(till.club.entitled(day(1), day(1, 12)), at=at)
    token = await till.token(at + timedelta(minutes=7))
    assert token is not None
    later = at + timedelta(hours=3, minutes=59)
    claims = till.verify(token, later)
    assert len(claims.jti) == 32
    assert msgspec.structs.replace(claims, jti="") == EntitlementClaims(
        iss=ISSUER,
        aud=f"partner:{PARTNER}",
        sub=till.club.member,
        iat=int(at.timestamp()),
        exp=int((at + timedelta(hours=4)).timestamp()),
        plan="plus",
        flags=("early-access",),
        benefits=("shipping", "double", "early"),
        remaining={"shipping": 3},
        card="",
    )
    for partner, moment in ((PARTNER, at + timedelta(hours=4)), (UUID(int=8), later)):
        with pytest.raises(InvalidEntitlement):
            till.verify(token, moment, partner)
    # Any library of JSON Web Tokens does it, as the partner's guide shows.
    key = next(iter(till.verifier.keys.values()))
    read = jwt.decode(
        token, key, ["EdDSA"], audience=f"partner:{PARTNER}", options={"verify_exp": False}
    )
    assert read["plan"] == "plus"


async def test_a_token_never_outlives_the_entitlement_and_is_signed_once_a_quarter(
    at: datetime,
) -> None:
    till = await desk(at)
    ends = at + timedelta(minutes=40)
    await till.club.apply(till.club.entitled(day(1), ends), at=at)
    token, again = await till.token(at), await till.token(at + timedelta(minutes=14))
    assert token is not None
    assert token == again != await till.token(at + timedelta(minutes=15))
    assert till.verify(token, at).exp == int(ends.timestamp())
    assert await till.token(ends) is None


async def test_another_partner_hears_of_its_own_benefits_only(at: datetime) -> None:
    till = await desk(at)
    await till.club.apply(till.club.entitled(day(1), day(1, 12)), at=at)
    token = await till.token(at, till.club.world.fuel)
    assert token is not None
    assert till.verify(token, at).benefits == ("double", "early")


async def test_neither_kind_of_token_passes_for_the_other(at: datetime) -> None:
    till = await desk(at)
    await till.club.apply(till.club.entitled(day(1), day(1, 12)), at=at)
    entitlement = await till.token(at)
    assert entitlement is not None
    with pytest.raises(InvalidToken):
        till.verifier.verify(entitlement, at)
    async with transaction() as connection:
        key = await active_signing_key(connection, master_key=SETTINGS.master_key, at=at)
    access = key.sign(claims_of(random_id(), issuer=ISSUER, at=at))
    with pytest.raises(InvalidEntitlement, match="type"):
        till.verify(access, at)


@pytest.mark.parametrize("what", ["garbage", "a.b.c", "", "é.é.é"])
async def test_what_is_no_token_is_refused(at: datetime, what: str) -> None:
    till = await desk(at)
    with pytest.raises(InvalidEntitlement):
        till.verify(what, at)


async def test_an_entitlement_signed_by_anybody_else_is_refused(at: datetime) -> None:
    till = await desk(at)
    await till.club.apply(till.club.entitled(day(1), day(1, 12)), at=at)
    token = await till.token(at)
    assert token is not None
    head, payload, signature = token.split(".")
    claims = msgspec.json.decode(jwt.utils.base64url_decode(payload))
    claims["plan"] = "premium"
    forged = urlsafe_b64encode(msgspec.json.encode(claims)).decode().rstrip("=")
    with pytest.raises(InvalidEntitlement):
        till.verify(f"{head}.{forged}.{signature}", at)


async def test_what_the_guide_shows_to_developers_of_tills_works() -> None:
    guide = (tree.ROOT / "docs" / "guides" / "till.md").read_text("utf-8")
    [shown] = [
        block.partition("```")[0]
        for block in guide.split("```python\n")
        if "def entitlement(" in block.partition("```")[0]
    ]
    known: dict[str, Any] = {}
    exec(shown, known)  # noqa: S102 - the guide is ours
    at = SystemClock().now()
    till = await desk(at)
    await till.club.apply(
        till.club.entitled(at - timedelta(hours=1), at + timedelta(days=30)), at=at
    )
    token = await till.token(at, card="97520001")
    keys = {
        kid: {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "x": base64url(key.public_bytes_raw()),
        }
        for kid, key in till.verifier.keys.items()
    }
    claims = known["entitlement"](token, keys, ISSUER, str(PARTNER))
    assert (claims["plan"], claims["sub"]) == ("plus", str(till.club.member))
    # Whose it is a till knows by the card alone, however it is written.
    is_of = known["is_of"]
    assert is_of(claims, "9752 0001")
    assert not is_of(claims, "97520002")
    assert not is_of(known["entitlement"](await till.token(at), keys, ISSUER, str(PARTNER)), "")
    at_another = tokens.mark_of("97520001", random_id())
    assert at_another != claims["card"] == tokens.mark_of("97520001", PARTNER)
    with pytest.raises(jwt.InvalidAudienceError):
        known["entitlement"](token, keys, ISSUER, str(random_id()))
    async with transaction() as connection:
        key = await active_signing_key(connection, master_key=SETTINGS.master_key, at=at)
    access = key.sign(claims_of(random_id(), issuer=ISSUER, at=at))
    with pytest.raises(jwt.InvalidTokenError, match="another kind"):
        known["entitlement"](access, keys, ISSUER, str(PARTNER))
