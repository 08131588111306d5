"""An invalid step is refused before anything runs: the line, the key and what would be right."""

import pytest

from server.scenario.steps import LATER
from tests.scenarios.bad import FIRST, WORLD, of_steps, problems

_UNKNOWN = "'home' is not among the families of this story; declare it there"


def test_a_name_that_nobody_declared_is_refused() -> None:
    assert of_steps("do: issue, partner: X, member: carl, points: 1") == [
        (
            f"line {FIRST}: steps[0].member: 'carl' is not among the members of this story; "
            "declare it there"
        ),
        (
            f"line {FIRST}: steps[0].partner: 'X' is not among the partners of this story; "
            "declare it there"
        ),
    ]


def test_an_unknown_verb_is_refused_with_the_one_that_was_meant() -> None:
    assert of_steps("do: redem, partner: A, member: bo, points: 1") == [
        f"line {FIRST}: steps[0].do: 'redem' is not known; did you mean redeem?"
    ]


def test_a_step_without_a_verb_is_refused_with_the_verbs_there_are() -> None:
    (problem,) = of_steps("partner: A")

    assert problem.startswith(f"line {FIRST}: steps[0].do: is missing; it is one of issue, ")


@pytest.mark.parametrize("verb", LATER)
def test_a_verb_of_a_later_package_is_refused_by_name(verb: str) -> None:
    assert of_steps(f"do: {verb}, whatever: 1") == [
        f"line {FIRST}: steps[0].do: {verb} is not there yet; leave the step out"
    ]


def test_an_unknown_field_is_refused_with_the_one_that_was_meant() -> None:
    assert of_steps("do: redeem, partner: A, member: bo, points: 1, recepit: r") == [
        f"line {FIRST}: steps[0].recepit: there is no such field; did you mean receipt?"
    ]


def test_a_wrong_type_is_refused_with_the_right_one() -> None:
    assert of_steps(
        "do: redeem, partner: A, member: bo, points: many",
        "do: redeem, partner: A, member: bo, points: 0",
        "do: redeem, partner: A, member: bo, points: 1, receipt: 0815",
        "do: issue, partner: A, member: bo, purchase: 9.90",
    ) == [
        (
            f"line {FIRST}: steps[0].points: expected a whole number from 1 to 2147483647, "
            "and this is 'many'"
        ),
        (
            f"line {FIRST + 1}: steps[1].points: expected a whole number from 1 to 2147483647, "
            "and this is '0'"
        ),
        f'line {FIRST + 2}: steps[2].receipt: expected text; write it in quotes: "0815"',
        f'line {FIRST + 3}: steps[3].purchase: expected a decimal in quotes: "9.90"',
    ]


def test_a_missing_field_is_named() -> None:
    assert of_steps("do: redeem, partner: A, member: bo") == [
        f"line {FIRST}: steps[0].points: is missing"
    ]


def test_time_that_goes_back_is_refused() -> None:
    steps = (
        "  - {at: 2026-03-01T12:00:00+01:00, do: expire}\n"
        "  - {at: 2026-03-01T10:59:59Z, do: expire}\n"
        "  - {at: 2026-03-01T11:00:00Z, do: expire}\n"
    )

    assert problems(WORLD + steps) == [
        (
            f"line {FIRST + 1}: steps[1].at: time goes back here: the step before is at "
            "2026-03-01T12:00:00+01:00"
        )
    ]


def test_a_time_without_its_zone_is_refused() -> None:
    assert problems(WORLD + "  - {at: 2026-03-01T12:00:00, do: expire}\n") == [
        (
            f"line {FIRST}: steps[0].at: expected a time with its zone such as "
            "2026-10-02T09:00:00+02:00, and this is '2026-03-01T12:00:00'"
        )
    ]


def test_a_posting_or_hold_is_one_of_an_earlier_step() -> None:
    assert of_steps(
        "do: reverse, posting: later",
        "do: issue, id: later, partner: A, member: bo, points: 1",
        "do: issue, id: many, partner: A, member: bo, points: 1, repeat: 2",
        "do: capture, hold: later",
        "do: reverse, posting: many",
        "do: expire, id: many",
    ) == [
        (
            f"line {FIRST}: steps[0].posting: no step before this has the id 'later'; "
            "give one to the step that is meant"
        ),
        (
            f"line {FIRST + 3}: steps[3].hold: the step 'later' makes no hold; "
            "name one that does: hold"
        ),
        (
            f"line {FIRST + 4}: steps[4].posting: the step 'many' makes many postings; "
            "name one that makes a single one"
        ),
        (
            f"line {FIRST + 5}: steps[5].id: the step on line {FIRST + 2} is called so already; "
            "take another id"
        ),
    ]


def test_an_issue_names_points_or_a_purchase() -> None:
    assert of_steps(
        "do: issue, partner: A, member: bo",
        'do: issue, partner: A, member: bo, points: 1, purchase: "1.00"',
        "do: issue, partner: A, member: bo, measures: {visits: 1}, lines: [{amount: '1'}]",
        'do: issue, partner: A, member: bo, purchase: "1.00", expires: 2026-12-31',
        'do: issue, partner: A, member: bo, purchase: "1.001"',
        'do: issue, partner: B, member: bo, purchase: "1.5"',
    ) == [
        f"line {FIRST}: steps[0]: name points, or else a purchase or measures that earn them",
        f"line {FIRST + 1}: steps[1]: name points, or else a purchase or measures that earn them",
        (f"line {FIRST + 2}: steps[2]: lines are of a purchase; name it, or leave them out"),
        (
            f"line {FIRST + 3}: steps[3]: expires and funding go with points; "
            "a purchase has them from its rules"
        ),
        (
            f"line {FIRST + 4}: steps[4].purchase: is an amount of EUR with at most 2 decimals, "
            "above 0"
        ),
        (
            f"line {FIRST + 5}: steps[5].purchase: is an amount of JPY with at most 0 decimals, "
            "above 0"
        ),
    ]


def test_a_store_is_one_of_its_partner() -> None:
    assert of_steps("do: redeem, partner: A, member: bo, points: 1, store: s2") == [
        f"line {FIRST}: steps[0].store: A has no such store; it has s1"
    ]


def test_a_funder_is_a_partner_or_the_operator() -> None:
    assert of_steps(
        "do: issue, partner: A, member: bo, points: 9, funding: {operator: 1, X: 2}"
    ) == [f"line {FIRST}: steps[0].funding.X: 'X' is no partner of this story, nor operator"]


def test_nobody_acts_before_the_day_of_joining() -> None:
    step = "  - {at: 2026-01-31T23:59:00+01:00, do: redeem, partner: A, member: anna, points: 1}\n"

    assert problems(WORLD + step) == [
        f"line {FIRST}: steps[0].member: anna joins on 2026-02-01 only; act on that day or later"
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ["line 1: the file is empty"]),
        ("- a\n- b\n", ["line 1: expected keys and values, and this is a list"]),
        ("coalition: {currency: EUR}\nsteps: [\n", ["line 3: this is no YAML: "]),
    ],
    ids=["empty", "list", "syntax"],
)
def test_what_is_no_story_at_all_is_refused(content: str, expected: list[str]) -> None:
    found = problems(content)

    assert [one[: len(other)] for one, other in zip(found, expected, strict=True)] == expected


def test_names_in_a_step_of_a_later_package_are_not_judged() -> None:
    assert of_steps("do: estimate, member: anna, to: carl") == [
        f"line {FIRST}: steps[0].do: estimate is not there yet; leave the step out"
    ]


def test_what_says_one_thing_of_several_says_one() -> None:
    both = "relate, member: anna, to: bo, relationship: spouse, evidence: asked"

    assert of_steps("do: relate, member: anna, to: bo", f"do: {both}") == [
        f"line {FIRST}: steps[0]: name one of relationship, evidence",
        f"line {FIRST + 1}: steps[1]: name one of relationship, evidence",
    ]


def test_a_family_that_nobody_declared_is_refused_and_so_are_two_changes_in_one() -> None:
    assert of_steps(
        "do: invite, family: home, member: anna, role: uncle",
        "do: change, family: home, member: anna, share: 5, may_spend: true",
        "do: settle, family: home, by: staff, outcome: leave",
    ) == [
        f"line {FIRST}: steps[0].family: {_UNKNOWN}",
        f"line {FIRST + 1}: steps[1]: name one of role, share, may_spend, head",
        f"line {FIRST + 1}: steps[1].family: {_UNKNOWN}",
        f"line {FIRST + 2}: steps[2].family: {_UNKNOWN}",
    ]
