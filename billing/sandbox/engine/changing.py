"""What an update of a subscription's items changes and charges: reckoned alike for a preview."""

from typing import NamedTuple

from billing.sandbox.calendar import Period, Recurrence, period_around
from billing.sandbox.documents import Document
from billing.sandbox.engine import reckoning
from billing.sandbox.engine.shapes import Charge, items_of, new_item, period_of, with_items
from billing.sandbox.errors import Invalid, Lacking
from billing.sandbox.requests import Params
from billing.sandbox.world import World

BEHAVIORS = frozenset({"always_invoice", "create_prorations", "none"})
CHANGING = frozenset({"items", "trial_end", "billing_cycle_anchor"})
"""The parameters that change what is charged."""


class Change(NamedTuple):
    """A subscription after a change, and what the change charges."""

    after: Document
    charges: list[Charge]
    is_invoiced_now: bool
    proration_date: int | None


class _Asked(NamedTuple):
    """A change as it was asked for."""

    subscription: Document
    items: list[Document]
    behavior: str
    at: int
    resets: bool

    @property
    def period(self) -> Period:
        return period_of(self.subscription)


def plan(world: World, subscription: Document, params: Params) -> Change:
    """Reckon what `items`, `trial_end` and `billing_cycle_anchor` do; nothing is written.

    Raises `Invalid` for a proration date outside of the period, and for items that do not fit.
    """
    behavior = params.choice("proration_behavior", BEHAVIORS) or "create_prorations"
    items = items_after(world, subscription, params)
    proration_date = params.instant("proration_date")
    resets = params.nested("billing_cycle_anchor").text("type") == "now"
    asked = _Asked(subscription, items, behavior, proration_date or world.now(), resets)
    if subscription["status"] == "trialing" or "trial_end" in params:
        return _around_trial(world, asked, params)
    if not asked.period.start <= asked.at <= asked.period.end:
        raise Invalid(
            "Cannot specify `proration_date` outside of the current billing period.",
            param="proration_date",
        )
    if resets or _starts_anew(world, subscription, items):
        return _anew(world, asked)
    return _within(world, asked)


def items_after(world: World, subscription: Document, params: Params) -> list[Document]:
    """Return the items as `items` of an update leaves them."""
    items = {item["id"]: item for item in items_of(subscription)}
    for wish in params.each("items"):
        known = wish.text("id")
        if known is not None and known not in items:
            raise Invalid(
                f"No such subscription item: '{known}'",
                param=wish.name_of("id"),
                code="resource_missing",
            )
        if known is not None and wish.flag("deleted"):
            del items[known]
        elif known is not None:
            items[known] = _changed(world, items[known], wish)
        else:
            added = _added(world, subscription, wish)
            items[added["id"]] = added
    if not items:
        raise Invalid("A subscription must have at least one active item.", param="items")
    recurrence_of(world, list(items.values()))
    return list(items.values())


def recurrence_of(world: World, items: list[Document]) -> Recurrence:
    """Return how often the items are charged, which has to be the same for all of them."""
    found = {Recurrence.of(world.get("price", item["price"])) for item in items}
    if len(found) > 1:
        raise Invalid(
            "This sandbox charges all items of a subscription at the same interval; "
            "Stripe itself can mix them.",
            param="items",
        )
    return next(iter(found))


def recurring_price(world: World, wish: Params) -> Document:
    """Return the price that an item asks for, which has to be recurring and on sale."""
    price = world.get("price", wish.required.text("price") or "", param=wish.name_of("price"))
    if price["type"] != "recurring":
        raise Invalid(
            f"The price specified is set to `type={price['type']}` but this field only accepts "
            "prices with `type=recurring`.",
            param=wish.name_of("price"),
        )
    if not price["active"]:
        raise Invalid(
            "The price specified is inactive. This field only accepts active prices.",
            param=wish.name_of("price"),
        )
    if price["unit_amount"] is None:
        raise Lacking("subscriptions in fractions of a minor unit", param=wish.name_of("price"))
    return price


def _changed(world: World, item: Document, wish: Params) -> Document:
    after = item | {"metadata": wish.merged_metadata(item["metadata"])}
    if "price" in wish:
        price = recurring_price(world, wish)
        after |= {"price": price["id"], "quantity": 1}
    quantity = wish.integer("quantity")
    return after if quantity is None else after | {"quantity": quantity}


def _added(world: World, subscription: Document, wish: Params) -> Document:
    price = recurring_price(world, wish)
    if price["currency"] != subscription["currency"]:
        raise Invalid(
            f"The price specified supports currencies of `{price['currency']}`. This doesn't "
            f"match the expected currency: `{subscription['currency']}`.",
            param=wish.name_of("price"),
        )
    quantity = wish.integer("quantity")
    return new_item(
        world.new_id("si"),
        subscription=subscription["id"],
        price=price["id"],
        quantity=1 if quantity is None else quantity,
        created=world.now(),
        metadata=wish.merged_metadata(),
    )


def _starts_anew(world: World, subscription: Document, items: list[Document]) -> bool:
    """Tell whether the period begins again: another interval, or from free to paid."""
    before = items_of(subscription)
    if recurrence_of(world, before) != recurrence_of(world, items):
        return True
    return _costs(world, before) == 0 < _costs(world, items)


def _costs(world: World, items: list[Document]) -> int:
    return sum(
        world.get("price", item["price"])["unit_amount"] * item["quantity"] for item in items
    )


def _around_trial(world: World, asked: _Asked, params: Params) -> Change:
    """End, begin or move a trial, or change what it is a trial of."""
    subscription, now = asked.subscription, world.now()
    wish = params.text("trial_end")
    until = now if wish == "now" else params.instant("trial_end")
    if until is not None and until <= now:
        if subscription["status"] != "trialing":
            return _within(world, asked)
        return _anew(world, asked._replace(behavior="none"), trial_end=now)
    if until is None:
        after = with_items(subscription, asked.items, period=asked.period)
        return Change(after, [], is_invoiced_now=False, proration_date=None)
    is_new = subscription["status"] != "trialing"
    credits_ = _credits(world, asked) if is_new and asked.behavior != "none" else []
    trial = {
        "status": "trialing",
        "trial_start": now if is_new else subscription["trial_start"],
        "trial_end": until,
        "billing_cycle_anchor": until,
    }
    start = now if is_new else asked.period.start
    blank = [item | {"_billed": None} for item in asked.items]
    after = with_items(subscription | trial, blank, period=Period(start, until))
    is_now = asked.behavior == "always_invoice"
    return Change(after, credits_, is_invoiced_now=is_now, proration_date=None)


def _anew(world: World, asked: _Asked, *, trial_end: int | None = None) -> Change:
    """Credit what is unused and charge a whole period that begins now."""
    now = world.now()
    period = period_around(now, recurrence_of(world, asked.items), now)
    fields: Document = {"billing_cycle_anchor": now}
    if trial_end is not None:
        fields |= {"status": "active", "trial_end": trial_end}
    after = with_items(asked.subscription | fields, asked.items, period=period)
    credits_ = [] if asked.behavior == "none" else _credits(world, asked)
    charges = credits_ + reckoning.period_charges(world, after, period)
    return Change(after, charges, is_invoiced_now=True, proration_date=asked.at)


def _within(world: World, asked: _Asked) -> Change:
    """Keep the period; credit and charge its rest for the items that changed."""
    period = asked.period
    after = with_items(asked.subscription, asked.items, period=period)
    if asked.behavior == "none":
        return Change(after, [], is_invoiced_now=False, proration_date=None)
    before = {item["id"]: item for item in items_of(asked.subscription)}
    stay = {item["id"] for item in asked.items if _costs_the_same(before.get(item["id"]), item)}
    charges = [
        charge
        for item in before.values()
        if item["id"] not in stay
        for charge in reckoning.unused(world, item, asked.at)
    ]
    charges += [
        reckoning.remaining(world, after, item, period, asked.at)
        for item in asked.items
        if item["id"] not in stay
    ]
    is_now = asked.behavior == "always_invoice"
    return Change(after, charges, is_invoiced_now=is_now, proration_date=asked.at)


def _credits(world: World, asked: _Asked) -> list[Charge]:
    return [
        charge
        for item in items_of(asked.subscription)
        for charge in reckoning.unused(world, item, asked.at)
    ]


def _costs_the_same(before: Document | None, after: Document) -> bool:
    facts = ("price", "quantity")
    return before is not None and [before[fact] for fact in facts] == [
        after[fact] for fact in facts
    ]
