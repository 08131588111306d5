"""What is wrong with a document beyond its form, each with its place and what would be right."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from coalition.federation import catalogue, service
from coalition.kernel.database import transaction
from coalition.points.bonuses.checking import Known, complaints, settled
from coalition.points.bonuses.documents import RuleDocument
from tests.points.bonuses.world import document
from tests.points.world import ACTOR, TERMS, make_world

NUMBERS = {"1": 1, "grocer": 1, "2": 2, "fuel": 2}
KNOWN = Known(NUMBERS, frozenset({(1, "S1")}), ZoneInfo("Europe/Oslo"), ("Fuel", "Grocer"))
RATE = {"kind": "rate", "points": 1, "per_minor": 100}
TWICE = {"kind": "multiplier", "factor": "2"}


def said(**fields: Any) -> list[tuple[str, str]]:
    found = complaints(document(**fields), KNOWN)
    return [(".".join(map(str, path)), text) for path, text in found]


@pytest.mark.parametrize(
    ("fields", "where", "text"),
    [
        (
            {"applies_to": {"partners": [1, 3]}},
            "applies_to.partners.1",
            "no partner 3; known are: Fuel, Grocer",
        ),
        ({"applies_to": {"stores": ["S1"]}}, "applies_to.stores", "name that one partner"),
        (
            {"applies_to": {"stores": ["S1"], "partners": [1, 2]}},
            "applies_to.stores",
            "name that one partner",
        ),
        (
            {"applies_to": {"stores": ["S1", "S2"], "partners": ["Grocer"]}},
            "applies_to.stores.1",
            "the partner has no store 'S2'",
        ),
        ({"applies_to": {"currency": "XXX"}}, "applies_to.currency", "use an ISO 4217 code"),
        ({"applies_to": {"least": {"amount_minor": 5}}}, "applies_to.least", "name it in"),
        (
            {"applies_to": {"currency": "EUR", "least": {"amount_minor": 5, "of": "lines"}}},
            "applies_to.least.of",
            "name them, or write basket",
        ),
        ({"applies_to": {"hours": ["08:00-08:00"]}}, "applies_to.hours.0", "leave hours out"),
        ({"effect": RATE}, "effect", "name it in applies_to.currency"),
        ({"effect": TWICE | {"factor": "1"}}, "effect.factor", "write more than 1"),
        ({"effect": TWICE | {"factor": "1000.1"}}, "effect.factor", 'up to "1000"'),
        (
            {"effect": TWICE | {"of": "so_far"}, "applies_to": {"categories": ["fruit"]}},
            "effect.of",
            "write base",
        ),
        (
            {"effect": {"kind": "per_measure", "points": 1, "measure": "Visits"}},
            "effect.measure",
            "small letters",
        ),
        ({"stacking": {"combine": "best_of"}}, "stacking.combine", "name it in group"),
        ({"stacking": {"group": "a"}}, "stacking.group", "or write combine: best_of"),
        (
            {"effect": TWICE, "stacking": {"combine": "replaces_base"}},
            "stacking.combine",
            "write a rate instead",
        ),
        ({"funding": [{"funder": "x", "weight": 1}]}, "funding.0.funder", "no partner 'x'"),
        ({"funding": [{"funder": "operator"}]}, "funding.0", "write either share or weight"),
        (
            {"funding": [{"funder": 1, "weight": 1}, {"funder": "grocer", "weight": 1}]},
            "funding",
            "a funder is named twice",
        ),
        (
            {"funding": [{"funder": 1, "weight": 1}, {"funder": 2, "share": "1"}]},
            "funding",
            "all parts as shares, or all as weights",
        ),
        (
            {"funding": [{"funder": 1, "share": "0.5"}, {"funder": 2, "share": "0.6"}]},
            "funding",
            "the shares add up to 1.1",
        ),
        (
            {"funding": [{"funder": 1, "share": "1"}, {"funder": 2, "share": "0"}]},
            "funding",
            "leave that funder out",
        ),
        ({"condition": "basket.amount_minor"}, "condition", "a condition yields a bool"),
        ({"valid_from": "2027-02-30"}, "valid_from", "2027-02-30 is no day of the calendar"),
        ({"valid_from": "0001-01-01"}, "valid_from", "where the calendar ends; leave valid_from"),
        ({"valid_until": "9999-12-31"}, "valid_until", "calendar ends; leave valid_until out"),
        ({"valid_until": "9999-12-31T23:00:00-14:00"}, "valid_until", "leave valid_until out"),
        (
            {"valid_from": "2027-02-02", "valid_until": "2027-02-01"},
            "valid_until",
            "end before it begins",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_each_mistake_is_named_with_its_place_and_remedy(
    fields: dict[str, Any], where: str, text: str
) -> None:
    ((found, words),) = said(**fields)
    assert found == where
    assert text in words


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"applies_to": {"partners": ["GROCER", "2"], "hours": ["00:00-24:00", "22:00-06:00"]}},
        {"applies_to": {"partners": [1], "stores": ["S1"]}},
        {"applies_to": {"partners": ["nobody"], "stores": ["S1"]}},
        {"effect": RATE, "applies_to": {"currency": "EUR", "least": {"amount_minor": 5}}},
        {"effect": TWICE | {"of": "so_far"}},
        {"stacking": {"combine": "best_of", "group": "a"}},
        {"funding": [{"funder": "operator", "share": "0.5"}, {"funder": "issuer", "share": "0.5"}]},
        {"valid_from": "2027-02-01", "valid_until": "2027-02-01"},
        {"valid_from": "2027-02-01T10:00:00+01:00", "valid_until": "2027-02-01T09:00:01Z"},
    ],
    ids=str,
)
def test_what_is_right_has_no_complaint(fields: dict[str, Any]) -> None:
    found = said(**fields)
    assert [where for where, _ in found if where != "applies_to.partners.0"] == []


def test_names_become_numbers_each_once() -> None:
    written = document(
        applies_to={"partners": ["Fuel", 1, " grocer "]},
        funding=[{"funder": "Fuel", "weight": 1}, {"funder": "operator", "weight": 1}],
    )
    kept = settled(written, KNOWN)
    assert kept.applies_to.partners == (1, 2)
    assert [part.funder for part in kept.funding] == [2, "operator"]
    assert settled(kept, KNOWN) == kept


@pytest.mark.usefixtures("database")
async def test_a_name_that_two_partners_have_names_neither(at: datetime) -> None:
    world = await make_world(at)
    await service.create_partner(name="fuel", terms=TERMS, actor=ACTOR, at=at)
    async with transaction() as connection:
        known = Known.of(await catalogue.load(connection))
    assert (known.number("Fuel"), known.number(world.fuel)) == (None, world.fuel)
    assert known.number("GROCER") == world.grocer


def test_without_partners_the_complaint_says_so() -> None:
    nobody = Known({}, frozenset(), ZoneInfo("UTC"))
    ((_, text),) = complaints(document(applies_to={"partners": ["x"]}), nobody)
    assert text == "there is no partner 'x'; known are: none yet"
    many = Known({}, frozenset(), ZoneInfo("UTC"), tuple(f"p{number}" for number in range(9)))
    ((_, text),) = complaints(document(applies_to={"partners": ["x"]}), many)
    assert text.endswith("p6, p7 and others")


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "Fruit"},
        {"code": "fruit\n"},
        {"unknown": 1},
        {"effect": {"kind": "bonus", "points": 0}},
        {"effect": {"kind": "multiplier", "factor": 2}},
        {"effect": {"kind": "multiplier", "factor": "two"}},
        {"applies_to": {"hours": ["8-12"]}},
        {"valid_from": "tomorrow"},
        {"condition": "x" * 1001},
        {"caps": {"hour": 5}},
    ],
    ids=str,
)
def test_what_has_not_the_form_is_no_document(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        document(**fields)


def test_the_schema_forbids_what_it_does_not_know() -> None:
    schema = msgspec.json.schema(RuleDocument)
    parts = [part for part in schema["$defs"].values() if part.get("type") == "object"]
    assert len(parts) == 10
    assert all(part["additionalProperties"] is False for part in parts)
