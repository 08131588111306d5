"""An invalid story is refused before anything runs: the line, the key and what would be right."""

import textwrap

import pytest

from server.documents import BadDocumentError
from server.scenario import loading
from server.scenario.steps import LATER

_WORLD = """\
coalition: {currency: EUR, timezone: Europe/Oslo}
partners:
  A:
    contract: {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.01"}
    stores: [s1]
  B:
    contract:
      {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.01", currency: JPY}
members:
  anna: {joined: 2026-02-01}
  bo:
steps:
"""
_AT = "2026-03-01T12:00:00+01:00"
_FIRST = _WORLD.count("\n") + 1
"""The line of the first step of a story that begins with this world."""


def problems(content: str) -> list[str]:
    """Return what is wrong with a story, in sentences."""
    with pytest.raises(BadDocumentError) as raised:
        loading.load(content.encode())
    return [str(problem) for problem in raised.value.problems]


def of_steps(*steps: str) -> list[str]:
    """Return what is wrong with these steps in a world that is right."""
    return problems(_WORLD + "".join(f"  - {{at: {_AT}, {step}}}\n" for step in steps))


def test_a_name_that_nobody_declared_is_refused() -> None:
    assert of_steps("do: issue, partner: X, member: carl, points: 1") == [
        (
            f"line {_FIRST}: steps[0].member: 'carl' is not among the members of this story; "
            "declare it there"
        ),
        (
            f"line {_FIRST}: steps[0].partner: 'X' is not among the partners of this story; "
            "declare it there"
        ),
    ]


def test_an_unknown_verb_is_refused_with_the_one_that_was_meant() -> None:
    assert of_steps("do: redem, partner: A, member: bo, points: 1") == [
        f"line {_FIRST}: steps[0].do: 'redem' is not known; did you mean redeem?"
    ]


def test_a_step_without_a_verb_is_refused_with_the_verbs_there_are() -> None:
    (problem,) = of_steps("partner: A")

    assert problem.startswith(f"line {_FIRST}: steps[0].do: is missing; it is one of issue, ")


@pytest.mark.parametrize("verb", LATER)
def test_a_verb_of_a_later_package_is_refused_by_name(verb: str) -> None:
    assert of_steps(f"do: {verb}, whatever: 1") == [
        f"line {_FIRST}: steps[0].do: {verb} is not there yet; leave the step out"
    ]


def test_an_unknown_field_is_refused_with_the_one_that_was_meant() -> None:
    assert of_steps("do: redeem, partner: A, member: bo, points: 1, recepit: r") == [
        f"line {_FIRST}: steps[0].recepit: there is no such field; did you mean receipt?"
    ]


def test_a_wrong_type_is_refused_with_the_right_one() -> None:
    assert of_steps(
        "do: redeem, partner: A, member: bo, points: many",
        "do: redeem, partner: A, member: bo, points: 0",
        "do: redeem, partner: A, member: bo, points: 1, receipt: 0815",
        "do: issue, partner: A, member: bo, purchase: 9.90",
    ) == [
        (
            f"line {_FIRST}: steps[0].points: expected a whole number from 1 to 2147483647, "
            "and this is 'many'"
        ),
        (
            f"line {_FIRST + 1}: steps[1].points: expected a whole number from 1 to 2147483647, "
            "and this is '0'"
        ),
        f'line {_FIRST + 2}: steps[2].receipt: expected text; write it in quotes: "0815"',
        f'line {_FIRST + 3}: steps[3].purchase: expected a decimal in quotes: "9.90"',
    ]


def test_a_missing_field_is_named() -> None:
    assert of_steps("do: redeem, partner: A, member: bo") == [
        f"line {_FIRST}: steps[0].points: is missing"
    ]


def test_time_that_goes_back_is_refused() -> None:
    steps = (
        "  - {at: 2026-03-01T12:00:00+01:00, do: expire}\n"
        "  - {at: 2026-03-01T10:59:59Z, do: expire}\n"
        "  - {at: 2026-03-01T11:00:00Z, do: expire}\n"
    )

    assert problems(_WORLD + steps) == [
        (
            f"line {_FIRST + 1}: steps[1].at: time goes back here: the step before is at "
            "2026-03-01T12:00:00+01:00"
        )
    ]


def test_a_time_without_its_zone_is_refused() -> None:
    assert problems(_WORLD + "  - {at: 2026-03-01T12:00:00, do: expire}\n") == [
        (
            f"line {_FIRST}: steps[0].at: expected a time with its zone such as "
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
            f"line {_FIRST}: steps[0].posting: no step before this has the id 'later'; "
            "give one to the step that is meant"
        ),
        (
            f"line {_FIRST + 3}: steps[3].hold: the step 'later' makes no hold; "
            "name one that does: hold"
        ),
        (
            f"line {_FIRST + 4}: steps[4].posting: the step 'many' makes many postings; "
            "name one that makes a single one"
        ),
        (
            f"line {_FIRST + 5}: steps[5].id: the step on line {_FIRST + 2} is called so already; "
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
        f"line {_FIRST}: steps[0]: name points, or else a purchase or measures that earn them",
        f"line {_FIRST + 1}: steps[1]: name points, or else a purchase or measures that earn them",
        (f"line {_FIRST + 2}: steps[2]: lines are of a purchase; name it, or leave them out"),
        (
            f"line {_FIRST + 3}: steps[3]: expires and funding go with points; "
            "a purchase has them from its rules"
        ),
        (
            f"line {_FIRST + 4}: steps[4].purchase: is an amount of EUR with at most 2 decimals, "
            "above 0"
        ),
        (
            f"line {_FIRST + 5}: steps[5].purchase: is an amount of JPY with at most 0 decimals, "
            "above 0"
        ),
    ]


def test_a_store_is_one_of_its_partner() -> None:
    assert of_steps("do: redeem, partner: A, member: bo, points: 1, store: s2") == [
        f"line {_FIRST}: steps[0].store: A has no such store; it has s1"
    ]


def test_a_funder_is_a_partner_or_the_operator() -> None:
    assert of_steps(
        "do: issue, partner: A, member: bo, points: 9, funding: {operator: 1, X: 2}"
    ) == [f"line {_FIRST}: steps[0].funding.X: 'X' is no partner of this story, nor operator"]


def test_nobody_acts_before_the_day_of_joining() -> None:
    step = "  - {at: 2026-01-31T23:59:00+01:00, do: redeem, partner: A, member: anna, points: 1}\n"

    assert problems(_WORLD + step) == [
        f"line {_FIRST}: steps[0].member: anna joins on 2026-02-01 only; act on that day or later"
    ]


def test_a_contract_that_could_not_be_signed_is_refused_field_by_field() -> None:
    content = """\
    coalition: {currency: EUR, timezone: Europe/Oslo}
    partners:
      A:
        contract:
          valid_from: 2026-01-01
          issue_price: "-1"
          redemption_price: "0.01"
          return_grace_days: 5000
          mode: gift
        earning: 1/0.001
      operator: {contract: {valid_from: 2026-01-01, issue_price: "0", redemption_price: "0"}}
    steps: []
    """

    assert problems(textwrap.dedent(content)) == [
        (
            "line 9: partners.A.contract.mode: expected one of "
            "operator_fund, issuer_on_redemption, hybrid, and this is 'gift'"
        ),
        "line 11: partners.operator: operator is whoever runs the coalition; take another name",
    ]
    assert problems(textwrap.dedent(content.replace("mode: gift", "mode: hybrid"))) == [
        (
            "line 4: partners.A.contract.prefunded_share: hybrid asks for a prefunded_share "
            "between 0 and 1, with at most six decimals"
        ),
        (
            "line 6: partners.A.contract.issue_price: issue_price is at least 0, below 1000000000, "
            "with at most nine decimals"
        ),
        "line 8: partners.A.contract.return_grace_days: return_grace_days is 0 to 3650",
        "line 10: partners.A.earning: 0.001 EUR is finer than its minor unit",
        "line 11: partners.operator: operator is whoever runs the coalition; take another name",
    ]


def test_a_coalition_has_a_currency_and_a_zone_that_exist() -> None:
    content = """\
    coalition: {currency: XXX, timezone: Mars/Olympus}
    partners:
      A: {contract: {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.01"}}
    steps: []
    """

    currency, timezone = problems(textwrap.dedent(content))

    assert currency.startswith("line 1: coalition.currency: is not known here; known are AED, ")
    assert timezone == (
        "line 1: coalition.timezone: 'Mars/Olympus' is not a known time zone; "
        "use an IANA name such as Europe/Stockholm"
    )


def test_fields_of_later_packages_are_refused_by_name() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A: {contract: {valid_from: 2026-01-01, issue_price: "0", redemption_price: "0", vat: 1}}
    members:
      bo: {guardian: anna, address: "Storgata 1"}
    families:
      home: {head: bo}
    steps: []
    """

    assert problems(textwrap.dedent(content)) == [
        (
            "line 3: partners.A.contract.vat: "
            "is not there yet: it comes with settlement; leave it out"
        ),
        "line 5: members.bo.address: is not there yet: it comes with families; leave it out",
        "line 5: members.bo.guardian: is not there yet: it comes with families; leave it out",
        "line 6: families: is not there yet: it comes with families; leave it out",
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


def test_earning_rules_are_judged_against_the_partners_of_the_story() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A: {contract: {valid_from: 2026-01-01, issue_price: "0", redemption_price: "0"}}
    earning_rules:
      - code: twice
        name: Twice
        applies_to: {partners: [C]}
        effect: {kind: multiplier, factor: "0.5"}
    steps:
      - at: 2026-03-01T12:00:00+01:00
        do: rules
        rules: {code: fifty, name: Fifty, effect: {kind: bonus, points: 50}, condition: "1 +"}
    """

    found = problems(textwrap.dedent(content))

    assert [one.partition(": ")[0] for one in found] == ["line 7", "line 8", "line 12"]
    assert "earning_rules[0].applies_to.partners[0]: " in found[0]
    assert "earning_rules[0].effect" in found[1]
    assert "steps[0].rules.condition: " in found[2]


def test_point_currencies_are_declared_and_of_their_partner() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A:
        contract:
          {valid_from: 2026-01-01, issue_price: "0", redemption_price: "0", point_currency: MILES}
    currencies:
      MILES: {partner: B}
      POINT: {partner: A}
    members: {bo: }
    steps:
      - {at: 2026-03-01T12:00:00Z, do: rate, from: X, to: POINT, from_points: 1, to_points: 1}
    """

    found = problems(textwrap.dedent(content.replace("from: X", "from: KM")))

    assert found[0].startswith("line 11: steps[0].from: ")
    assert problems(textwrap.dedent(content.replace("from: X", "from: MILES"))) == [
        (
            "line 5: partners.A.contract.point_currency: MILES is no point currency of A; "
            "declare it under currencies"
        ),
        (
            "line 7: currencies.MILES.partner: 'B' is not among the partners of this story; "
            "declare it there"
        ),
        "line 8: currencies.POINT: POINT is the coalition's own; take another code",
    ]


def test_a_standing_is_one_of_four() -> None:
    assert of_steps("do: standing, member: bo, tier: gold, plan: plus") == [
        f"line {_FIRST}: steps[0]: name one of tier, plan, segment, flag"
    ]


def test_names_in_a_step_of_a_later_package_are_not_judged() -> None:
    assert of_steps("do: transfer, from: anna, to: carl, points: 100") == [
        f"line {_FIRST}: steps[0].do: transfer is not there yet; leave the step out"
    ]


def test_a_guard_of_a_story_confirms_or_refuses_and_fits_together() -> None:
    guard = "name: many, measure: redemptions, subject: [member], most: 3"

    report, window = of_steps(f"do: guard, guard: {{{guard}}}")[::-1]

    assert report.startswith(f"line {_FIRST}: steps[0].guard.mode: in a story a guard is one that")
    assert window.startswith(f"line {_FIRST}: steps[0].guard: ")


def test_days_lie_in_the_years_of_a_coalition() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A: {contract: {valid_from: 2026-01-01, issue_price: "0", redemption_price: "0"}}
    members:
      old: {born: 1899-12-31, joined: 1999-12-31}
      young: {born: 2026-03-02, joined: 2026-03-01}
    steps:
      - {at: 2026-03-01T12:00:00Z, do: advance, until: 9999-12-31}
      - {at: 2100-01-01T12:00:00Z, do: expire}
    """

    assert problems(textwrap.dedent(content)) == [
        (
            "line 5: members.old.born: lies outside the years of a coalition; "
            "write 1900-01-01 to 2099-12-31"
        ),
        (
            "line 5: members.old.joined: lies outside the years of a coalition; "
            "write 2000-01-01 to 2099-12-31"
        ),
        "line 6: members.young.born: lies after the day of joining; write one before it",
        (
            "line 8: steps[0].until: lies outside the years of a coalition; "
            "write 2000-01-01 to 2099-12-31"
        ),
        (
            "line 9: steps[1].at: lies outside the years of a coalition; "
            "write 2000-01-01 to 2099-12-31"
        ),
    ]


def test_what_would_only_fail_while_running_is_refused_before() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A:
        contract: {valid_from: 2026-01-01, issue_price: "0", redemption_price: "0"}
        stores: [s1, s1]
    members: {bo: {tier: " gold"}}
    earning_rules:
      - {code: fifty, name: Fifty, effect: {kind: bonus, points: 50}}
      - {code: fifty, name: Fifty, effect: {kind: bonus, points: 60}}
    steps:
      - at: 2026-03-01T12:00:00Z
        do: redeem
        partner: A
        member: bo
        points: 1
        repeat: 10
        receipt: RECEIPT
    """
    story = textwrap.dedent(content).replace("RECEIPT", "r" * 62)

    (tier,) = problems(story)
    assert tier.startswith("line 6: members.bo.tier: expected ")
    assert problems(story.replace('" gold"', "gold")) == [
        "line 5: partners.A.stores[1]: the store s1 stands here twice; remove one",
        (
            "line 9: earning_rules[1].code: fifty stands here twice; "
            "its next version is a step with the verb rules"
        ),
        "line 17: steps[0].receipt: its repetitions have longer numbers than 64 characters",
    ]
