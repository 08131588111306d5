"""Time: what is planned falls due in order, by the account's time or by a customer's test clock."""

from contextlib import suppress

from billing.sandbox import routing
from billing.sandbox.documents import Document
from billing.sandbox.errors import CardDeclined, Invalid
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.store import DueEntry, Transaction
from billing.sandbox.world import World

_CLOCK = "test_helpers.test_clock"
_KEPT_SECONDS = 30 * 86_400
_FARTHEST_SECONDS = 2 * 366 * 86_400


def fall_due(world: World, entry: DueEntry) -> None:
    """Do one thing that was planned, in a world that stands at its instant."""
    world.unschedule(entry.kind, entry.id)
    # What was tried with a card that declines stays tried, as after a request.
    with suppress(CardDeclined):
        routing.DUE[entry.kind](world, entry.id)


def world_at(
    transaction: Transaction, entry: DueEntry, *, clock: str, account_now: int, public_url: str
) -> World:
    """Return a world that stands where something falls due, without a request."""
    world = World(transaction, account_now=account_now, public_url=public_url)
    world.stand_at(clock, entry.at)
    return world


@route("POST", "/v1/test_helpers/test_clocks")
def create(world: World, params: Params) -> Document:
    """Make a clock that stands at an instant."""
    clock: Document = {
        "id": world.new_id("clock"),
        "object": _CLOCK,
        "created": world.account_now,
        "deletes_after": world.account_now + _KEPT_SECONDS,
        "frozen_time": params.required.integer("frozen_time"),
        "livemode": False,
        "name": params.text("name"),
        "status": "ready",
        "status_details": {},
    }
    return world.add(clock, event=f"{_CLOCK}.created")


@route("GET", "/v1/test_helpers/test_clocks/{test_clock}")
def retrieve(world: World, _params: Params, test_clock: str) -> Document:
    """Return a clock."""
    return world.get(_CLOCK, test_clock)


@route("GET", "/v1/test_helpers/test_clocks")
def list_all(world: World, params: Params) -> Document:
    """Return the clocks, newest first."""
    return world.listing(params, _CLOCK)


@route("DELETE", "/v1/test_helpers/test_clocks/{test_clock}")
def delete(world: World, _params: Params, test_clock: str) -> Document:
    """Delete a clock with the customers that live by it, and what is planned for them."""
    clock = world.get(_CLOCK, test_clock)
    for customer in world.all("customer", {"test_clock": test_clock}):
        world.remove(customer, event="customer.deleted")
    world.store.sql.execute("DELETE FROM due WHERE clock = ?", (test_clock,))
    return world.remove(clock, event=f"{_CLOCK}.deleted")


@route("POST", "/v1/test_helpers/test_clocks/{test_clock}/advance")
def advance(world: World, params: Params, test_clock: str) -> Document:
    """Do all that falls due until an instant; the answer says `advancing`, the next `ready`."""
    clock = world.get(_CLOCK, test_clock)
    until = params.required.integer("frozen_time") or 0
    before = clock["frozen_time"]
    if until <= before:
        raise Invalid(
            "The frozen_time has to be after the time the clock stands at.", param="frozen_time"
        )
    if until > before + _FARTHEST_SECONDS:
        raise Invalid(
            "A test clock can advance by two years at most at a time.", param="frozen_time"
        )
    target = {"target_frozen_time": until}
    clock |= {"status": "advancing", "status_details": {"advancing": target}}
    world.save(clock)
    world.emit(f"{_CLOCK}.advancing", clock)
    advancing = dict(clock)
    while (entry := world.store.next_due(test_clock, until)) is not None:
        inner = world_at(
            world.store,
            entry,
            clock=test_clock,
            account_now=world.account_now,
            public_url=world.public_url,
        )
        fall_due(inner, entry)
        clock["frozen_time"] = max(clock["frozen_time"], entry.at)
        world.save(clock)
    clock |= {"frozen_time": until, "status": "ready", "status_details": {}}
    world.save(clock)
    world.emit(f"{_CLOCK}.ready", clock)
    return advancing
