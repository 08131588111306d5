"""Holds the sandbox's guide to what is there; a failure prints the list as it should be."""

from billing.sandbox.contract import listed_routes, report
from billing.sandbox.payments import cards
from tests.structure import tree

GUIDE = (tree.ROOT / "docs/guides/stripe-sandbox.md").read_text("utf-8")


def test_the_guide_lists_every_route_of_the_sandbox() -> None:
    listed = GUIDE.partition("## What is there")[2].partition("```text\n")[2].partition("```")[0]
    assert listed == listed_routes(), f"it should be\n{listed_routes()}"


def test_the_guide_counts_the_routes_of_the_package() -> None:
    told = report()
    assert f"The package's {len(told['there']) + len(told['lacking'])} routes" in GUIDE


def test_every_card_of_the_guide_is_one() -> None:
    section = GUIDE.partition("## Cards")[2].partition("##")[0]
    rows = [row.split("|") for row in section.splitlines() if row.startswith("| 4")]
    assert len(rows) >= 9
    for _, number, name, *_ in rows:
        card = cards.by_name(name.strip(" `"))
        assert card is not None
        assert card.number == number.replace(" ", "")


def test_every_card_number_is_one_and_no_two_are_the_same() -> None:
    assert all(cards.is_number(card.number) for card in cards.CARDS)
    assert len(cards.BY_NUMBER) == len(cards.CARDS)
