"""A token opens what its scopes name and nothing else, at every operation of the document."""

import pytest

from coalition.kernel.identity import EVERY_SCOPE, SCOPES, STAFF_SCOPES
from coalition.kernel.ids import random_id
from tests.journeys import documented
from tests.journeys.documented import Operation
from tests.journeys.world import Scene, assert_refused
from tests.support.http import open_desk, token_of

NAMED = (
    *("approval_id", "statement_id", "cycle_id", "transfer_id", "group_id", "invitation_id"),
    *("act_id", "fee_id", "checkout_id", "withdrawal_id", "message_id"),
)
OPERATIONS = [*documented.operations(documented.schema())]


def needed(operation: Operation) -> set[str]:
    """Return the scopes of which the document says that a token must hold one."""
    alternatives = operation.definition.raw.get("security") or []
    return {scope for one in alternatives for scopes in one.values() for scope in scopes}


OF_MEMBERS = {one.label: one for one in OPERATIONS if documented.is_members(one)}
SECURED = {operation.label: operation for operation in OPERATIONS if needed(operation)}


def test_an_operation_is_for_partners_or_for_staff_as_its_address_says() -> None:
    for operation in SECURED.values():
        side = STAFF_SCOPES if operation.path.startswith("/v1/admin/") else SCOPES
        assert needed(operation) <= set(side), operation.label


def test_only_what_is_meant_for_everybody_is_open() -> None:
    closed = SECURED | OF_MEMBERS
    assert {one.path for one in OPERATIONS if one.label not in closed} == {
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/health/live",
        "/health/ready",
        "/oauth/revoke",
        "/oauth/token",
        "/v1/sign-in",
        "/v1/sign-in/password",
        "/v1/plans",
        "/v1/cancellations",
        "/v1/withdrawals",
        "/v1/withdrawals/{withdrawal_id}/confirm",
    }


@pytest.mark.parametrize("operation", OF_MEMBERS.values(), ids=OF_MEMBERS)
@pytest.mark.parametrize("side", ["partner", "staff"])
async def test_no_scope_of_a_client_opens_what_is_a_members(
    standing: Scene, operation: Operation, side: str
) -> None:
    client = standing.grocer if side == "partner" else standing.finance
    headers = client.headers | {"idempotency-key": "client", "content-type": "application/json"}
    sending = standing.http.request(
        operation.method.upper(), _address(standing, operation), headers=headers, content=b"{}"
    )
    await assert_refused(sending, 403, "forbidden")


@pytest.mark.parametrize("operation", SECURED.values(), ids=SECURED)
async def test_a_member_opens_nothing_of_clients(standing: Scene, operation: Operation) -> None:
    app = standing.app
    headers = app.headers | {"idempotency-key": "member", "content-type": "application/json"}
    await _assert_closed(standing, operation, headers)


@pytest.mark.parametrize("operation", SECURED.values(), ids=SECURED)
async def test_all_other_scopes_together_do_not_open_it(
    standing: Scene, operation: Operation
) -> None:
    others = " ".join(scope for scope in SCOPES if scope not in needed(operation))
    await _assert_closed(standing, operation, await _headers(standing, others))


@pytest.mark.parametrize("operation", SECURED.values(), ids=SECURED)
async def test_all_other_scopes_of_staff_do_not_open_it(
    standing: Scene, operation: Operation
) -> None:
    others = [scope for scope in STAFF_SCOPES if scope not in needed(operation)]
    desk = await open_desk(standing.http, standing.grocer.at, others)
    headers = desk.headers | {"idempotency-key": "narrow", "content-type": "application/json"}
    await _assert_closed(standing, operation, headers)


async def test_a_posting_is_reversed_by_the_scope_that_makes_its_kind(standing: Scene) -> None:
    address = f"/v1/postings/{standing.posting}/reverse"
    headers = await _headers(standing, "points:redeem")
    sending = standing.http.post(address, json={"points": 1}, headers=headers)
    answer = await assert_refused(sending, 403, "forbidden")
    assert answer.json()["scope"] == "points:issue"


async def test_a_token_is_given_no_scope_that_its_client_lacks(standing: Scene) -> None:
    client = standing.grocer.client
    for scope in ("admin", "points:issue admin", "points:*", "POINTS:ISSUE", "points:issue,admin"):
        form = {"grant_type": "client_credentials", "scope": scope}
        basic = (client.client_id, client.client_secret)
        answer = await standing.http.post("/oauth/token", data=form, auth=basic)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope"), scope


def _address(standing: Scene, operation: Operation) -> str:
    known = {name: str(random_id()) for name in NAMED} | {
        "member_id": standing.member,
        "posting_id": standing.posting,
        "hold_id": standing.hold,
        "batch_id": standing.batch,
        "name": "hilton",
        "no": "1",
    }
    return operation.path.format(**known)


async def _assert_closed(standing: Scene, operation: Operation, headers: dict[str, str]) -> None:
    sending = standing.http.request(
        operation.method.upper(),
        _address(standing, operation),
        headers=headers,
        content=b"{}",
    )
    answer = await assert_refused(sending, 403, "forbidden")
    named = answer.json()["scope"].split()
    assert sorted(named, key=EVERY_SCOPE.index) == [
        scope for scope in EVERY_SCOPE if scope in needed(operation)
    ]


async def _headers(standing: Scene, scope: str) -> dict[str, str]:
    token = await token_of(standing.grocer.client, standing.grocer.at, scope)
    return {
        "authorization": f"Bearer {token}",
        "idempotency-key": "narrow",
        "content-type": "application/json",
    }
