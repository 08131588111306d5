"""The billing group: Stripe's webhooks at our door, each signed, proved, kept and committed.

The reference is a typed handler that touches nothing and is sent as much. Events are signed ahead,
for no load generator signs; each comes once, as from Stripe.
"""

import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import references
from bench.ledger import ISSUE, Bench
from bench.load import Load
from bench.report import Result, Samples, measures_of, result_of
from bench.world import World, make_world, serving
from coalition.kernel.clock import SystemClock
from coalition.kernel.ids import random_hex

GROUP = "billing"
SECRET = "whsec_bench"  # noqa: S105 - the secret of a made-up world
EVENTS = 60_000
"""How many are signed for one reading; more than it can send."""

# A thread takes every second line of the file, so that no event comes twice.
_NEXT = """
  local line = members[(n * 2 + id) % #members + 1]
  local signed, event = line:match("^(%S+) (.*)$")
  headers["Stripe-Signature"] = signed
"""
WEBHOOK = Load(path="/webhooks/stripe", body="event", before=_NEXT)


def run(*, rounds: int, seconds: int, say: Callable[[str], None]) -> list[Result]:
    """Measure the group: webhooks and the bare handler `rounds` times in turn."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        say("making a world")
        history = make_world(Path(folder), members=1_000, lots_each=1, postings=1_000)
        bare = references.trivial_handler()
        with history as world, _with_secret(), serving(world), bare as bare_url:
            _read(world, bare_url, 2, Samples())
            for no in range(rounds):
                say(f"round {no + 1} of {rounds}")
                _read(world, bare_url, seconds, samples)
    return [result_of(GROUP, measure, samples) for measure in measures_of(GROUP)]


def _read(world: World, bare_url: str, seconds: int, samples: Samples) -> None:
    bench = Bench(world, bare_url, seconds, samples)
    events = world.directory / "events.txt"
    events.write_text("\n".join(_signed()) + "\n", "utf-8")
    bench.single("webhook", WEBHOOK, members=events)
    bench.single("trivial", ISSUE, url=bare_url)


@contextmanager
def _with_secret() -> Iterator[None]:
    """Let the service have a key and the secret of its webhooks; nothing is asked of Stripe."""
    given = {
        "COALITION_STRIPE_KEY": "sk_test_bench",
        "COALITION_STRIPE_WEBHOOK_SECRET": SECRET,
    }
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _signed() -> Iterator[str]:
    """Yield lines of a header and the event that it signs."""
    seconds = int(SystemClock().now().timestamp())
    run = random_hex()[:8]
    for no in range(EVENTS):
        event = _event(f"evt_{run}{no}", f"sub_{run}{no % 5_000}", seconds)
        message = f"{seconds}.{event}".encode()
        mac = hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
        yield f"t={seconds},v1={mac} {event}"


def _event(name: str, subscription: str, created: int) -> str:
    """Return an event of about the size of one that tells of an invoice."""
    line = {
        "id": f"il_{name}",
        "object": "line_item",
        "amount": 9900,
        "currency": "sek",
        "period": {"start": created, "end": created + 2_592_000},
        "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}},
        "parent": {"subscription_item_details": {"subscription": subscription}},
    }
    invoice = {
        "id": f"in_{name}",
        "object": "invoice",
        "customer": "cus_1",
        "status": "paid",
        "amount_paid": 9900,
        "lines": {"object": "list", "data": [line], "has_more": False},
        "metadata": {},
        "parent": {"subscription_details": {"subscription": subscription, "metadata": {}}},
        "hosted_invoice_url": f"https://invoice.stripe.com/i/{name}" + "x" * 200,
    }
    event = {
        "id": name,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": created,
        "livemode": False,
        "type": "invoice.paid",
        "data": {"object": invoice},
    }
    return json.dumps(event, separators=(",", ":"))
