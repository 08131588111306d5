"""The form of the token endpoint: parameters read strictly, and the one credential among them.

RFC 6749 sections 2.3 and 3.2: parameters come once, an empty one counts as left out, and a client
uses one way to prove itself. Raises `InvalidRequest` or `InvalidClient`, whatever the bytes.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote_plus

from coalition.access.assertions import ASSERTION_TYPE
from coalition.access.credentials import AssertionCredential, Credential, SecretCredential
from coalition.access.refusals import InvalidClient, InvalidRequest

FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
FORM_MAX_BYTES = 32_768
PARAMETERS_MAX = 30
VALUE_MAX = 8192

_KNOWN = frozenset(
    {
        *("grant_type", "scope", "token", "client_id", "client_secret"),
        *("client_assertion", "client_assertion_type"),
    }
)
_VISIBLE = re.compile(r"[ -~]+")  # VSCHAR and space of RFC 6749 appendix A
_ONE_WAY = "A client proves itself in one way: by Authorization, by client_secret or by assertion"


def read_form(body: bytes, content_type: str) -> Mapping[str, str]:
    """Return the known parameters of a form; what is not known does not matter."""
    if content_type.partition(";")[0].strip().lower() != FORM_MEDIA_TYPE:
        raise InvalidRequest(f"The body of this request is {FORM_MEDIA_TYPE}")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError as error:
        raise InvalidRequest("The body is no form of name=value pairs") from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidRequest("A parameter is given more than once")
    known = {name: value for name, value in pairs if name in _KNOWN and value}
    for name, value in known.items():
        if len(value) > VALUE_MAX or not _VISIBLE.fullmatch(value):
            raise InvalidRequest(f"{name} has at most {VALUE_MAX} characters of visible ASCII")
    return known


def credential_of(form: Mapping[str, str], authorization: Sequence[str]) -> Credential:
    """Return the client's credential from the form or its Authorization headers."""
    if any(given.partition(" ")[0].lower() != "basic" for given in authorization):
        raise InvalidClient("A client proves itself here by the scheme Basic, not by a token")
    is_asserted = "client_assertion" in form or "client_assertion_type" in form
    ways = [bool(authorization), "client_secret" in form, is_asserted]
    if sum(ways) > 1 or len(authorization) > 1:
        raise InvalidRequest(_ONE_WAY)
    if authorization:
        return _basic(authorization[0], form.get("client_id"))
    if is_asserted:
        if "client_assertion" not in form:
            raise InvalidClient("The client_assertion is missing")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise InvalidRequest(f"The client_assertion_type is {ASSERTION_TYPE}")
        return AssertionCredential(form["client_assertion"], form.get("client_id"))
    if "client_id" not in form or "client_secret" not in form:
        raise InvalidClient("The client must prove itself by a secret or a signed assertion")
    return SecretCredential(form["client_id"], form["client_secret"])


def _basic(authorization: str, client_id: str | None) -> SecretCredential:
    """Return what HTTP Basic says: both halves are form-encoded before (RFC 6749 section 2.3.1)."""
    encoded = authorization.partition(" ")[2].strip()
    try:
        pair = base64.b64decode(encoded, validate=True).decode("ascii")
        name, colon, secret = (unquote_plus(part, errors="strict") for part in pair.partition(":"))
    except ValueError as error:
        raise InvalidClient("The Authorization header cannot be read as Basic") from error
    if not (colon and _VISIBLE.fullmatch(name) and _VISIBLE.fullmatch(secret)):
        raise InvalidClient("The Authorization header holds no client_id and secret")
    if client_id not in {None, name}:
        raise InvalidClient("The client_id is not the one of the Authorization header")
    return SecretCredential(name, secret)
