"""The token endpoint gives what RFC 6749 and 9068 say, and refuses in their words."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.access import service
from coalition.federation import service as federation
from coalition.federation import stores
from coalition.kernel.database import Engine
from coalition.kernel.identity import SCOPES, InvalidToken
from tests.access.world import ACTOR, ISSUER, basic, new_client, new_world, part, refused


async def test_a_client_gets_a_token_by_basic(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    answer = await world.ask()

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 900
    assert body["scope"] == " ".join(SCOPES)
    caller = world.verifier.verify(body["access_token"], at)
    assert caller.client_no == world.client.client_no
    assert caller.client_id == world.client.client_id
    assert caller.partner_no == world.partner_no
    assert caller.partner_id == world.partner_id
    assert caller.scopes == set(SCOPES)
    assert caller.store_no is None
    assert caller.expires_at == at + timedelta(minutes=15)


async def test_a_token_has_the_shape_of_rfc_9068(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    one, other = await world.token(), await world.token()

    assert part(one, 0) == {"alg": "EdDSA", "typ": "at+jwt", "kid": next(iter(world.verifier.keys))}
    claims = part(one, 1)
    assert claims["iss"] == ISSUER
    assert claims["aud"] == f"{ISSUER}/v1"
    assert claims["sub"] == claims["client_id"] == world.client.client_id
    assert claims["exp"] - claims["iat"] == 900
    assert claims["iat"] == int(at.timestamp())
    assert claims["jti"] != part(other, 1)["jti"]
    assert UUID(claims["partner_id"]) == world.partner_id
    assert "store_no" not in claims


async def test_a_client_gets_a_token_by_post(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    answer = await world.ask(
        {
            "client_id": world.client.client_id,
            "client_secret": world.client.client_secret,
        },
        headers={},
    )

    assert answer.status_code == 200


async def test_a_till_key_is_bound_to_its_store(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    store = await stores.create_store(
        partner_no=world.partner_no, code="A1", name="Torget", actor=ACTOR, at=at
    )
    till = await new_client(at, partner_no=world.partner_no, store_no=store.no)

    answer = await world.ask(headers=basic(till.client_id, till.client_secret))

    assert world.verifier.verify(answer.json()["access_token"], at).store_no == store.no


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("members:read", "members:read"),
        ("members:read points:issue", "points:issue members:read"),
        ("members:read  members:read", "members:read"),
        ("", "points:issue points:redeem members:read"),
    ],
)
async def test_a_token_holds_the_scopes_asked_for_or_all(
    database: Engine, at: datetime, asked: str, given: str
) -> None:
    world = await new_world(at)
    client = await new_client(
        at,
        partner_no=world.partner_no,
        scopes=["points:redeem", "members:read", "points:issue"],
    )

    answer = await world.ask(
        headers=basic(client.client_id, client.client_secret), form={"scope": asked}
    )

    assert answer.json()["scope"] == given


SCOPES_NOT_HELD = [
    "batches:write",
    "members:read batches:write",
    "everything",
    "points",
    " ",
    "members:read,points:issue",
]


async def test_a_scope_that_the_client_does_not_hold_is_refused(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    client = await new_client(at, partner_no=world.partner_no, scopes=["members:read"])

    for scope in SCOPES_NOT_HELD:
        answer = await world.ask(
            headers=basic(client.client_id, client.client_secret), form={"scope": scope}
        )

        refused(answer, status=400, error="invalid_scope")


async def test_an_unknown_client_and_a_wrong_secret_get_the_same_answer(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    unknown = await world.ask(headers=basic("client_nobody", world.client.client_secret))
    wrong = await world.ask(headers=basic(world.client.client_id, "coalition_wrong"))

    refused(unknown, status=401, error="invalid_client")
    refused(wrong, status=401, error="invalid_client")
    assert unknown.content == wrong.content
    assert unknown.headers["www-authenticate"].startswith("Basic")


async def test_the_secret_of_another_client_opens_nothing(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    other = await new_client(at, partner_no=world.partner_no)

    answer = await world.ask(headers=basic(world.client.client_id, other.client_secret))

    refused(answer, status=401, error="invalid_client")


async def test_two_secrets_live_side_by_side_until_one_is_revoked(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    client_id = world.client.client_id
    new = await service.add_secret(client_id, actor=ACTOR, at=at)
    assert (await world.ask()).status_code == 200
    assert (await world.ask(headers=basic(client_id, new.client_secret))).status_code == 200

    await service.revoke_secret(client_id, new.id, actor=ACTOR, at=at)

    assert (await world.ask()).status_code == 200
    answer = await world.ask(headers=basic(client_id, new.client_secret))
    refused(answer, status=401, error="invalid_client")


async def test_a_secret_ends_at_its_expiry(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    new = await service.add_secret(
        world.client.client_id, actor=ACTOR, at=at, expires_at=at + timedelta(days=1)
    )
    headers = basic(world.client.client_id, new.client_secret)

    world.clock.advance(timedelta(days=1) - timedelta(seconds=1))
    assert (await world.ask(headers=headers)).status_code == 200
    world.clock.advance(timedelta(seconds=1))

    refused(await world.ask(headers=headers), status=401, error="invalid_client")


async def test_a_revoked_client_gets_no_token(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    await service.revoke_client(world.client.client_id, actor=ACTOR, at=at)

    refused(await world.ask(), status=401, error="invalid_client")


async def test_a_client_of_a_suspended_partner_gets_no_token(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    await federation.suspend_partner(
        partner_no=world.partner_no, reason="unpaid", actor=ACTOR, at=at
    )

    refused(await world.ask(), status=400, error="unauthorized_client")


OTHER_GRANTS = ["password", "authorization_code", "CLIENT_CREDENTIALS"]


async def test_another_grant_type_is_not_supported(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    for grant in OTHER_GRANTS:
        refused(await world.ask({"grant_type": grant}), status=400, error="unsupported_grant_type")


async def test_a_client_that_proves_itself_in_two_ways_is_refused(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    secret = world.client.client_secret

    for form in (
        {"client_id": world.client.client_id, "client_secret": secret},
        {"client_secret": secret},
        {"client_assertion": "a.b.c"},
    ):
        refused(await world.ask(form), status=400, error="invalid_request")
    both = await world.ask({"client_secret": secret, "client_assertion": "a.b.c"}, headers={})
    refused(both, status=400, error="invalid_request")


async def test_a_client_id_beside_basic_must_be_the_same(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    assert (await world.ask({"client_id": world.client.client_id})).status_code == 200
    refused(await world.ask({"client_id": "client_b"}), status=401, error="invalid_client")


async def test_without_a_credential_the_answer_says_how_to_prove_oneself(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    refused(await world.ask(headers={}), status=401, error="invalid_client")
    alone = await world.ask({"client_id": world.client.client_id}, headers={})
    refused(alone, status=401, error="invalid_client")
    nameless = await world.ask({"client_secret": world.client.client_secret}, headers={})
    refused(nameless, status=401, error="invalid_client")


async def test_a_token_ends_after_fifteen_minutes(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    token = await world.token()

    world.verifier.verify(token, at + timedelta(minutes=14, seconds=59))
    with pytest.raises(InvalidToken, match="expired"):
        world.verifier.verify(token, at + timedelta(minutes=15))


async def test_many_clients_ask_at_once(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    tokens = await asyncio.gather(*(world.token() for _ in range(20)))

    assert len(set(tokens)) == 20
