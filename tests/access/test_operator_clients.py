"""Clients of the operator: scopes of staff are theirs alone, and no client is on both sides."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from coalition.access import service
from coalition.access.migrations import m0007_scopes_of_memberships
from coalition.access.refusals import UnknownScope, WrongSide
from coalition.federation import service as federation
from coalition.federation import stores
from coalition.federation.refusals import UnknownPartner, UnknownStore
from coalition.kernel.database import Engine, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.identity import EVERY_SCOPE, OPERATOR, SCOPES, STAFF_SCOPES
from tests.access.world import (
    ACTOR,
    World,
    basic,
    logged_actions,
    new_client,
    new_world,
    part,
    refused,
)


async def new_operator_client(at: datetime, scopes: Sequence[str] = STAFF_SCOPES) -> dict[str, str]:
    """Make a client of the operator; return the header by which it proves itself."""
    made = await new_client(at, partner_no=OPERATOR, name="Finance", scopes=scopes)
    return basic(made.client_id, made.client_secret)


async def test_a_client_of_the_operator_gets_a_token_of_staff(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    answer = await world.ask(headers=await new_operator_client(at))

    assert answer.json()["scope"] == " ".join(STAFF_SCOPES)
    token = answer.json()["access_token"]
    claims = part(token, 1)
    assert claims["partner_no"] == 0
    assert "partner_id" not in claims
    caller = world.verifier.verify(token, at)
    assert (caller.partner_no, caller.partner_id, caller.store_no) == (OPERATOR, None, None)
    assert caller.scopes == set(STAFF_SCOPES)
    assert caller.actor == f"client:{caller.client_id}"


async def test_a_client_of_the_operator_asks_for_less_and_gets_no_more_than_it_holds(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    who = await new_operator_client(at, ["settlement:read", "settlement:prepare"])

    answer = await world.ask({"scope": "settlement:read"}, headers=who)
    assert answer.json()["scope"] == "settlement:read"
    for scope in ("settlement:approve", "settlement:read audit:read", "points:issue", "settlement"):
        refused(await world.ask({"scope": scope}, headers=who), status=400, error="invalid_scope")


@pytest.mark.parametrize("scope", STAFF_SCOPES)
async def test_a_partners_client_holds_no_scope_of_staff(
    database: Engine, at: datetime, scope: str
) -> None:
    world = await new_world(at)

    for scopes in ([scope], [*SCOPES, scope], [scope, "points:issue"], EVERY_SCOPE):
        with pytest.raises(WrongSide) as why:
            await new_client(at, partner_no=world.partner_no, scopes=scopes)
        assert why.value.facts == {"known": SCOPES}
    refused(await world.ask({"scope": scope}), status=400, error="invalid_scope")


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_client_of_the_operator_holds_no_scope_of_a_partners(
    database: Engine, at: datetime, scope: str
) -> None:
    await new_world(at)

    for scopes in ([scope], [*STAFF_SCOPES, scope], EVERY_SCOPE):
        with pytest.raises(WrongSide) as why:
            await new_operator_client(at, scopes)
        assert why.value.facts == {"known": STAFF_SCOPES}


async def test_a_client_of_the_operator_has_scopes_that_there_are_and_no_store(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    store = await stores.create_store(
        partner_no=world.partner_no, code="A1", name="Torget", actor=ACTOR, at=at
    )

    for scopes in ([], ["settlement:*"], ["settlement:read", "admin"]):
        with pytest.raises(UnknownScope) as why:
            await new_operator_client(at, scopes)
        assert why.value.facts == {"known": STAFF_SCOPES}
    with pytest.raises(UnknownStore):
        await new_client(at, partner_no=OPERATOR, scopes=STAFF_SCOPES, store_no=store.no)
    with pytest.raises(UnknownPartner):
        await new_client(at, partner_no=-1)


async def _insert(partner_no: int, scopes: Sequence[str], store_no: int | None = None) -> None:
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO client (no, client_id, partner_no, name, scopes, store_no, state,"
            " created_at) VALUES (99, 'client_99', $1, 'x', $2, $3, 'active', now())",
            partner_no,
            list(scopes),
            store_no,
        )


@pytest.mark.parametrize(
    ("partner_no", "scopes"),
    [
        (0, ["points:issue"]),
        (0, [*STAFF_SCOPES, "points:issue"]),
        (0, ["everything"]),
        (1, ["settlement:read"]),
        (1, [*SCOPES, "audit:read"]),
    ],
)
async def test_the_database_itself_keeps_the_sides_apart(
    database: Engine, at: datetime, partner_no: int, scopes: list[str]
) -> None:
    await new_world(at)

    with pytest.raises(WrongSide):
        await _insert(partner_no, scopes)


async def test_the_database_itself_knows_partners_and_gives_the_operator_no_till(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    store = await stores.create_store(
        partner_no=world.partner_no, code="A1", name="Torget", actor=ACTOR, at=at
    )

    for partner_no in (99, -1):
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="belongs_to_a_partner"):
            await _insert(partner_no, SCOPES)
    with pytest.raises(asyncpg.CheckViolationError, match="the_operator_has_no_tills"):
        await _insert(OPERATOR, STAFF_SCOPES, store.no)


def test_the_constraint_names_every_scope_of_staff() -> None:
    text = m0007_scopes_of_memberships.SCOPES
    for scope in STAFF_SCOPES:
        assert text.count(f"'{scope}'") == 2
    assert sum(text.count(f":{word}'") for word in ("read", "prepare", "approve", "decide")) == 24


def test_no_scope_is_on_both_sides() -> None:
    assert set(SCOPES).isdisjoint(STAFF_SCOPES)
    assert (*SCOPES, *STAFF_SCOPES) == EVERY_SCOPE
    assert len(set(EVERY_SCOPE)) == len(EVERY_SCOPE)


async def test_no_partner_sees_a_client_of_the_operator(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    await new_operator_client(at)

    async with transaction(role="coalition_tenant", partner_no=world.partner_no) as connection:
        for table in ("client", "client_secret", "client_key"):
            seen = await connection.fetch(f"SELECT partner_no FROM {table}")
            assert {row["partner_no"] for row in seen} <= {world.partner_no}, table


async def test_a_suspended_partner_does_not_keep_the_operator_out(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    who = await new_operator_client(at)
    await federation.suspend_partner(
        partner_no=world.partner_no, reason="unpaid", actor=ACTOR, at=at
    )

    refused(await world.ask(), status=400, error="unauthorized_client")
    assert (await world.ask(headers=who)).status_code == 200


async def test_credentials_of_the_operators_clients_are_kept_and_revoked_like_all_others(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    made = await new_client(at, partner_no=OPERATOR, name="Finance", scopes=STAFF_SCOPES)
    further = await service.add_secret(made.client_id, actor=ACTOR, at=at)
    key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    await service.add_key(made.client_id, pem, actor=ACTOR, at=at)
    who = basic(made.client_id, further.client_secret)
    token = (await world.ask(headers=who)).json()["access_token"]

    await service.revoke_client(made.client_id, actor=ACTOR, at=at, verifier=world.verifier)

    refused(await world.ask(headers=who), status=401, error="invalid_client")
    with pytest.raises(Refused):
        world.verifier.verify(token, at)
    subject = f"client:{made.client_no}"
    assert [row[1] for row in await logged_actions() if row[2] == subject] == [
        "client.created",
        "client_secret.added",
        "client_key.added",
        "client.revoked",
    ]


async def test_the_metadata_name_the_scopes_of_both_sides(database: Engine, at: datetime) -> None:
    world: World = await new_world(at)

    told = (await world.http.get("/.well-known/oauth-authorization-server")).json()

    assert told["scopes_supported"] == list(EVERY_SCOPE)
