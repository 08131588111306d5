"""Schedules: what a subscription changes to when a phase ends, such as a smaller plan."""

from typing import Any

from billing.sandbox.calendar import Recurrence, boundary
from billing.sandbox.documents import Document
from billing.sandbox.engine import changing, invoice_items, standing
from billing.sandbox.engine.shapes import SELF, items_of, period_of, with_items
from billing.sandbox.errors import Invalid
from billing.sandbox.requests import Params
from billing.sandbox.routing import due, route
from billing.sandbox.world import World

_KIND = "subscription_schedule"
_UPDATED = "subscription_schedule.updated"
_END = frozenset({"cancel", "none", "release", "renew"})
_NOTHING = dict.fromkeys(
    (
        *("application_fee_percent", "billing_thresholds", "collection_method"),
        *("default_payment_method", "description", "on_behalf_of", "transfer_data"),
    )
)


def turn(world: World, subscription_id: str) -> None:
    """Enter the phase that begins now, or let the subscription go when the last has ended."""
    subscription = world.get("subscription", subscription_id)
    schedule = world.find(_KIND, subscription["schedule"])
    if schedule is None or schedule["status"] != "active":
        return
    now = world.now()
    current = schedule["current_phase"]
    if current is None or current["end_date"] > now:
        return
    following = [phase for phase in schedule["phases"] if phase["start_date"] <= now]
    phase = following[-1]
    if phase["end_date"] <= now:
        _finish(world, schedule, subscription)
        return
    _enter(world, schedule, subscription, phase)


@due("schedule.turn")
def turn_when_due(world: World, id_: str) -> None:
    """Enter a phase that begins within a period."""
    schedule = world.get(_KIND, id_)
    if schedule["status"] == "active":
        turn(world, schedule["subscription"])


def items_at(world: World, subscription: Document, at: int) -> list[Document]:
    """Return the items that a subscription will have at an instant to come."""
    schedule = world.find(_KIND, subscription["schedule"])
    phases = [
        phase
        for phase in (schedule or {"phases": []})["phases"]
        if phase["start_date"] <= at < phase["end_date"]
    ]
    return _items(subscription, phases[-1]) if phases else items_of(subscription)


@route("POST", "/v1/subscription_schedules")
def create(world: World, params: Params) -> Document:
    """Make a schedule of a subscription that runs; its current period is the first phase."""
    id_ = params.text("from_subscription")
    if id_ is None:
        raise Invalid(
            "This sandbox makes schedules of subscriptions only: pass `from_subscription`.",
            param="from_subscription",
        )
    subscription = world.get("subscription", id_, param="from_subscription")
    if subscription["schedule"] is not None:
        raise Invalid(
            "You cannot migrate a subscription that is already attached to a schedule: "
            f"`{subscription['schedule']}`.",
            param="from_subscription",
        )
    if subscription["status"] in standing.ENDED | {"incomplete"}:
        raise Invalid(
            "You cannot create a subscription schedule from a subscription that is "
            f"{subscription['status']}.",
            param="from_subscription",
        )
    schedule = _new(world, subscription)
    world.add(schedule, event="subscription_schedule.created")
    world.save(subscription | {"schedule": schedule["id"]}, event=standing.UPDATED)
    _plan(world, schedule)
    return schedule


@route("GET", "/v1/subscription_schedules/{schedule}")
def retrieve(world: World, _: Params, schedule: str) -> Document:
    """Return a schedule."""
    return world.get(_KIND, schedule)


@route("GET", "/v1/subscription_schedules")
def listing(world: World, params: Params) -> Document:
    """Return schedules."""
    customer = params.text("customer")
    return world.listing(params, _KIND, {} if customer is None else {"customer": customer})


@route("POST", "/v1/subscription_schedules/{schedule}")
def update(world: World, params: Params, schedule: str) -> Document:
    """Set the phases, of which the first is the one that runs."""
    held = _active(world, schedule)
    held["metadata"] = params.merged_metadata(held["metadata"])
    held["end_behavior"] = params.choice("end_behavior", _END) or held["end_behavior"]
    if "phases" in params:
        held["phases"] = _phases(world, held, params)
        start = held["current_phase"]["start_date"]
        current = next(phase for phase in held["phases"] if phase["start_date"] == start)
        held["current_phase"] = {"start_date": start, "end_date": current["end_date"]}
    world.save(held, event=_UPDATED)
    _plan(world, held)
    return held


@route("POST", "/v1/subscription_schedules/{schedule}/release")
def release(world: World, params: Params, schedule: str) -> Document:
    """Let the subscription run on without the schedule."""
    del params
    held = _active(world, schedule)
    _release(world, held, world.get("subscription", held["subscription"]))
    return world.get(_KIND, schedule)


@route("POST", "/v1/subscription_schedules/{schedule}/cancel")
def cancel(world: World, params: Params, schedule: str) -> Document:
    """End the schedule and its subscription at once."""
    held = _active(world, schedule)
    subscription = world.get("subscription", held["subscription"])
    is_prorated = params.flag("prorate") is not False
    standing.end(
        world,
        subscription,
        reason="cancellation_requested",
        prorate=is_prorated,
        invoice_now=params.flag("invoice_now") is not False,
    )
    return world.get(_KIND, schedule)


def close(world: World, subscription: Document) -> None:
    """End the schedule of a subscription that has ended."""
    schedule = world.find(_KIND, subscription["schedule"])
    if schedule is not None and schedule["status"] == "active":
        world.unschedule("schedule.turn", schedule["id"])
        schedule |= {"status": "canceled", "canceled_at": world.now(), "current_phase": None}
        world.save(schedule)
        world.emit("subscription_schedule.canceled", schedule)


def _active(world: World, id_: str) -> Document:
    schedule = world.get(_KIND, id_)
    if schedule["status"] != "active":
        raise Invalid(
            f"You cannot change a subscription schedule that is currently in the "
            f"`{schedule['status']}` status."
        )
    return schedule


def _enter(world: World, schedule: Document, subscription: Document, phase: Document) -> None:
    params = Params(
        {"proration_behavior": phase["proration_behavior"], "items": _wishes(subscription, phase)}
    )
    if phase["start_date"] >= period_of(subscription).end:
        after = with_items(subscription, changing.items_after(world, subscription, params))
    else:
        change = changing.plan(world, subscription, params)
        invoice_items.keep(world, subscription, change.charges)
        after = change.after
    after["metadata"] = after["metadata"] | (phase["metadata"] or {})
    schedule["current_phase"] = {
        "start_date": phase["start_date"],
        "end_date": phase["end_date"],
    }
    world.save(schedule, event=_UPDATED)
    world.save(after, event=standing.UPDATED)
    _plan(world, schedule)


def _finish(world: World, schedule: Document, subscription: Document) -> None:
    if schedule["end_behavior"] != "cancel":
        _release(world, schedule, subscription)
        return
    schedule |= {"status": "completed", "completed_at": world.now(), "current_phase": None}
    world.save(schedule)
    world.emit("subscription_schedule.completed", schedule)
    standing.end(world, subscription, reason="cancellation_requested")


def _release(world: World, schedule: Document, subscription: Document) -> None:
    world.unschedule("schedule.turn", schedule["id"])
    schedule |= {
        "status": "released",
        "released_at": world.now(),
        "released_subscription": subscription["id"],
        "subscription": None,
        "current_phase": None,
    }
    world.save(schedule)
    world.emit("subscription_schedule.released", schedule)
    world.save(subscription | {"schedule": None}, event=standing.UPDATED)


def _plan(world: World, schedule: Document) -> None:
    current = schedule["current_phase"]
    world.schedule(
        "schedule.turn", schedule["id"], at=current["end_date"], customer=schedule["customer"]
    )


def _new(world: World, subscription: Document) -> Document:
    period = period_of(subscription)
    phase = _phase(
        subscription,
        [{"price": item["price"], "quantity": item["quantity"]} for item in items_of(subscription)],
        start=period.start,
        end=period.end,
    )
    defaults: dict[str, Any] = dict(_NOTHING)
    return {
        "id": world.new_id("sub_sched"),
        "object": _KIND,
        "application": None,
        "billing_mode": subscription["billing_mode"],
        "canceled_at": None,
        "completed_at": None,
        "current_phase": {"start_date": period.start, "end_date": period.end},
        "customer": subscription["customer"],
        "customer_account": None,
        "default_settings": defaults
        | {
            "automatic_tax": subscription["automatic_tax"],
            "billing_cycle_anchor": "automatic",
            "collection_method": "charge_automatically",
            "default_payment_method": subscription["default_payment_method"],
            "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": SELF},
        },
        "end_behavior": "release",
        "metadata": {},
        "pause_schedules": [],
        "phases": [phase],
        "released_at": None,
        "released_subscription": None,
        "status": "active",
        "subscription": subscription["id"],
        "test_clock": subscription["test_clock"],
    }


def _phase(
    subscription: Document, items: list[Document], *, start: int, end: int, **more: Any
) -> Document:
    blank: dict[str, Any] = dict(_NOTHING)
    full = [
        {
            "billing_thresholds": None,
            "discounts": [],
            "metadata": {},
            "plan": item["price"],
            "price": item["price"],
            "quantity": item["quantity"],
            "tax_rates": [],
        }
        for item in items
    ]
    return blank | {
        "add_invoice_items": [],
        "automatic_tax": subscription["automatic_tax"],
        "billing_cycle_anchor": None,
        "currency": subscription["currency"],
        "default_tax_rates": [],
        "discounts": [],
        "end_date": end,
        "invoice_settings": None,
        "items": full,
        "metadata": {},
        "proration_behavior": "create_prorations",
        "start_date": start,
        "trial": None,
        "trial_end": None,
        **more,
    }


def _phases(world: World, schedule: Document, params: Params) -> list[Document]:
    subscription = world.get("subscription", schedule["subscription"])
    running = schedule["current_phase"]["start_date"]
    phases: list[Document] = []
    for wish in params.each("phases"):
        start = phases[-1]["end_date"] if phases else running
        given = wish.instant("start_date")
        if given is not None and given != start:
            raise Invalid(
                "You can not modify the start date of the current phase, and phases follow one "
                "another without a gap.",
                param=wish.name_of("start_date"),
            )
        phases.append(_phase_of(world, subscription, wish, start))
    if not phases or phases[0]["end_date"] <= world.now():
        raise Invalid("The current phase has to be among the phases.", param="phases")
    return phases


def _phase_of(world: World, subscription: Document, wish: Params, start: int) -> Document:
    items = [
        {
            "price": changing.recurring_price(world, item)["id"],
            "quantity": 1 if item.integer("quantity") is None else item.integer("quantity"),
        }
        for item in wish.each("items")
    ]
    if not items:
        raise Invalid("A phase needs items.", param=wish.name_of("items"))
    behavior = wish.choice("proration_behavior", changing.BEHAVIORS) or "create_prorations"
    end = _end_of(world, wish, items, start)
    metadata = wish.merged_metadata()
    return _phase(
        subscription, items, start=start, end=end, proration_behavior=behavior, metadata=metadata
    )


def _end_of(world: World, wish: Params, items: list[Document], start: int) -> int:
    end = wish.instant("end_date")
    if end is not None:
        if end <= start:
            raise Invalid("A phase ends after it starts.", param=wish.name_of("end_date"))
        return end
    duration = wish.nested("duration")
    if duration.text("interval") is not None:
        interval = duration.text("interval") or "month"
        return boundary(start, Recurrence(interval, duration.integer("interval_count") or 1), 1)
    recurrence = Recurrence.of(world.get("price", items[0]["price"]))
    return boundary(start, recurrence, 1)


def _items(subscription: Document, phase: Document) -> list[Document]:
    """Return a subscription's items as a phase has them; ids stay where there are as many."""
    return [
        known | {"price": item["price"], "quantity": item["quantity"]}
        for known, item in zip(items_of(subscription), phase["items"], strict=False)
    ]


def _wishes(subscription: Document, phase: Document) -> list[Document]:
    known = [item["id"] for item in items_of(subscription)]
    wishes: list[Document] = [
        {"price": item["price"], "quantity": item["quantity"]}
        | ({"id": known[place]} if place < len(known) else {})
        for place, item in enumerate(phase["items"])
    ]
    return wishes + [{"id": id_, "deleted": True} for id_ in known[len(phase["items"]) :]]
