"""A till that knows nothing of us: Python's urllib, an address and a credential."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_OF_FAMILIES = (
    *(
        "/v1/admin/famil",
        "/v1/admin/guardians",
        "/v1/admin/transfer",
        "/v1/admin/relationships",
        "/v1/admin/rule-",
    ),
    *("/v1/families", "/v1/transfers", "/v1/invitations", "/v1/wards", "/v1/me/", "/v1/sign-"),
    *("/v1/family-acts", "/v1/relationships", "/v1/fees"),
)


class Answer(NamedTuple):
    """What came back; `body` is decoded where it is JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any  # Any: a JSON document, or bytes


@dataclass
class PlainTill:
    """Speaks to the service at `url`; `used` are the operations so far, as in the document."""

    url: str
    client_id: str
    client_secret: str
    used: set[tuple[str, str]]
    token: str = ""
    _keys: "count[int]" = field(default_factory=count)

    def sign_in(self) -> None:
        """Get an access token."""
        answer = self.form("/oauth/token", {"grant_type": "client_credentials"})
        assert answer.status == 200, answer
        self.token = answer.body["access_token"]

    def form(self, path: str, parameters: Mapping[str, str]) -> Answer:
        """Send a form with the client's own credential."""
        pair = f"{self.client_id}:{self.client_secret}".encode()
        headers = {"Authorization": "Basic " + b64encode(pair).decode(), "Content-Type": FORM}
        return self._send("POST", path, headers, content=urlencode(parameters).encode())

    def get(self, path: str, *, accept: str = JSON, query: str = "", **ids: str) -> Answer:
        """Ask for what is at `path`, whose {names} are `ids`."""
        headers = self._signed_in() | {"Accept": accept}
        return self._send("GET", path, headers, ids=ids, query=query)

    def post(self, path: str, body: object, *, key: str | None = None, **ids: str) -> Answer:
        """Send `body` as JSON under `key`, or under a new one."""
        return self.upload(path, json.dumps(body).encode(), JSON, key=key, **ids)

    def upload(
        self, path: str, content: bytes, media_type: str, *, key: str | None = None, **ids: str
    ) -> Answer:
        """Send `content` as it is."""
        headers = self._signed_in() | {
            "Idempotency-Key": key or f"{self.client_id}-{next(self._keys)}",
            "Content-Type": media_type,
        }
        return self._send("POST", path, headers, ids=ids, content=content)

    def _signed_in(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        ids: Mapping[str, str] | None = None,
        content: bytes | None = None,
        query: str = "",
    ) -> Answer:
        self.used.add((method, path))
        address = self.url + path.format(**(ids or {})) + query
        request = Request(address, content, dict(headers), method=method)  # noqa: S310 - our own http address
        try:
            with urlopen(request, timeout=60) as answer:  # noqa: S310 - likewise
                return _read(answer.status, dict(answer.headers), answer.read())
        except HTTPError as refusal:
            with refusal:
                return _read(refusal.code, dict(refusal.headers), refusal.read())


def _read(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    is_json = headers.get("content-type", "").partition(";")[0].endswith("json")
    has_lines = headers.get("content-type") == "application/x-ndjson"
    return Answer(status, headers, json.loads(content) if is_json and not has_lines else content)


_OF_MEMBERSHIPS = (
    *("/v1/plans", "/v1/membership", "/v1/gifts", "/v1/withdrawals", "/v1/cancellations"),
    *("/v1/admin/plan", "/v1/admin/membership", "/v1/admin/price-campaign"),
    *("/v1/admin/gifts", "/v1/admin/stripe"),
)


def operations(till: PlainTill) -> set[tuple[str, str]]:
    """Return every operation of the service's document, as method and path."""
    used = set(till.used)
    document = till.get("/schema/openapi.json")
    till.used.clear()
    till.used.update(used)
    paths: dict[str, Any] = document.body["paths"]  # Any: a JSON object
    return {(method.upper(), path) for path, item in paths.items() for method in item}


def is_of_families(path: str) -> bool:
    """Tell whether an operation is a member's, or about the rules and families of members."""
    return path == "/v1/me" or path.startswith(_OF_FAMILIES)


def is_of_memberships(path: str) -> bool:
    """Tell whether an operation is about plans, and memberships of members; tills have others."""
    return path.startswith(_OF_MEMBERSHIPS)


def is_of_settlement(path: str) -> bool:
    """Tell whether an operation is about settlement: of partners, or of the operator's staff."""
    if is_of_families(path) or is_of_memberships(path):
        return False
    return path.startswith(("/v1/admin/", "/v1/statements")) or path.endswith("/charges")
