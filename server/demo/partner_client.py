"""A partner's own system, as it would be written outside: plain HTTP with a client credential."""

import contextlib
import http.client
import queue
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import msgspec

LINES_AT_ONCE: Final = 5_000
_TIMEOUT_S: Final = 300
_NDJSON: Final = "application/x-ndjson"
_FORM: Final = "application/x-www-form-urlencoded"


class LineResult(msgspec.Struct, frozen=True, gc=False):
    """What became of a line; `code` says why one was refused."""

    line: int
    status: int
    posting_id: UUID | None = None
    points: int | None = None
    code: str | None = None


class _Token(msgspec.Struct):
    access_token: str


class _Batch(msgspec.Struct):
    results: list[LineResult]


class UnexpectedAnswerError(Exception):
    """The service did not answer as it promises; the message has what it said."""


class PartnerClient:
    """The system of one partner; its methods may be called from several threads."""

    def __init__(self, url: str, *, client_id: str, client_secret: str) -> None:
        """Prepare to ask the service at `url`; `authenticate` comes first."""
        self._address = urlsplit(url).netloc
        self._credential = {"client_id": client_id, "client_secret": client_secret}
        self._token = ""
        self._idle: queue.SimpleQueue[http.client.HTTPConnection] = queue.SimpleQueue()

    def authenticate(self) -> None:
        """Get an access token; it is good for fifteen minutes of the service's time."""
        form = urlencode({"grant_type": "client_credentials", **self._credential}).encode()
        answer = self._post("/oauth/token", form, {"content-type": _FORM}, expected=(200,))
        self._token = msgspec.json.decode(answer, type=_Token).access_token

    def enrol(self, card: str) -> None:
        """Enrol the customer with this card."""
        self._send("/v1/members", msgspec.json.encode({"card": card}), key=f"enrol {card}")

    def send(self, lines: Sequence[Any], *, key: str) -> list[LineResult]:  # Any: JSON objects
        """Post `lines` as one batch; return the answer to each, in order."""
        assert len(lines) <= LINES_AT_ONCE, "a batch of this size is answered at once"
        body = msgspec.json.Encoder().encode_lines(lines)
        answer = self._send("/v1/batches", body, key=key, content_type=_NDJSON)
        results = msgspec.json.decode(answer, type=_Batch).results
        if len(results) != len(lines):
            raise UnexpectedAnswerError(f"{len(results)} answers to {len(lines)} lines")
        return results

    def close(self) -> None:
        """Close all connections."""
        while not self._idle.empty():
            self._idle.get().close()

    def _send(
        self, path: str, body: bytes, *, key: str, content_type: str = "application/json"
    ) -> bytes:
        headers = {
            "authorization": f"Bearer {self._token}",
            "idempotency-key": key,
            "content-type": content_type,
        }
        return self._post(path, body, headers, expected=(200, 201))

    def _post(
        self, path: str, body: bytes, headers: dict[str, str], *, expected: tuple[int, ...]
    ) -> bytes:
        with self._connection() as connection:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status not in expected:
            said = content[:500].decode(errors="replace")
            raise UnexpectedAnswerError(f"{path} answered {answer.status}: {said}")
        return content

    @contextlib.contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        """Lend a connection that nobody else uses; one that failed is not lent again."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_S)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)
