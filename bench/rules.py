"""The rules group: what fifty earning rules cost a single posting, ten of them asked in CEL.

They are spread as in a real coalition: ten hold everywhere, forty at one of five partners. Of those
that hold where the load comes from, most are about other stores, members, hours or amounts; one in
five purchases earns a bonus that two funders share.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from bench.ledger import ISSUE, Bench, audited
from bench.report import Result, Samples, measures_of, result_of
from bench.world import PARTNERS, World, make_world, serving
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database
from coalition.points.bonuses import store
from coalition.points.bonuses.documents import RuleDocument
from server.apps import APPS

GROUP = "rules"
MEMBERS = 20_000
LOTS_EACH = 10

_HALVES = [{"funder": "operator", "share": "0.5"}, {"funder": "issuer", "share": "0.5"}]
_TWICE = {"kind": "multiplier", "factor": "2"}
_TEN = {"kind": "bonus", "points": 10}

_EVERYWHERE: list[dict[str, Any]] = [
    {"effect": _TWICE, "condition": "member.tier == 'gold' && basket.amount_minor > 5000"},
    {"effect": _TWICE, "applies_to": {"tiers": ["gold", "platinum"]}},
    {"effect": _TWICE, "applies_to": {"plans": ["plus"]}, "funding": _HALVES},
    {"effect": _TEN, "condition": "'student' in member.segments && time.hour >= 0"},
    {"effect": _TEN, "applies_to": {"segments": ["newcomer"]}, "caps": {"campaign": 100}},
    {"effect": _TEN, "applies_to": {"currency": "EUR", "least": {"amount_minor": 20_000}}},
    {
        "effect": {"kind": "per_measure", "points": 5, "measure": "visits"},
        "condition": "'visits' in basket.measures && basket.measures['visits'] > 1",
    },
    {"effect": _TEN, "applies_to": {"categories": ["organic"]}},
    {"effect": _TEN, "applies_to": {"currency": "SEK"}},
    {"effect": _TEN, "applies_to": {"flags": ["trial"]}},
]
_AT_EACH_PARTNER: list[dict[str, Any]] = [
    {"effect": _TEN, "applies_to": {"stores": ["s1", "s6", "s11", "s16"]}, "funding": _HALVES},
    {"effect": _TWICE, "applies_to": {"categories": ["fruit"]}},
    {"effect": _TEN, "applies_to": {"currency": "EUR", "least": {"amount_minor": 50_000}}},
    {
        "effect": {"kind": "multiplier", "factor": "1.5"},
        "applies_to": {"tiers": ["silver"]},
        "stacking": {"combine": "best_of", "group": "tier"},
    },
    {
        "effect": {"kind": "multiplier", "factor": "3"},
        "applies_to": {"tiers": ["gold"]},
        "stacking": {"combine": "best_of", "group": "tier"},
    },
    {
        "effect": {"kind": "rate", "points": 2, "per_minor": 100},
        "applies_to": {"currency": "EUR", "stores": ["s19"], "segments": ["staff"]},
    },
    {"effect": _TEN, "condition": "basket.amount_minor >= 20000 && basket.currency == 'EUR'"},
    {"effect": _TEN, "applies_to": {"plans": ["plus"]}, "caps": {"day": 10, "month": 50}},
]


def documents() -> Iterator[RuleDocument]:
    """Yield the fifty rules."""
    for no, fields in enumerate(_EVERYWHERE, start=1):
        yield _document(f"everywhere-{no}", fields)
    for partner in range(1, PARTNERS + 1):
        for no, fields in enumerate(_AT_EACH_PARTNER, start=1):
            applies = fields.get("applies_to", {}) | {"partners": [partner]}
            own = fields | {"applies_to": applies}
            # The first two partners ask for one thing more, which makes ten conditions in all.
            if no == 1 and partner <= 2:
                own |= {"condition": "basket.amount_minor > 1000"}
            yield _document(f"partner-{partner}-{no}", own)


def run(*, rounds: int, seconds: int, say: Callable[[str], None]) -> list[Result]:
    """Measure single issues in a world without rules and in one with fifty, in turn."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        say("making a world without earning rules and one with fifty")
        bare = _world(Path(folder) / "bare")
        ruled = _world(Path(folder) / "ruled")
        with bare as without, ruled as having:
            asyncio.run(_activate(having.postgres.url))
            with serving(without), serving(having):
                for world in (without, having):
                    Bench(world, "", seconds, Samples()).single("warm_up", ISSUE)
                for no in range(rounds):
                    say(f"round {no + 1} of {rounds}")
                    Bench(without, "", seconds, samples).single("no_rules", ISSUE)
                    Bench(having, "", seconds, samples).single("fifty_rules", ISSUE)
            report = asyncio.run(audited(having.postgres.url))
            say(f"audit: {report.checks} checks, {len(report.breaches)} breaches")
            assert report.ok, report.breaches
    return [result_of(GROUP, measure, samples) for measure in measures_of(GROUP)]


def _world(directory: Path) -> AbstractContextManager[World]:
    size = MEMBERS * LOTS_EACH
    return make_world(directory, members=MEMBERS, lots_each=LOTS_EACH, postings=size)


async def _activate(url: str) -> None:
    engine = await open_database(url, apps=APPS)
    try:
        for document in documents():
            at = SystemClock().now()
            approval = await store.prepare(document, prepared_by="bench:first", at=at)
            await store.activate(approval, approved_by="bench:second", at=at)
    finally:
        await engine.close()


def _document(code: str, fields: dict[str, Any]) -> RuleDocument:
    return msgspec.convert({"code": code, "name": code} | fields, RuleDocument)
