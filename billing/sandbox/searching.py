"""Stripe's searches: `email:'ada@example.com' AND metadata['plan']:'plus'`, newest first.

At Stripe a search may be minutes behind; here it is not, so nothing should lean on it for what was
written just before.
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from operator import ge, gt, le, lt
from typing import Any

from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid
from billing.sandbox.requests import Params
from billing.sandbox.routing import route
from billing.sandbox.world import World

_CLAUSE = re.compile(
    r"""\s*(?P<not>-?)(?P<field>[a-z_.]+)(?:\[['"](?P<key>[^'"]+)['"]\])?"""
    r"""(?P<is>:|~|>=|<=|>|<)(?:['"](?P<text>(?:[^'"\\]|\\.)*)['"]|(?P<bare>\w+))\s*"""
)
_JOINT = re.compile(r"(AND|OR)(?=\s)", re.IGNORECASE)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {">": gt, "<": lt, ">=": ge, "<=": le}
_KINDS = {
    "charges": "charge",
    "customers": "customer",
    "invoices": "invoice",
    "payment_intents": "payment_intent",
    "prices": "price",
    "products": "product",
    "subscriptions": "subscription",
}
_Test = Callable[[Document], bool]


def parsed(query: str) -> _Test:
    """Return the test that a query means; AND and OR do not mix, as at Stripe."""
    tests: list[_Test] = []
    joints: set[str] = set()
    place = 0
    while True:
        clause = _CLAUSE.match(query, place)
        if clause is None:
            raise Invalid(f"We were unable to parse your search query: {query}", param="query")
        tests.append(_test(clause))
        place = clause.end()
        if place == len(query):
            break
        joint = _JOINT.match(query, place)
        joints.add(joint[1].upper() if joint else "AND")
        place = joint.end() if joint else place
    if len(joints) > 1:
        raise Invalid("A search query cannot mix AND and OR.", param="query")
    together = any if joints == {"OR"} else all
    return lambda document: together(test(document) for test in tests)


def _test(clause: re.Match[str]) -> _Test:
    path = [*clause["field"].split("."), *([clause["key"]] if clause["key"] else [])]
    wanted = clause["bare"] if clause["text"] is None else re.sub(r"\\(.)", r"\1", clause["text"])
    is_wanted = not clause["not"]
    relation = clause["is"]

    def test(document: Document) -> bool:
        value: Any = document
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return _holds(value, relation, wanted) is is_wanted

    return test


def _holds(value: Any, relation: str, wanted: str) -> bool:
    if wanted == "null":
        return value is None
    if value is None:
        return False
    if relation in _ORDERS:
        try:
            return _ORDERS[relation](Decimal(str(value)), Decimal(wanted))
        except InvalidOperation:
            return False
    text = str(value).lower()
    return wanted.lower() in text if relation == "~" else text == wanted.lower()


def _search(path: str, kind: str) -> None:
    @route("GET", f"/v1/{path}/search")
    def search(world: World, params: Params) -> Document:
        """Return what a query finds, a page at a time; `page` is where to go on."""
        test = parsed(params.required.text("query") or "")
        limit = min(max(params.integer("limit") or 10, 1), 100)
        start = params.integer("page") or 0
        found = [
            document
            for document in world.all(kind, newest_first=True)
            if not document.get("deleted") and test(world.show(document))
        ]
        end = start + limit
        has_more = end < len(found)
        return {
            "object": "search_result",
            "data": found[start:end],
            "has_more": has_more,
            "next_page": str(end) if has_more else None,
            "url": world.request.path,
        }


for _path, _kind in _KINDS.items():
    _search(_path, _kind)
