"""Load on a service: single requests from wrk, batches from plain HTTP connections."""

import http.client
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

_THREADS = 2
_REQUESTS = re.compile(r"^RESULT (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Load:
    """A kind of request: a Lua body builder for wrk over the `members` of a world.

    `body` is a Lua expression that may use `member`, `n` (a number of its own) and `run`, and what
    `before` has made of them. Between an answer and its next request each connection rests for
    `pause_ms` on average, at random up to twice that; without a pause it asks as fast as it can.
    """

    path: str
    body: str | None = None
    mixed: bool = False
    before: str = ""
    pause_ms: int = 0


@dataclass(frozen=True)
class Reading:
    """What a run of load gave: answers in the 2xx per second, and the 99th percentile."""

    per_second: float
    p99_ms: float


_SCRIPT = """
local threads = 0
function setup(thread) thread:set("id", threads) threads = threads + 1 end
local n = 0
local members = {}
local run = "%(run)s"
local ok, bad = 0, 0
local holds, postings = {}, {}
function init(args)
  for line in io.lines("%(members)s") do members[#members + 1] = line end
  math.randomseed(id * 7919 + %(seed)d)
end
local headers = {["Authorization"] = "Bearer %(token)s", ["Content-Type"] = "application/json"}
local last = "issue"
function request()
  n = n + 1
  local member = members[math.random(#members)]
  local key = run .. "-" .. id .. "-" .. n
  headers["Idempotency-Key"] = key
  %(request)s
end
function done(summary, latency, requests)
  io.write(string.format("RESULT %%d %%d %%d %%d\\n", summary.requests,
    summary.errors.status + summary.errors.timeout + summary.errors.read + summary.errors.connect,
    summary.duration, latency:percentile(99)))
end
"""

_PAUSE = "function delay() return math.random(0, 2 * %d) end\n"

_MIXED = """
  local draw = math.random(100)
  if draw <= 5 and #postings > 0 then
    local posting = table.remove(postings)
    return wrk.format("POST", "/v1/postings/" .. posting .. "/reverse", headers, "{}")
  elseif draw <= 10 then
    local hold = draw > 7 and table.remove(holds) or nil
    if hold then
      return wrk.format("POST", "/v1/points/holds/" .. hold .. "/capture", headers, "{}")
    end
    return wrk.format("POST", "/v1/points/holds", headers, string.format(
      '{"member_id":"%%s","receipt":"%%s","occurred_at":"%(now)s","points":3}', member, key))
  elseif draw <= 30 then
    return wrk.format("POST", "/v1/points/redeem", headers, string.format(
      '{"member_id":"%%s","receipt":"%%s","occurred_at":"%(now)s","points":3}', member, key))
  end
  return wrk.format("POST", "/v1/points/issue", headers, string.format(
    '{"member_id":"%%s","receipt":"%%s","occurred_at":"%(now)s",'
      .. '"purchase":{"amount_minor":12345,"currency":"EUR"}}',
    member, key))
end
function response(status, headers, body)
  local hold = body:match('^{"hold_id":"([^"]+)"')
  if hold and status == 201 and #holds < 1000 then holds[#holds + 1] = hold end
  if not hold and #postings < 1000 and body:find('"rule":"earning', 1, true) then
    postings[#postings + 1] = body:match('"posting_id":"([^"]+)"')
  end
"""


def run_wrk(
    url: str,
    load: Load,
    *,
    token: str,
    members: Path,
    run: str,
    now: str,
    connections: int,
    seconds: int,
) -> Reading:
    """Load `url` from `connections` connections for `seconds`; each request has its own key."""
    if load.mixed:
        request = _MIXED % {"now": now}
    elif load.body is None:
        path = f'"{load.path}"'.replace("{member}", '" .. member .. "')
        request = f'return wrk.format("GET", {path}, headers)'
    else:
        request = f'return wrk.format("POST", "{load.path}", headers, {load.body})'
    script = _SCRIPT % {
        "run": run,
        "members": members,
        "seed": abs(hash(run)) % 10**6,
        "token": token,
        "request": f"{load.before}\n  {request}",
    }
    if load.pause_ms:
        script += _PAUSE % load.pause_ms
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [
            shutil.which("wrk") or "wrk",
            *(
                "-t",
                str(min(_THREADS, connections)),
                "-c",
                str(connections),
                "-d",
                f"{seconds}s",
                "--timeout",
                "10s",
            ),
            *("-s", file.name, url),
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = _REQUESTS.search(output)
    assert found, output
    assert int(found[1]) > int(found[2]), f"every request to {load.path} was refused"
    requests, errors, microseconds, p99 = map(int, found.groups())
    return Reading((requests - errors) / microseconds * 1e6, p99 / 1000)


class _Summary(msgspec.Struct):
    """What is read of a batch's answer; reading the lines would slow down who is measured."""

    posted: int
    refused: int


_SUMMARY = msgspec.json.Decoder(_Summary)


def run_batches(url: str, token: str, bodies: list[list[bytes]], *, run: str) -> tuple[float, int]:
    """Post batches from as many connections as there are lists of bodies, each list in its order.

    Returns the lines posted per second over all connections, and how many lines were refused.
    """
    posted, refused = 0, 0
    lock = threading.Lock()
    address = urlsplit(url)

    def send(no: int, mine: list[bytes]) -> None:
        nonlocal posted, refused
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=300)
        for count, body in enumerate(mine):
            connection.request(
                "POST",
                "/v1/batches",
                body,
                {
                    "Authorization": f"Bearer {token}",
                    "Content-Type": "application/x-ndjson",
                    "Idempotency-Key": f"{run}-{no}-{count}",
                },
            )
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status in (200, 201), (answer.status, content[:500])
            summary = _SUMMARY.decode(content)
            with lock:
                posted += summary.posted
                refused += summary.refused
        connection.close()

    threads = [threading.Thread(target=send, args=(no, mine)) for no, mine in enumerate(bodies)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return posted / (time.perf_counter() - started), refused
