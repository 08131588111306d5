"""A client learns by itself where tokens are, which keys verify them, and what is answered."""

from datetime import datetime
from typing import Any

import jwt
from litestar import Litestar

from coalition.access.api import ROUTES
from coalition.kernel.database import Engine
from tests.access.world import ISSUER, new_world


async def test_the_metadata_name_every_address_and_each_is_served(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    answer = await world.http.get("/.well-known/oauth-authorization-server")

    assert answer.status_code == 200
    told = answer.json()
    assert told["issuer"] == ISSUER
    assert told["grant_types_supported"] == ["client_credentials"]
    assert told["response_types_supported"] == []
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    assert told["token_endpoint_auth_methods_supported"] == methods
    assert (await world.http.get(told["jwks_uri"])).status_code == 200
    form = {"grant_type": "client_credentials"}
    answer = await world.http.post(told["token_endpoint"], data=form, headers=world.basic)
    given = {"token": answer.json()["access_token"]}
    answer = await world.http.post(told["revocation_endpoint"], data=given, headers=world.basic)
    assert answer.status_code == 200


async def test_a_stranger_verifies_a_token_by_the_published_keys(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)
    token = await world.token()

    published = await world.http.get("/.well-known/jwks.json")

    assert published.headers["cache-control"] == "public, max-age=300"
    [key] = jwt.PyJWKSet.from_dict(published.json()).keys
    assert key.key_id == jwt.get_unverified_header(token)["kid"]
    claims = jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        audience=f"{ISSUER}/v1",
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["client_no"] == world.client.client_no


async def test_the_published_keys_have_no_private_part(database: Engine, at: datetime) -> None:
    world = await new_world(at)

    answer = await world.http.get("/.well-known/jwks.json")

    [key] = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}


async def test_the_published_keys_need_no_database(database: Engine, at: datetime) -> None:
    world = await new_world(at)
    await database.close()

    assert (await world.http.get("/.well-known/jwks.json")).status_code == 200


async def test_other_methods_are_refused_with_the_right_ones(
    database: Engine, at: datetime
) -> None:
    world = await new_world(at)

    for path in ("/oauth/token", "/oauth/revoke"):
        answer = await world.http.get(path)
        assert answer.status_code == 405
        assert "POST" in answer.headers["allow"]


def test_the_description_names_every_answer_and_the_form() -> None:
    document: dict[str, Any] = Litestar(ROUTES, logging_config=None).openapi_schema.to_schema()

    for path, required in (("/oauth/token", "grant_type"), ("/oauth/revoke", "token")):
        operation = document["paths"][path]["post"]
        form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        assert form["required"] == [required]
        assert set(operation["responses"]) == {"200", "400", "401"}
        error = operation["responses"]["401"]["content"]["application/json"]["schema"]
        assert error["$ref"].endswith("TokenError")
