"""Rules, baskets and base rates for the tests of earning rules."""

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from coalition.kernel.money import Rounding
from coalition.points.bonuses import store
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.evaluation import (
    ActiveRules,
    Basket,
    Evaluation,
    Line,
    RuleVersion,
    evaluate,
)
from coalition.points.bonuses.store import KeptRule
from coalition.points.rules import EarningRule, EarningRules

ZONE = ZoneInfo("Europe/Oslo")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
AT = datetime(2026, 10, 3, 15, 0, tzinfo=UTC)
"""A Saturday, at 17 o'clock in Oslo."""

GROCER, FUEL = 1, 2

Bought = tuple[int, str | None] | tuple[int, str | None, int]
"""The amount, the category and the quantity of a line."""


def document(code: str = "a-rule", **fields: Any) -> RuleDocument:
    """Return a document as it comes from a file; `fields` are its keys."""
    written = {"code": code, "name": code, "effect": {"kind": "bonus", "points": 10}} | fields
    return msgspec.convert(written, RuleDocument)


def numbered(
    documents: Iterable[RuleDocument], valid_from: datetime = BEGIN, **fields: Any
) -> list[RuleVersion]:
    """Return first versions of these documents, with numbers from 1."""
    numbers = itertools.count(1)
    return [
        RuleVersion(
            no=no,
            root_no=no,
            code=one.code,
            version=1,
            document=one,
            valid_from=valid_from,
            **({"valid_until": None} | fields),
        )
        for no, one in zip(numbers, documents, strict=False)
    ]


def base_rates() -> EarningRules:
    """Return one point per euro at both partners."""
    return EarningRules(
        EarningRule(no, no, "EUR", 1, 100, Rounding.DOWN, BEGIN) for no in (GROCER, FUEL)
    )


def active(*documents: RuleDocument) -> ActiveRules:
    """Return the documents as rules that hold, beside the base rates."""
    return ActiveRules(numbered(documents), base_rates())


def basket(
    amount_minor: int = 6000,
    lines: Sequence[Bought] = (),
    at: datetime = AT,
    **fields: Any,
) -> Basket:
    """Return a basket at the grocer."""
    known: dict[str, Any] = {"partner_no": GROCER, "currency": "EUR", "store": "S1"} | fields
    return Basket(
        occurred_at=at,
        local=at.astimezone(ZONE),
        amount_minor=amount_minor,
        lines=tuple(
            Line(no, line[0], line[1], quantity=line[2] if len(line) > 2 else 1)
            for no, line in enumerate(lines, start=1)
        ),
        **known,
    )


async def activated(written: RuleDocument, at: datetime) -> KeptRule:
    """Return the version that two persons have activated at `at`."""
    approval = await store.prepare(written, prepared_by="staff:anna", at=at)
    return await store.activate(approval, approved_by="staff:bertil", at=at)


FRUIT_AND_MORE: list[Bought] = [(2000, "fruit", 3), (500, "dairy"), (700, "fruit")]


def earned(*rules: dict[str, Any], **of_basket: Any) -> Evaluation:
    """Return what a basket earns under rules of these fields, beside the base rate."""
    documents = [
        document(**{"code": f"rule-{no}", "name": f"Rule {no}"} | rule)
        for no, rule in enumerate(rules, start=1)
    ]
    return evaluate(active(*documents), basket(**of_basket), {})


def texts(found: Evaluation) -> list[tuple[int, str]]:
    """Return the reasons without the names of their rules."""
    return [(reason.points, reason.text) for reason in found.reasons]


def multiplier(factor: str, **more: Any) -> dict[str, Any]:
    """Return the fields of a rule that multiplies the base."""
    return {"effect": {"kind": "multiplier", "factor": factor}} | more


def bonus(points: int, **more: Any) -> dict[str, Any]:
    """Return the fields of a rule that gives `points` a basket."""
    return {"effect": {"kind": "bonus", "points": points}} | more
