"""The API's document as schemathesis reads it, and what holds an answer against it."""

import asyncio
import copy
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import httpx
import msgspec
import requests
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.deserialization import DeserializationContext
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.schemas import OpenApiSchema
from schemathesis.transport import SerializationContext

from server.app import create_service
from tests.journeys.world import Scene
from tests.support.http import ISSUER, SETTINGS

MSGPACK = "application/vnd.msgpack"
BODIES_OF_BATCHES = ("application/x-ndjson", "text/csv")
NO_MSGPACK = b"\xc1"
"""A byte that MessagePack never uses."""

Operation = APIOperation[Any, Any, Any, Any]  # Any: schemathesis' own kinds of parameters

_CONFIG: Mapping[str, Any] = {  # Any: a JSON object
    "generation": {"max-examples": 10, "deterministic": True, "database": "none"},
    "phases": {"stateful": {"enabled": False}},
    "checks": {
        # JSON Schema counts 275.0 among the integers; here it is refused.
        "positive_data_acceptance": {"enabled": False},
        # It would send again by itself and over a network; nobody's requests have their own test.
        "ignored_auth": {"enabled": False},
    },
    "operations": [
        # Each line of a batch has its own answer, also one that is no line at all.
        {
            "include-name": "POST /v1/batches",
            "checks": {"negative_data_rejection": {"enabled": False}},
        }
    ],
}


@schemathesis.serializer(MSGPACK, *BODIES_OF_BATCHES)
def _write(context: SerializationContext, value: object) -> bytes:
    """Write a generated body; that of a batch is a text already."""
    del context
    if isinstance(value, str):
        return value.encode(errors="replace")
    try:
        return value if isinstance(value, bytes) else msgspec.msgpack.encode(value)
    except OverflowError:  # MessagePack has no such number
        return NO_MSGPACK


@schemathesis.deserializer(MSGPACK)
def _read(context: DeserializationContext, response: Response) -> object:
    """Read an answer."""
    del context
    return msgspec.msgpack.decode(response.content)


@schemathesis.deserializer(BODIES_OF_BATCHES[0])
def _read_lines(context: DeserializationContext, response: Response) -> object:
    """Read the first line: the document describes one of them."""
    del context
    first = response.content.partition(b"\n")[0]
    return json.loads(first) if first else {"line": 0, "status": 0}


@cache
def document() -> dict[str, Any]:  # Any: a JSON object
    """Return the API's document, which needs no database."""

    async def ask() -> dict[str, Any]:
        transport = httpx.ASGITransport(app=create_service(SETTINGS).application)
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            found: dict[str, Any] = (await http.get("/schema/openapi.json")).json()
            return found

    return asyncio.run(ask())


def schema() -> OpenApiSchema:
    """Return the document as schemathesis knows it."""
    config = SchemathesisConfig.from_dict(dict(_CONFIG))
    read = copy.deepcopy(document())
    # Of a bearer scheme it would leave out the token itself; nobody's requests have their own test.
    read["components"]["securitySchemes"]["member"] = {"type": "oauth2", "flows": {}}
    return schemathesis.openapi.from_dict(read, config=config)


def operations(of: OpenApiSchema) -> Iterator[Operation]:
    """Yield every operation."""
    for found in of.get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def is_members(operation: Operation) -> bool:
    """Tell whether an operation is for members who have signed in."""
    return any("member" in one for one in operation.definition.raw.get("security") or [])


def needs_a_club(operation: Operation) -> bool:
    """Tell whether an operation wants plans that are sold, and Stripe; tests/billing/doors asks it.

    Here there is neither, so that nothing but refusals would come of it.
    """
    path = operation.path
    return path.startswith(_OF_MEMBERSHIPS) and path not in {"/v1/membership", "/v1/plans"}


_OF_MEMBERSHIPS = (
    *("/v1/membership", "/v1/gifts", "/v1/withdrawals", "/v1/cancellations", "/v1/fees/{"),
    *("/v1/admin/plan", "/v1/admin/membership-", "/v1/admin/memberships/{"),
    *("/v1/admin/price-campaign", "/v1/admin/gifts", "/v1/admin/stripe"),
)


def whatever(operation: Operation, ask: Callable[[Case[Any]], None]) -> None:
    """Ask with everything that schemathesis makes up for an operation: at its edges, and at random.

    Its own `parametrize` makes all of that up while tests are collected, in each process anew.
    """
    load_all_checks()
    build_operation_test(
        config=operation.schema.config,
        operation=operation,
        test_func=ask,
        given_kwargs={},
        feedback=FeedbackSources(),
    )()


def send(
    runner: asyncio.Runner, served: Scene, case: Case[Any], token: str | None
) -> httpx.Response:
    """Send a generated request with `token`, if one is given, byte for byte as it was made up."""
    asked = case.as_transport_kwargs(base_url=ISSUER)
    named = {name: asked[name] for name in asked.keys() & _PARTS_OF_A_REQUEST}
    prepared = requests.Request(**named).prepare()
    headers = [(_bytes(name), _bytes(value)) for name, value in prepared.headers.items()]
    headers = [header for header in headers if header[0].lower() not in _SET_HERE]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    assert prepared.method is not None
    assert prepared.url is not None
    content = prepared.body or b""
    assert isinstance(content, bytes | str)
    sending = served.http.request(prepared.method, prepared.url, content=content, headers=headers)
    return runner.run(sending)


_PARTS_OF_A_REQUEST = {"method", "url", "headers", "params", "data", "json", "cookies", "files"}
_SET_HERE = {b"authorization", b"content-length"}


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def check(case: Case[Any], answer: httpx.Response) -> None:
    """Hold an answer against the document: status, code, media type, headers, shape."""
    case.validate_response(answer)
    if case.method.upper() == case.operation.method.upper():
        check_named(case.operation, answer)


def check_named(operation: Operation, answer: httpx.Response) -> None:
    """Demand that the document names the status, and a refusal's code under it.

    Each operation also documents a `default` answer, so the status alone would prove nothing.
    """
    answers = operation.definition.raw["responses"]
    status = str(answer.status_code)
    assert status in answers, f"{operation.label} does not name {status}: {answer.text}"
    if answer.headers.get("content-type") == "application/problem+json":
        code = answer.json()["code"]
        named = answers[status]["description"]
        assert f"`{code}`" in named, f"{operation.label} does not name {code} under {status}"
