"""Bytes on a socket that no client library would send, to the service in its own process.

Each gets a refusal or a closed connection, leaves nothing behind, and the next caller is served.
"""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database
from server.apps import APPS
from tests.journeys.plain_till import PlainTill
from tests.journeys.processes import coalition, serving
from tests.journeys.world import Footprint, footprint
from tests.support.postgres import create_database, drop_database

KEYS = {
    "COALITION_BLIND_INDEX_KEY": bytes(32).hex(),
    "COALITION_MASTER_KEY": bytes(range(32)).hex(),
}
PATIENCE_S = 20.0
KIB = 1024


@dataclass
class Wire:
    """A service, a till that it serves, and a member with 100 points."""

    runner: asyncio.Runner
    till: PlainTill
    member: str
    log: Path

    def send(self, content: bytes, *, ends: bool = False) -> bytes:
        """Send bytes on a connection of their own; return all that comes back until it is closed.

        With `ends` our half is closed after them, as of a client that is gone.
        """
        place = urlsplit(self.till.url)
        with socket.create_connection((place.hostname, place.port), PATIENCE_S) as connection:
            try:
                connection.sendall(content)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
                received = bytearray()
                while piece := connection.recv(65_536):
                    received += piece
            except TimeoutError:
                raise
            except OSError:  # it was closed on us before all was sent
                return b""
            return bytes(received)

    def footprint(self) -> Footprint:
        """Return what every table holds."""
        return self.runner.run(footprint())

    def issue(self, receipt: str) -> bytes:
        """Return the body of an issue."""
        body = {"member_id": self.member, "receipt": receipt, "points": 5}
        return json.dumps(body | {"occurred_at": SystemClock().now().isoformat()}).encode()

    def head(self, line: str = "POST /v1/points/issue HTTP/1.1", *headers: str) -> bytes:
        """Return a request's head with the till's token, asking to close the connection after."""
        own = (
            "Host: till",
            "Connection: close",
            f"Authorization: Bearer {self.till.token}",
            "Idempotency-Key: wire",
            "Content-Type: application/json",
        )
        return "\r\n".join((line, *own, *headers, "", "")).encode("latin-1")


@pytest.fixture(scope="module")
def wire(
    runner: asyncio.Runner, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wire]:
    """Yield a service in its own process on a database of its own."""
    database_url = create_database(postgres_url)
    engine = runner.run(open_database(database_url, apps=APPS, pool_size=2))
    log = tmp_path_factory.mktemp("wire") / "log"
    place = ("--database-url", database_url)
    with serving("--no-worker", *place, log=log, environ=KEYS) as url:
        made = coalition("partner", "create", "--name", "Handlarn", *place, environ=KEYS)
        till = PlainTill(url, made["client_id"], made["client_secret"], set())
        till.sign_in()
        member = till.post("/v1/members", {"card": "97520001"}).body["member_id"]
        yield Wire(runner, till, member, log)
    runner.run(engine.close())
    drop_database(postgres_url, database_url)


def statuses(received: bytes) -> list[int]:
    """Return the status of each answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", received)]


NOT_HTTP = {
    "nothing": b"\r\n\r\n",
    "noise": bytes(range(256)) * 8,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /v1/postings\r\n\r\n",
    "a version that is not": b"GET /v1/postings HTTP/9.9\r\n\r\n",
    "no version": b"GET /v1/postings HTTP\r\n\r\n",
    "no method": b" /v1/postings HTTP/1.1\r\nHost: till\r\n\r\n",
    "a method of signs": b"G(E)T /v1/postings HTTP/1.1\r\nHost: till\r\n\r\n",
    "blanks in the path": b"GET /v1/ postings HTTP/1.1\r\nHost: till\r\n\r\n",
    "NUL in the path": b"GET /v1/\x00 HTTP/1.1\r\nHost: till\r\n\r\n",
    "NUL in a header": b"GET /v1/postings HTTP/1.1\r\nHost: till\r\nX: a\x00b\r\n\r\n",
    "a blank before the colon": b"GET /v1/postings HTTP/1.1\r\nHost : till\r\n\r\n",
    "a header without name": b"GET /v1/postings HTTP/1.1\r\n: till\r\n\r\n",
    "a header without colon": b"GET /v1/postings HTTP/1.1\r\nHost\r\n\r\n",
    "a folded header": b"GET /v1/postings HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
    "a line of a megabyte": b"GET /" + b"a" * KIB * KIB + b" HTTP/1.1\r\n\r\n",
    "a header of a megabyte": b"GET / HTTP/1.1\r\nX: " + b"a" * KIB * KIB + b"\r\n\r\n",
    "a thousand headers": b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 1000 + b"\r\n",
}


@pytest.mark.parametrize("content", NOT_HTTP.values(), ids=NOT_HTTP)
def test_what_is_no_request_is_refused_or_cut_off(wire: Wire, content: bytes) -> None:
    before = wire.footprint()
    answered = statuses(wire.send(content, ends=True))
    assert all(400 <= status < 500 or status == 505 for status in answered), answered
    assert wire.footprint() == before
    assert wire.till.get("/health/ready").status == 200


FRAMES = {
    "two lengths": ("Content-Length: 5", "Content-Length: 6"),
    "two lengths in one": ("Content-Length: 5, 6",),
    "a length with a sign": ("Content-Length: +5",),
    "a negative length": ("Content-Length: -5",),
    "a length in hexadecimal": ("Content-Length: 0x5",),
    "a length of thousands of digits": ("Content-Length: " + "9" * 3000,),
    "a coding that is not": ("Transfer-Encoding: gzip",),
    "chunks and something": ("Transfer-Encoding: chunked, gzip",),
    "chunks in disguise": ("Transfer-Encoding: xchunked",),
    "chunks after a vertical tab": ("Transfer-Encoding: \x0bchunked",),
}
CHUNKS = {
    "a size that is none": b"five\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size beyond any": b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n",
    "a size too small": b"1\r\n{}\r\n0\r\n\r\n",
    "an end that is missing": b"2\r\n{}\r\n",
    "a line break that is missing": b"2\r\n{}0\r\n\r\n",
}


@pytest.mark.parametrize("headers", FRAMES.values(), ids=FRAMES)
def test_a_body_whose_end_is_in_doubt_is_not_read(wire: Wire, headers: tuple[str, ...]) -> None:
    before = wire.footprint()
    content = wire.head("POST /v1/points/issue HTTP/1.1", *headers) + wire.issue("frames")
    answered = statuses(wire.send(content, ends=True))
    assert all(400 <= status < 500 or status == 501 for status in answered), answered
    assert wire.footprint() == before
    assert wire.till.get("/health/ready").status == 200


@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS)
def test_chunks_that_are_broken_post_nothing(wire: Wire, body: bytes) -> None:
    before = wire.footprint()
    head = wire.head("POST /v1/points/issue HTTP/1.1", "Transfer-Encoding: chunked")
    answered = statuses(wire.send(head + body, ends=True))
    assert all(400 <= status < 500 for status in answered), answered
    assert wire.footprint() == before
    assert wire.till.get("/health/ready").status == 200


def test_a_request_is_not_smuggled_in_the_body_of_another(wire: Wire) -> None:
    """RFC 9112 section 6.3: of a length and chunks the chunks count; what follows is doubtful."""
    smuggled = wire.head() + wire.issue("smuggled")
    head = wire.head(
        "POST /v1/points/issue HTTP/1.1",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
    ).replace(b"Connection: close", b"Connection: keep-alive")
    before = wire.footprint()
    answered = statuses(wire.send(head + b"0\r\n\r\n" + smuggled, ends=True))
    assert all(400 <= status < 500 for status in answered), answered
    assert wire.footprint() == before


@pytest.mark.parametrize("sent", [0, 1, 20, -1])
def test_a_body_that_ends_before_its_length_posts_nothing(wire: Wire, sent: int) -> None:
    before = wire.footprint()
    body = wire.issue("cut")
    head = wire.head("POST /v1/points/issue HTTP/1.1", f"Content-Length: {len(body)}")
    wire.send(head + body[:sent], ends=True)
    assert wire.footprint() == before
    assert wire.till.get("/health/ready").status == 200


def test_a_batch_that_is_cut_off_posts_nothing(wire: Wire) -> None:
    before = wire.footprint()
    lines = b"\n".join(wire.issue(f"line-{number}") for number in range(500))
    head = wire.head("POST /v1/batches HTTP/1.1", f"Content-Length: {2 * len(lines)}")
    wire.send(head.replace(b"application/json", b"application/x-ndjson") + lines, ends=True)
    assert wire.footprint() == before
    assert wire.till.get("/health/ready").status == 200


def test_a_body_above_the_bound_is_refused_while_it_comes(wire: Wire) -> None:
    before = wire.footprint()
    head = wire.head("POST /v1/points/issue HTTP/1.1", "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    received = wire.send(head + chunk * 40)
    assert statuses(received) in ([413], []), received[:500]
    assert wire.footprint() == before
    assert wire.till.get("/health/ready").status == 200


def test_ten_thousand_bytes_of_headers_are_no_trouble(wire: Wire) -> None:
    head = wire.head("GET /v1/postings HTTP/1.1", "X-Filler: " + "a" * 10_001)
    assert statuses(wire.send(head)) == [200]


PATHS = {
    "up": "/v1/../v1/members/../../etc/passwd",
    "up, encoded": "/v1/%2e%2e/%2e%2e/etc/passwd",
    "NUL, encoded": "/schema/%00",
    "a line break, encoded": "/v1/%0d%0aset-cookie:%20a=b",
    "an asterisk": "*",
    "no slash": "v1/postings",
    "another host": "//evil.example/v1/postings",
    "bytes that are no text": "/v1/\xff\xfe",
    "a long one": "/" + "a" * 30_000,
    "a fragment": "/v1/postings#x/../..",
    "a backslash": "/v1\\postings",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_raw_path_leads_nowhere(wire: Wire, path: str) -> None:
    received = wire.send(wire.head(f"GET {path} HTTP/1.1"), ends=True)
    assert all(400 <= status < 500 for status in statuses(received)) or b"#x" in path.encode()
    assert b"set-cookie" not in received.lower()
    assert b"root:" not in received


def test_requests_in_a_row_on_one_connection_are_answered_in_their_order(wire: Wire) -> None:
    keep = wire.head("GET /v1/postings HTTP/1.1").replace(b"Connection: close", b"X: y")
    nothing = wire.head("GET /nothing HTTP/1.1").replace(b"Connection: close", b"X: y")
    last = wire.head("GET /health/live HTTP/1.1")
    assert statuses(wire.send(keep + nothing + last)) == [200, 404, 200]


def test_a_head_has_no_body(wire: Wire) -> None:
    received = wire.send(wire.head("HEAD /health/live HTTP/1.1"))
    assert received.partition(b"\r\n\r\n")[2] == b""


def test_nothing_of_all_this_was_a_failure_of_ours(wire: Wire) -> None:
    for content in (*NOT_HTTP.values(), wire.head() + b"{"):
        wire.send(content, ends=True)
    logged = wire.log.read_text()
    assert "Traceback" not in logged
    assert "request_failed" not in logged
    assert "panicked" not in logged
    assert wire.till.token not in logged
