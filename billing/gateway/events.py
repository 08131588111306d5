"""What an event of Stripe says that we go by: its name, its kind, and what to look at anew.

Nothing else of it is believed: events come twice, late and out of order, in the shape of whatever
version of the API the account had. Both of today's shapes and of older ones name their target.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from billing.gateway.refusals import EventUnreadable

THIN = "v2.core.event"
"""The `object` of events that carry no data; nothing we go by comes that way."""

_LONGEST = 255
_ID = re.compile(rf"[A-Za-z0-9_]{{1,{_LONGEST}}}", re.ASCII)
_LATEST_S: Final = 253_402_300_799  # the end of the year 9999


class ReceivedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event, with the id of what has to be looked at, if anything."""

    id: str
    kind: str
    api_version: str | None
    created_at: datetime | None
    is_live: bool
    target: str | None


class _Named(msgspec.Struct):
    id: str | None = None


_Reference = str | _Named | None


class _SubscriptionDetails(msgspec.Struct):
    subscription: _Reference = None


class _Parent(msgspec.Struct):
    subscription_details: _SubscriptionDetails | None = None


class _Object(msgspec.Struct):
    id: str | None = None
    subscription: _Reference = None
    released_subscription: _Reference = None
    parent: _Parent | None = None
    payment_intent: _Reference = None
    invoice: _Reference = None


class _Event(msgspec.Struct):
    id: str
    type: str
    object: str = ""
    api_version: str | None = None
    created: int | float | str | None = None
    livemode: bool = False
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Before(msgspec.Struct):
    balance: int | None = None


class _Data(msgspec.Struct):
    object: _Object
    previous_attributes: _Before | None = None


_events = msgspec.json.Decoder(_Event)
_data = msgspec.json.Decoder(_Data)


def read(payload: bytes) -> ReceivedEvent:
    """Return what a payload says, from a body whose signature was checked.

    Raises `EventUnreadable`. An event of an unknown kind, or in an unknown shape, has no target.
    """
    try:
        event = _events.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventUnreadable from error
    texts = (event.id, event.type, event.api_version or "")
    if not event.id or any("\0" in text or len(text) > _LONGEST for text in texts):
        raise EventUnreadable("The event's id, type or version is empty, too long or holds a NUL")
    return ReceivedEvent(
        id=event.id,
        kind=event.type,
        api_version=event.api_version,
        created_at=_instant(event.created),
        is_live=event.livemode,
        target=None if event.object == THIN else _target(event),
    )


def _instant(created: float | str | None) -> datetime | None:
    if isinstance(created, str) or created is None or not 0 <= created <= _LATEST_S:
        return None
    return datetime.fromtimestamp(created, UTC)


def _target(event: _Event) -> str | None:
    family = next((name for name in _TARGETS if event.type.startswith(name)), None)
    if family is None:
        return None
    try:
        data = _data.decode(event.data)
        found = _TARGETS[family](data.object)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if family == _CREDIT and (data.previous_attributes or _Before()).balance is None:
        return None
    # An id becomes part of an address at Stripe: what could lead elsewhere there is none.
    return found if found and _ID.fullmatch(found) else None


def _id(reference: _Reference) -> str | None:
    return reference.id if isinstance(reference, _Named) else reference


def _of_invoice(one: _Object) -> str | None:
    details = None if one.parent is None else one.parent.subscription_details
    return _id(one.subscription if details is None else details.subscription)


def _of_invoice_payment(one: _Object) -> str | None:
    return _id(one.invoice)


def _of_payment(one: _Object) -> str | None:
    return _id(one.payment_intent)


def _of_schedule(one: _Object) -> str | None:
    return _id(one.subscription) or _id(one.released_subscription)


def _itself(one: _Object) -> str | None:
    return one.id


_CREDIT = "customer.updated"
"""Of a customer nothing is looked at but what credit it has left, where that has changed."""

_TARGETS: Final[dict[str, Callable[[_Object], str | None]]] = {
    "customer.subscription.": _itself,
    "subscription_schedule.": _of_schedule,
    "invoice_payment.": _of_invoice_payment,
    "invoice.": _of_invoice,
    "checkout.session.": _itself,
    "charge.refund": _of_payment,
    "charge.dispute.": _of_payment,
    "refund.": _of_payment,
    _CREDIT: _itself,
}
"""Which events ask for a look at what; charges and payments that succeed come with an invoice or a
checkout, which has its own."""
