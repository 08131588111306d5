"""The time machine: where the account's time stands, what comes next, what has happened."""

from datetime import UTC, datetime, timedelta
from typing import Any

from billing.sandbox.calendar import DAY_S, Recurrence, boundary
from billing.sandbox.documents import Document
from billing.sandbox.engine import wording
from billing.sandbox.pages.rendering import rendered
from billing.sandbox.requests import Params
from billing.sandbox.routing import Page, Travel, page
from billing.sandbox.world import World

_PATH = "/time-machine"
_MONTH = Recurrence("month")
_FARTHEST_S = 3 * 366 * DAY_S
_SHOWN = 60
_JUMPS = ({"value": "day", "says": "+ 1 day"}, {"value": "week", "says": "+ 1 week"})
_LATER = ({"value": "month", "says": "+ 1 month"}, {"value": "year", "says": "+ 1 year"})
_DUE = {
    "checkout.expire": "A checkout that nobody completed expires",
    "invoice.collect": "A payment is tried again",
    "invoice.finalize": "An invoice is finalised and charged",
    "schedule.turn": "A planned change begins",
    "subscription.cancel_at": "A membership ends",
    "subscription.incomplete_expiry": "A start without payment expires",
    "subscription.pending_expiry": "A change without payment is forgotten",
    "subscription.resumes": "Payments begin again after a pause",
    "subscription.trial_reminder": "A trial ends soon: its reminder",
    "subscription.turn": "A period ends",
    "subscription.upcoming": "A renewal is announced",
}


@page("GET", _PATH)
def show(world: World, params: Params) -> Page:
    """Show the clock, and what it will do and has done."""
    return _shown(world, done="Time has moved on." if params.text("moved") else "")


@page("POST", _PATH)
def jump(world: World, params: Params) -> Page | Travel:
    """Move the account's time on."""
    now = world.now()
    wish = params.text("jump") or ""
    until = _instant(params.text("to") or "") if wish == "to" else _later(now, wish)
    if until is None:
        return _shown(world, trouble="Write a date such as 2027-02-28.")
    if not now < until <= now + _FARTHEST_S:
        return _shown(world, trouble="Time goes forward only, and by three years at most.")
    return Travel(until, "time-machine?moved=1")


def _later(now: int, wish: str) -> int | None:
    steps = {"day": now + DAY_S, "week": now + 7 * DAY_S}
    months = {"month": 1, "year": 12}
    return boundary(now, _MONTH, months[wish]) if wish in months else steps.get(wish)


def _instant(text: str) -> int | None:
    """Return the end of a day, so that all that is due on it has happened."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int((day + timedelta(days=1)).timestamp()) - 1


def _shown(world: World, *, done: str = "", trouble: str = "") -> Page:
    ahead = int(float(world.store.meta("offset") or 0))
    content: dict[str, Any] = {
        "ahead": f"{ahead // DAY_S} days ahead of the true time." if ahead >= DAY_S else "",
        "jumps": [*_JUMPS, *_LATER],
        "done": done,
        "trouble": trouble,
        "due": [_due(world, *row) for row in _next(world)],
        "happened": [_happened(event) for event in _events(world)],
    }
    return rendered(world, "time_machine.html", deep=False, page=content)


def _next(world: World) -> list[tuple[str, str, int]]:
    rows = world.store.sql.execute(
        "SELECT kind, id, at FROM due WHERE clock = '' ORDER BY at, seq LIMIT 40"
    )
    known = [row for row in rows if row[0] in _DUE][:8]
    return [(str(kind), str(id_), int(at)) for kind, id_, at in known]


def _due(world: World, kind: str, id_: str, at: int) -> dict[str, Any]:
    document = world.store.find_any(id_) or {}
    who = _who(world, document.get("customer"))
    return {"at": at, "what": _DUE[kind] + (f" ({who})" if who else "")}


def _events(world: World) -> list[Document]:
    return world.store.all("event", newest_first=True, limit=_SHOWN)


def _happened(event: Document) -> dict[str, Any]:
    return {
        "at": event["created"],
        "type": event["type"],
        "what": _what(event["data"]["object"]),
    }


def _what(document: Document) -> str:
    """Say what an event was about: an amount, a state, or only whose it is."""
    kind, said = document["object"], []
    amount = document.get("total" if kind == "invoice" else "amount")
    if isinstance(amount, int) and document.get("currency"):
        said.append(wording.money(amount, document["currency"]))
    if document.get("status"):
        said.append(str(document["status"]).replace("_", " "))
    if kind == "customer" and document.get("email"):
        said.append(document["email"])
    return ", ".join(said)


def _who(world: World, customer: str | None) -> str:
    return str((world.find("customer", customer) or {}).get("email") or "")
