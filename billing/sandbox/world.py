"""What a route sees: documents, the time of the customer it speaks of, the events it makes."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from billing.sandbox import routing
from billing.sandbox.documents import Document, listed, previous_attributes, visible
from billing.sandbox.errors import Missing
from billing.sandbox.nullable import nulls_of
from billing.sandbox.requests import Params
from billing.sandbox.store import DueEntry, Transaction

API_VERSION = "2026-10-28.endive"
_LETTERS = {"cus": 14, "prod": 14, "clock": 24, "evt": 24, "req": 14, "promo": 24}
_ID = re.compile(r"[a-z]+_\w{8,64}")
_DEEPEST_EXPANSION = 4


@dataclass(frozen=True)
class RequestInfo:
    """What is known of the request at work; without one the sandbox acts by itself."""

    id: str | None = None
    idempotency_key: str | None = None
    api_version: str = API_VERSION
    path: str = ""


class World:
    """One transaction of the sandbox, at an instant."""

    def __init__(
        self,
        transaction: Transaction,
        *,
        account_now: int,
        request: RequestInfo | None = None,
        public_url: str = "",
    ) -> None:
        """Act in a transaction at the account's instant, until a customer's clock is chosen."""
        self.store = transaction
        self.request = request or RequestInfo()
        self.account_now = account_now
        self.public_url = public_url
        self._now = account_now
        self.clock = ""

    # ---- time

    def now(self) -> int:
        """Return the present instant in seconds, by the chosen customer's clock."""
        return self._now

    def stand_at(self, clock: str, at: int) -> None:
        """Live at an instant of a clock; "" is the account's own time."""
        self.clock, self._now = clock, at

    def clock_of(self, customer_id: str | None) -> str:
        """Return the test clock that a customer lives by, or "" for the account's time."""
        customer = self.store.find("customer", customer_id) if customer_id else None
        return (customer or {}).get("test_clock") or ""

    def live_by(self, customer_id: str | None) -> None:
        """Live by the clock of a customer."""
        self.live_by_clock(self.clock_of(customer_id))

    def live_by_clock(self, clock_id: str) -> None:
        """Live by a test clock, or the account's own time for ""."""
        if clock_id == self.clock:
            return
        clock = self.store.find("test_helpers.test_clock", clock_id) if clock_id else None
        self.stand_at(clock_id, clock["frozen_time"] if clock else self.account_now)

    def live_by_request(self, params: Params, names: Mapping[str, str]) -> None:
        """Live by the clock of the first object that a request names."""
        given = [value for value in params.values.values() if isinstance(value, str)]
        hints = [value for value in given if _ID.fullmatch(value)]
        for id_ in (*names.values(), *hints):
            document = self.store.find_any(id_) or {}
            clock = document.get("test_clock") or self.clock_of(_customer_id(document))
            if clock:
                self.live_by_clock(clock)
                return

    # ---- documents

    def new_id(self, prefix: str) -> str:
        """Return a new id with Stripe's prefix."""
        return self.store.new_id(prefix, _LETTERS.get(prefix, 24))

    def find(self, kind: str, id_: str | None) -> Document | None:
        """Return a document, or None."""
        return self.store.find(kind, id_) if id_ else None

    def get(self, kind: str, id_: str, *, param: str | None = None) -> Document:
        """Return a document; refused as Stripe does when there is none.

        `param` is the parameter that named it: then the refusal is 400, else 404.
        """
        found = self.store.find(kind, id_)
        if found is None or found.get("deleted"):
            raise Missing(kind, id_, param)
        return found

    def all(
        self, kind: str, where: Mapping[str, Any] | None = None, *, newest_first: bool = False
    ) -> list[Document]:
        """Return the documents whose dotted paths have these values, in order of their making."""
        return self.store.all(kind, where, newest_first=newest_first)

    def add(self, document: Document, *, event: str | None = None) -> Document:
        """Keep a new document, which gets `created` and `livemode` when it lacks them."""
        document.setdefault("created", self.now())
        document.setdefault("livemode", False)
        self.store.put(document)
        if event is not None:
            self.emit(event, document)
        return document

    def save(self, document: Document, *, event: str | None = None) -> Document:
        """Keep a changed document; the event tells the former values, no change makes none."""
        before = self.store.find(document["object"], document["id"]) or {}
        self.store.put(document)
        if event is not None:
            previous = previous_attributes(self.show(before), self.show(document))
            if previous:
                self.emit(event, document, previous=previous)
        return document

    def save_as(self, document: Document, *, event: str) -> Document:
        """Keep a changed document with an event that tells its new state, not what changed."""
        self.store.put(document)
        self.emit(event, document)
        return document

    def remove(self, document: Document, *, event: str | None = None) -> Document:
        """Forget a document and return what tells so."""
        self.store.remove(document["id"])
        if event is not None:
            self.emit(event, document)
        return {"id": document["id"], "object": document["object"], "deleted": True}

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what was done inside when it ends by an error."""
        with self.store.savepoint():
            yield

    # ---- what is planned, and what happens

    def schedule(self, kind: str, id_: str, *, at: int, customer: str | None = None) -> None:
        """Plan something for an instant by the customer's clock, in place of an earlier plan."""
        clock = self.clock_of(customer) if customer else self.clock
        self.store.schedule(DueEntry(kind, id_, at), clock)

    def unschedule(self, kind: str, id_: str) -> None:
        """Plan it no more."""
        self.store.unschedule(kind, id_)

    def emit(self, type_: str, document: Document, *, previous: Document | None = None) -> Document:
        """Make an event that shows the document as it is now, and let the sandbox react to it."""
        data: Document = {"object": self.show(document)}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Document = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.account_now,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request.id, "idempotency_key": self.request.idempotency_key},
            "type": type_,
        }
        self._send(event)
        for reaction in routing.REACTIONS.get(type_, ()):
            reaction(self, document)
        return event

    def _send(self, event: Document) -> None:
        """Keep an event, with a delivery for each endpoint that wants it."""
        if self.store.witness is not None:
            self.store.witness(event)
        self.store.put(event)
        for endpoint in self.store.all("webhook_endpoint", {"status": "enabled"}):
            if {"*", event["type"]} & set(endpoint["enabled_events"]):
                self.store.post(event["id"], endpoint["id"], at=self.account_now)

    # ---- answers

    def show(self, document: Document) -> Document:
        """Return a document as Stripe shows it, unexpanded."""
        kind = document.get("object", "")
        shown = routing.SHOWN.get(kind)
        looks: Document = visible(document if shown is None else shown(self, document))
        return looks if looks.get("deleted") else nulls_of(kind) | looks

    def listing(
        self,
        params: Params,
        kind: str,
        where: Mapping[str, Any] | None = None,
        *,
        url: str | None = None,
        since: int | None = None,
    ) -> Document:
        """Return the page of a list that a request asks for, newest first as Stripe does.

        What was made before `since` is not there any more.
        """
        limit = min(max(params.integer("limit") or 10, 1), 100)
        after, before = params.text("starting_after"), params.text("ending_before")
        cursor = after or before
        beyond = None
        if cursor is not None:
            beyond = self.store.place(kind, cursor)
            if beyond is None:
                raise Missing(kind, cursor, "starting_after" if after else "ending_before")
        bounds = params.bounds()
        if since is not None:
            bounds["gte"] = max(bounds.get("gte", since), since)
        is_backwards = before is not None and after is None
        found = self.store.all(
            kind,
            where,
            newest_first=not is_backwards,
            created=bounds,
            beyond=beyond,
            limit=limit + 1,
        )
        page = found[:limit]
        if is_backwards:
            page.reverse()
        return listed(page, url or self.request.path, has_more=len(found) > limit)

    def answer(self, document: Document, expand: list[str]) -> Document:
        """Return what a route gave as it is sent: shown, with the fields that were asked for."""
        answer = self._shown_deeply(document)
        for path in expand:
            steps = path.split(".")
            if len(steps) > _DEEPEST_EXPANSION + (steps[0] == "data"):
                raise routing.cannot_expand(path)
            self._expand(answer, steps, path)
        return answer

    def url(self, path: str) -> str:
        """Return the address of a page of the sandbox."""
        return f"{self.public_url}{path}"

    def _shown_deeply(self, document: Document) -> Document:
        if document.get("object") in {"list", "search_result"}:
            data = [self.show(element) for element in document["data"]]
            return document | {"data": data}
        return self.show(document)

    def _expand(self, holder: Any, steps: list[str], path: str) -> None:
        if isinstance(holder, list):
            for element in holder:
                self._expand(element, steps, path)
            return
        if not isinstance(holder, dict) or not steps:
            return
        name, rest = steps[0], steps[1:]
        holder[name] = self._expanded(holder, name, path, is_last=not rest)
        if rest:
            self._expand(holder[name], rest, path)

    def _expanded(self, holder: Document, name: str, path: str, *, is_last: bool) -> Any:
        value = holder.get(name)
        if isinstance(value, str) and (document := self.store.find_any(value)) is not None:
            return self.show(document)
        if name not in holder or value is None:
            expansion = routing.EXPANSIONS.get((holder.get("object", ""), name))
            if expansion is not None:
                found = expansion(self, self.store.find_any(holder.get("id", "")) or holder)
                return self._shown_deeply(found) if isinstance(found, dict) else found
            if name not in holder:
                raise routing.cannot_expand(path)
        if isinstance(value, list):
            return [self._element(element) for element in value]
        if is_last and value is not None and not isinstance(value, dict):
            raise routing.cannot_expand(path)
        return value

    def _element(self, element: Any) -> Any:
        document = self.store.find_any(element) if isinstance(element, str) else None
        return element if document is None else self.show(document)


def _customer_id(document: Document) -> str | None:
    if document.get("object") == "customer":
        return str(document["id"])
    customer = document.get("customer")
    return customer if isinstance(customer, str) else None
