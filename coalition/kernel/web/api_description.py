"""The OpenAPI 3.1 document: Litestar's for typed handlers, joined by that of the hot endpoints.

Those describe themselves from their Structs. Every operation documents its problem answers.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Litestar
from litestar.routes import ASGIRoute

from coalition.kernel.errors import (
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Refused,
    TooLarge,
    Unauthenticated,
)
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.web.hot import (
    HEADER_MOST,
    OPERATIONS,
    HotEndpoint,
    IdempotencyKeyMissing,
)
from coalition.kernel.web.problem import MEDIA_TYPE, FieldError, Problem, UnsupportedMedia

SECURITY_SCHEME = "oauth2"
MEMBER_SECURITY = "member"
"""The name of the scheme by which members come in."""

# Any: parts of a JSON document.
Part = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_MEDIA_TYPES = ("application/json", "application/vnd.msgpack")
_TYPES_OF_PATH: Mapping[type, Part] = {
    UUID: {"type": "string", "format": "uuid"},
    int: {"type": "integer"},
    str: {"type": "string", "minLength": 1},
}


def complete(document: Part, app: Litestar) -> Part:
    """Add to Litestar's `document` the hot endpoints of `app` and everybody's problem answers."""
    routes = [(path, parameters, endpoint) for path, parameters, endpoint in _hot_endpoints(app)]
    schemas = _schemas([endpoint for _, _, endpoint in routes])
    for operation in _operations(document):
        _answer_problems(operation)
    paths: dict[str, Part] = document.setdefault("paths", {})
    for path, parameters, endpoint in routes:
        described = _describe(path, parameters, endpoint, schemas.references)
        paths.setdefault(path, {})[endpoint.method.lower()] = described
    components: Part = document.setdefault("components", {}).setdefault("schemas", {})
    components.pop("Problem", None)  # of a typed handler: without the errors that it may have
    for name, schema in schemas.components.items():
        known = components.get(name, schema)
        assert set(known.get("properties", ())) == set(schema.get("properties", ())), (
            f"two different structs are called {name}"
        )
        components[name] = schema
    document["paths"] = dict(sorted(paths.items()))
    return document


def _hot_endpoints(app: Litestar) -> Iterable[tuple[str, Mapping[str, type], HotEndpoint]]:
    for route in app.routes:
        if isinstance(route, ASGIRoute):
            parameters = {name: given.type for name, given in route.path_parameters.items()}
            for endpoint in route.route_handler.opt.get(OPERATIONS, ()):
                yield route.path_format, parameters, endpoint


class _Schemas(msgspec.Struct):
    references: dict[type, Part]
    components: dict[str, Part]


def _schemas(endpoints: Iterable[HotEndpoint]) -> _Schemas:
    """Return the schema of every Struct of `endpoints`, made at once so that names are unique."""
    types: dict[type, None] = {Problem: None, FieldError: None}
    for endpoint in endpoints:
        types |= dict.fromkeys(endpoint.answers.values())
        types |= {given: None for given in (endpoint.body, endpoint.query) if given is not None}
    references, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    problem = components["Problem"]
    problem["properties"]["errors"] = {
        "type": "array",
        "items": {"$ref": _REFERENCE.format(name="FieldError")},
        "description": "What is wrong, field by field, where the refusal is about fields",
    }
    return _Schemas(dict(zip(types, references, strict=True)), components)


def _operations(document: Part) -> Iterable[Part]:
    for item in document.get("paths", {}).values():
        yield from (operation for operation in item.values() if isinstance(operation, dict))


def _answer_problems(operation: Part) -> None:
    """Replace what Litestar says of refusals by the shape that they have here."""
    answers: Part = operation.setdefault("responses", {})
    if _is_litestars_own(answers.get("400", {})):
        del answers["400"]
    refusals: list[type[Refused]] = []
    if operation.get("parameters") or "requestBody" in operation:
        refusals += [Malformed, Invalid]
    if "requestBody" in operation:
        refusals += [UnsupportedMedia, TooLarge]
    for status, answer in _problems(refusals).items():
        answers.setdefault(status, answer)


def _is_litestars_own(answer: Part) -> bool:
    """Tell a 400 that Litestar has made up from one that a handler describes itself."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema.get("description") == "Validation Exception")


def _problems(refusals: Iterable[type[Refused]]) -> Part:
    """Return the answers of `refusals` by status, and one for all others."""
    by_status: dict[int, dict[str, str]] = {}
    for refusal in refusals:
        meaning = (refusal.__doc__ or refusal.title).partition("\n")[0]
        by_status.setdefault(refusal.status, {})[refusal.code] = meaning
    answers = {
        str(status): _problem("; ".join(f"`{code}`: {text}" for code, text in codes.items()))
        for status, codes in sorted(by_status.items())
    }
    return answers | {"default": _problem("Any other refusal or failure")}


def _problem(description: str) -> Part:
    content = {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(name="Problem")}}}
    return {"description": description, "content": content}


def _refusals_of(endpoint: HotEndpoint, parameters: Mapping[str, type]) -> list[type[Refused]]:
    refusals: list[type[Refused]] = [Unauthenticated, Malformed]
    if endpoint.scope is not None:
        refusals.append(Forbidden)
    if parameters:
        refusals.append(NotFound)
    if endpoint.idempotent:
        refusals.append(IdempotencyKeyMissing)
    has_body = endpoint.body is not None or endpoint.uploads
    if has_body:
        refusals += [UnsupportedMedia, TooLarge]
    if has_body or endpoint.query is not None:
        refusals.append(Invalid)
    return refusals + list(endpoint.refusals)


def _describe(
    path: str,
    parameters: Mapping[str, type],
    endpoint: HotEndpoint,
    references: Mapping[type, Part],
) -> Part:
    """Return the operation object (OpenAPI 3.1 section 4.8.10) of `endpoint`."""
    words = [word.strip("{}") for word in path.split("/") if word]
    described: Part = {
        "summary": endpoint.summary,
        "operationId": "_".join([endpoint.method.lower(), *words]),
        "tags": list(endpoint.tags),
        "parameters": [*_parameters_of(endpoint, parameters)],
        "security": [_security(scope) for scope in endpoint.scopes] or [{SECURITY_SCHEME: []}],
        "responses": {
            str(status): {
                "description": HTTPStatus(status).phrase,
                "headers": {
                    name: {"description": meaning, "schema": {"type": "string"}}
                    for name, meaning in endpoint.answer_headers.items()
                },
                "content": {
                    media: {"schema": references[answer]}
                    for media in endpoint.answer_media.get(status, _MEDIA_TYPES)
                },
            }
            for status, answer in endpoint.answers.items()
        }
        | _problems(_refusals_of(endpoint, parameters)),
    }
    if endpoint.description is not None:
        described["description"] = endpoint.description
    if endpoint.body is not None:
        content = {media: {"schema": references[endpoint.body]} for media in _MEDIA_TYPES}
        described["requestBody"] = {"required": True, "content": content}
    if endpoint.uploads:
        upload = {media: {"schema": {"type": "string"}} for media in endpoint.uploads}
        described["requestBody"] = {"required": True, "content": upload}
    return described


def _security(scope: str) -> Part:
    return {MEMBER_SECURITY: []} if scope == MEMBER_SCOPE else {SECURITY_SCHEME: [scope]}


def _parameters_of(endpoint: HotEndpoint, parameters: Mapping[str, type]) -> Iterable[Part]:
    for name, kind in parameters.items():
        yield {"name": name, "in": "path", "required": True, "schema": _TYPES_OF_PATH[kind]}
    if endpoint.query is not None:
        schema, components = msgspec.json.schema_components([endpoint.query])
        described = components[schema[0]["$ref"].rpartition("/")[2]]
        for name, field in described["properties"].items():
            required = name in described.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": field}
    for name, meaning in endpoint.headers.items():
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "description": meaning,
            "schema": {"type": "string", "maxLength": HEADER_MOST, "pattern": "^[ -~]*$"},
        }
    if endpoint.idempotent:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": True,
            "description": "The same key with the same body gets the first answer again",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": "^[!-~]([ -~]*[!-~])?$",
            },
        }
