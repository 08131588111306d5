"""How the API's document describes the forms of the token endpoints, which are read by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
)

from coalition.access.assertions import ASSERTION_TYPE
from coalition.access.form import FORM_MEDIA_TYPE, VALUE_MAX
from coalition.access.tokens import CLIENT_CREDENTIALS

Properties = dict[str, Reference | Schema]

_TEXT = Schema(type=OpenAPIType.STRING, pattern="^[ -~]*$", max_length=VALUE_MAX)
_CREDENTIALS: Properties = {
    "client_id": _TEXT,
    "client_secret": _TEXT,
    "client_assertion": _TEXT,
    "client_assertion_type": Schema(type=OpenAPIType.STRING, enum=[ASSERTION_TYPE]),
}


def _without(*names: str) -> Schema:
    return Schema(schema_not=Schema(any_of=[Schema(required=[name]) for name in names]))


_ONE_WAY = [
    Schema(
        title="client_secret_basic",
        description="The secret comes in the Authorization header",
        all_of=[_without("client_secret", "client_assertion", "client_assertion_type")],
    ),
    Schema(
        title="client_secret_post",
        required=["client_id", "client_secret"],
        all_of=[_without("client_assertion", "client_assertion_type")],
    ),
    Schema(
        title="private_key_jwt",
        required=["client_assertion", "client_assertion_type"],
        all_of=[_without("client_secret")],
    ),
]


def _form(own: Properties, *, required: str, says: str) -> RequestBody:
    schema = Schema(
        type=OpenAPIType.OBJECT,
        properties=own | _CREDENTIALS,
        # Unknown parameters do not matter, but none may come twice, as a list would.
        additional_properties=Schema(type=OpenAPIType.STRING),
        required=[required],
        one_of=_ONE_WAY,
    )
    content = {FORM_MEDIA_TYPE: OpenAPIMediaType(schema=schema)}
    return RequestBody(content=content, description=says, required=True)


@dataclass
class TokenOperation(Operation):
    """The operation that gives a token."""

    def __post_init__(self) -> None:
        """Describe the form of RFC 6749 section 4.4.2."""
        own: Properties = {
            "grant_type": Schema(type=OpenAPIType.STRING, enum=[CLIENT_CREDENTIALS]),
            "scope": Schema(
                type=OpenAPIType.STRING,
                pattern="^[ -~]*$",
                max_length=VALUE_MAX,
                description="Scopes with spaces between; left out: all that the client holds",
            ),
        }
        self.request_body = _form(own, required="grant_type", says="Who asks, for which scopes")


@dataclass
class RevocationOperation(Operation):
    """The operation that takes a token back."""

    def __post_init__(self) -> None:
        """Describe the form of RFC 7009 section 2.1."""
        own: Properties = {
            "token": Schema(
                type=OpenAPIType.STRING, pattern="^[ -~]+$", min_length=1, max_length=VALUE_MAX
            ),
            "token_type_hint": Schema(type=OpenAPIType.STRING),
        }
        self.request_body = _form(own, required="token", says="Who gives which token back")
