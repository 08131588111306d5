"""Stories of families whose every figure was worked out by hand before they were played."""

from typing import Any

from tests.scenarios.telling import plain, tell

_PARTNERS = """\
coalition: {currency: EUR, timezone: Europe/Oslo}
partners:
  A: {contract: {valid_from: 2024-01-01, issue_price: "0.0100", redemption_price: "0.0085"}}
  C: {contract: {valid_from: 2024-01-01, issue_price: "0.0105", redemption_price: "0.0080"}}
"""


async def told(postgres_url: str, story: str) -> Any:  # Any: JSON
    """Play a story of the partners A and C; return what came of it."""
    outcome = plain(await tell(_PARTNERS + story, postgres_url))
    assert outcome["audit"]["ok"]
    return outcome


def rules_that_failed(step: Any) -> list[str]:  # Any: JSON
    """Return which rules refused a step, in their order."""
    return [failure["rule"] for failure in step.get("failures", [])]


async def test_who_cannot_join_is_told_all_that_stands_in_the_way(postgres_url: str) -> None:
    outcome = await told(
        postgres_url,
        """\
members:
  anna: {born: 1980-01-01}
  bo: {born: 1981-01-01}
  dan: {born: 1982-01-01, country: US}
rule_sets: {pooling: {preset: miles_and_more}}
families:
  home: {rules: pooling, head: anna, members: {bo: spouse}, formed: 2026-01-01}
steps:
  - {at: 2026-02-01T12:00:00+01:00, do: join, family: home, member: dan, role: friend}
  - {at: 2026-02-02T12:00:00+01:00, do: leave, family: home, member: bo}
  - {at: 2026-02-03T12:00:00+01:00, do: join, family: home, member: bo, role: spouse}
""",
    )

    third_adult, _, back_again = outcome["steps"]
    assert rules_that_failed(third_adult) == ["group.adults.max", "eligibility.countries"]
    assert rules_that_failed(back_again) == ["join.cooldown_days", "join.slot_cooldown_days"]


def balances(outcome: Any) -> dict[str, int]:  # Any: JSON
    """Return what each member can spend at the end."""
    return {name: member["balance"] for name, member in outcome["members"].items()}


_POT = """\
members:
  anna: {born: 1980-01-01}
  bo: {born: 1981-01-01}
  cia: {born: 2014-01-01, guardian: anna}
rule_sets:
  pot:
    title: A pot
    mechanism: pool_account
    group: {spend: {head: {scope: pool}}}
    contribution: {manual: true}
    exits: {leaving: stays_in_pool, death: to_heir, closing: split}
families:
"""


async def test_who_closes_a_pool_by_splitting_it_leaves_everybody_its_own(
    postgres_url: str,
) -> None:
    outcome = await told(
        postgres_url,
        _POT
        + """\
  home: {rules: pot, head: anna, members: {bo: spouse, cia: child}, formed: 2026-01-01}
steps:
  - {at: 2026-01-02T09:00:00+01:00, do: issue, partner: A, member: anna, points: 500}
  - {at: 2026-01-02T09:00:00+01:00, do: issue, partner: C, member: bo, points: 300}
  - {at: 2026-01-02T09:00:00+01:00, do: issue, partner: A, member: cia, points: 200}
  - {at: 2026-01-03T09:00:00+01:00, do: pool, family: home, member: anna, points: 500}
  - {at: 2026-01-03T09:00:00+01:00, do: pool, family: home, member: bo, points: 300}
  - {at: 2026-01-03T09:00:00+01:00, do: pool, family: home, member: cia, points: 200}
  - {at: 2026-01-04T09:00:00+01:00, do: leave, family: home, member: bo}
  - {at: 2026-01-05T09:00:00+01:00, do: close_family, family: home}
""",
    )

    # What bo left, 300, goes 500 to 200: 214.29 and 85.71.
    assert balances(outcome) == {"anna": 500 + 214, "bo": 0, "cia": 200 + 86}
    assert outcome["families"]["home"]["balance"] == 0


async def test_an_heir_has_what_the_dead_brought_also_where_the_group_ends_with_it(
    postgres_url: str,
) -> None:
    outcome = await told(
        postgres_url,
        _POT
        + """\
  home: {rules: pot, head: anna, members: {cia: child}, formed: 2026-01-01}
steps:
  - {at: 2026-01-02T09:00:00+01:00, do: issue, partner: A, member: anna, points: 900}
  - {at: 2026-01-02T09:00:00+01:00, do: issue, partner: A, member: cia, points: 200}
  - {at: 2026-01-03T09:00:00+01:00, do: pool, family: home, member: anna, points: 500}
  - {at: 2026-01-03T09:00:00+01:00, do: pool, family: home, member: cia, points: 150}
  - {at: 2026-01-04T09:00:00+01:00, do: death, member: anna, heir: bo}
""",
    )

    assert balances(outcome) == {"anna": 0, "bo": 900, "cia": 200}
    assert outcome["families"]["home"]["balance"] == 0


async def test_a_pool_into_which_its_members_earn_is_not_idle(postgres_url: str) -> None:
    story = """\
coalition: {currency: EUR, timezone: Europe/Oslo}
partners:
  A:
    contract:
      valid_from: 2026-01-01
      issue_price: "0.01"
      redemption_price: "0.01"
      inactivity_months: 6
members:
  anna: {born: 1980-01-01}
  bo: {born: 1981-01-01}
rule_sets: {pooling: {preset: sas}}
families:
  home: {rules: pooling, head: anna, members: {bo: spouse}, formed: 2026-01-01}
steps:
  - {at: 2026-01-15T09:00:00+01:00, do: issue, partner: A, member: bo, points: 100}
  - {at: 2026-07-14T09:00:00+02:00, do: issue, partner: A, member: bo, points: 100}
  - {at: 2026-07-20T09:00:00+02:00, do: advance, until: 2026-07-20}
"""

    outcome = plain(await tell(story, postgres_url))

    assert outcome["audit"]["ok"]
    (lot,) = outcome["families"]["home"]["lots"]
    assert (lot["remaining"], lot["expires"]) == (200, "2027-01-14")
