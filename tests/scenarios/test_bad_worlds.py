"""An invalid world is refused before anything runs: contracts, rules, currencies, days."""

from tests.scenarios.bad import FIRST, of_steps, problems


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

    assert problems(content) == [
        (
            "line 9: partners.A.contract.mode: expected one of "
            "operator_fund, issuer_on_redemption, hybrid, and this is 'gift'"
        ),
        "line 11: partners.operator: operator is whoever runs the coalition; take another name",
    ]
    assert problems(content.replace("mode: gift", "mode: hybrid")) == [
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

    currency, timezone = problems(content)

    assert currency.startswith("line 1: coalition.currency: is not known here; known are AED, ")
    assert timezone == (
        "line 1: coalition.timezone: 'Mars/Olympus' is not a known time zone; "
        "use an IANA name such as Europe/Stockholm"
    )


def test_families_whose_names_or_rules_are_not_declared_are_refused_where_they_stand() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A: {contract: {valid_from: 2026-01-01, issue_price: "0", redemption_price: "0"}}
    members:
      bo: {guardian: anna}
      eva: {guardian: eva}
    rule_sets:
      ours: {preset: hilton}
    families:
      home: {rules: theirs, head: anna, members: {bo: cousin, eva: child}, shares: {carl: 10}}
    steps: []
    """

    assert problems(content) == [
        (
            "line 5: members.bo.guardian: 'anna' is not among the members of this story;"
            " declare it there"
        ),
        "line 6: members.eva.guardian: nobody guards itself; name another member",
        (
            "line 10: families.home.head: 'anna' is not among the members of this story;"
            " declare it there"
        ),
        (
            "line 10: families.home.members.bo: 'cousin' is no role; known are spouse, partner,"
            " child, parent, sibling, relative, friend"
        ),
        (
            "line 10: families.home.rules: 'theirs' is not among the rule_sets of this story;"
            " declare it there"
        ),
        "line 10: families.home.shares.carl: carl does not belong to this family",
    ]


def test_rule_sets_with_mistakes_are_refused_with_line_key_and_remedy() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A: {contract: {valid_from: 2026-01-01, issue_price: "0", redemption_price: "0"}}
    rule_sets:
      ours: {preset: hiltn}
      theirs:
        title: Theirs
        mechanism: p2p
        transfer: {min: 0, mx: 10}
    steps:
      - {at: 2026-01-01T12:00:00+01:00, do: rules, name: ours, rules: {mechanism: pool}}
    """

    found = problems(content)
    assert [line.split(": expected")[0] for line in found] == [
        "line 9: rule_sets.theirs.transfer.min",
        "line 9: rule_sets.theirs.transfer.mx: there is no such field; did you mean max?",
        "line 11: steps[0].rules.mechanism",
        "line 11: steps[0].rules.title: is missing",
    ]


def test_terms_of_settlement_that_could_not_be_signed_are_refused_where_they_stand() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A:
        contract:
          valid_from: 2026-01-01
          issue_price: "0.01"
          redemption_price: "0.01"
          credit_mode: block
          volume_steps:
            - {from_points: 10, fee_per_point: "0.1"}
            - {from_points: 0, fee_per_point: "0.1"}
          vat:
            service: "0.25"
            service_fee: "25"
            issuance: {code: none, rate: "0"}
    steps: []
    """

    found = problems(content)

    assert [one.rpartition(": ")[0] for one in found] == [
        "line 4: partners.A.contract.credit_limit_minor",
        "line 9: partners.A.contract.volume_steps",
        "line 11: partners.A.contract.volume_steps[1].from_points",
        "line 13: partners.A.contract.vat.service",
        "line 14: partners.A.contract.vat.service_fee.rate",
        "line 15: partners.A.contract.vat.issuance.code",
    ]


def test_a_vat_rate_is_text_in_quotes_and_an_unknown_field_beside_it_is_named() -> None:
    content = """\
    coalition: {currency: EUR}
    partners:
      A:
        contract:
          valid_from: 2026-01-01
          issue_price: "0.01"
          redemption_price: "0.01"
          vat: {service_fee: 0.25, fixed: {rat: "0.25"}}
    steps: []
    """

    assert problems(content) == [
        "line 8: partners.A.contract.vat.fixed.rat: there is no such field; did you mean rate?",
        "line 8: partners.A.contract.vat.fixed.rate: is missing",
        'line 8: partners.A.contract.vat.service_fee: expected a decimal in quotes: "0.25"',
    ]


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

    found = problems(content)

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

    found = problems(content.replace("from: X", "from: KM"))

    assert found[0].startswith("line 11: steps[0].from: ")
    assert problems(content.replace("from: X", "from: MILES")) == [
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
        f"line {FIRST}: steps[0]: name one of tier, plan, segment, flag"
    ]


def test_a_guard_of_a_story_confirms_or_refuses_and_fits_together() -> None:
    guard = "name: many, measure: redemptions, subject: [member], most: 3"

    report, window = of_steps(f"do: guard, guard: {{{guard}}}")[::-1]

    assert report.startswith(f"line {FIRST}: steps[0].guard.mode: in a story a guard is one that")
    assert window.startswith(f"line {FIRST}: steps[0].guard: ")


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

    assert problems(content) == [
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
    story = content.replace("RECEIPT", "r" * 62)

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


def test_memberships_are_of_plans_that_the_story_has() -> None:
    world = """\
coalition: {currency: SEK, timezone: Europe/Stockholm}
partners:
  A: {contract: {valid_from: 2026-01-01, issue_price: "0.01", redemption_price: "0.0085"}}
members:
  anna:
"""
    plan = (
        "  - {code: plus, name: Plus, rank: 1, prices: [{interval: month, currency: SEK,"
        " amount_minor: 100}], benefits: [{benefit: earn_multiplier, code: more, factor: '2',"
        " funding: {Nobody: 1}}]}\n"
    )
    steps = """\
steps:
  - {at: 2026-02-01T09:00:00+01:00, do: subscribe, member: anna, plan: gold}
  - {at: 2026-02-01T09:00:00+01:00, do: upgrade, member: anna}
"""
    without = problems(world + steps)
    assert without == [
        "line 7: steps[0]: the story has no plans; write them under plans",
        "line 8: steps[1]: the story has no plans; write them under plans",
    ]
    nobody = "benefits[0].funding.Nobody: there is no partner 'Nobody'; partners are: A"
    assert problems(world + "plans:\n" + plan + plan + steps) == [
        f"line 7: plans[0].{nobody}",
        f"line 8: plans[1].{nobody}",
        "line 8: plans[1].code: a plan of the story is called so already; take another code",
        "line 10: steps[0].plan: there is no such plan; the story has plus, plus",
        "line 11: steps[1]: name the plan, or the interval, or both",
    ]
