"""Time in families of a story: what falls due is done at its instant, in its order, once."""

from typing import Any

from tests.scenarios.telling import plain, tell

_WORLD = """\
coalition: {currency: EUR, timezone: Europe/Oslo}
partners:
  A:
    contract:
      {valid_from: 2025-01-01, issue_price: "0.01", redemption_price: "0.01",
       expiry_rule: end_of_month, expiry_months: 3}
members:
  anna: {born: 1984-05-01}
  bo: {born: 1985-05-01}
  kim: {born: 2008-02-10, guardian: anna}
rule_sets:
  sends:
    title: Points that wait
    mechanism: p2p
    expiry: {treatment: receiver_policy}
    control: {hold: {new_receiver_hours: 24}, approvals: [{by: receiver, above: 50}],
              approval_days: 2}
  household:
    title: A household
    mechanism: pool_account
    group: {spend: {adult: {scope: pool}}}
    contribution: {existing: all, future_percent: [100]}
    join: {invitation_days: 1}
    exits: {at_age: 18, ageing_out: keep_own_share}
families:
  home: {rules: household, head: anna, formed: 2025-06-01, members: {kim: child}}
steps:
  - {at: 2026-01-30T09:00:00+01:00, do: issue, partner: A, member: bo, points: 100}
  - {at: 2026-01-30T09:00:00+01:00, do: issue, partner: A, member: kim, points: 9}
"""


async def _told(postgres_url: str, *steps: str) -> Any:  # Any: JSON
    outcome = plain(
        await tell(_WORLD + "".join(f"  - {{{step}}}\n" for step in steps), postgres_url)
    )
    assert outcome["audit"]["ok"]
    return outcome


async def test_what_was_held_arrives_when_its_wait_is_over_and_not_at_the_next_step(
    postgres_url: str,
) -> None:
    outcome = await _told(
        postgres_url,
        "at: 2026-01-31T13:00:00+01:00, do: transfer, from: bo, to: anna, points: 10",
        "at: 2026-03-15T12:00:00+01:00, do: redeem, partner: A, member: bo, points: 1",
    )

    assert outcome["steps"][2]["state"] == "held"
    assert outcome["members"]["anna"]["lots"] == [
        {"issuer": "A", "funder": "A", "expires": "2026-05-31", "remaining": 10}
    ]


async def test_what_nobody_agreed_to_is_given_up_before_the_points_end_that_it_reserved(
    postgres_url: str,
) -> None:
    outcome = await _told(
        postgres_url,
        "at: 2026-04-29T12:00:00+02:00, do: transfer, id: t, from: bo, to: anna, points: 60",
        "at: 2026-05-01T11:59:59+02:00, do: expire",
        "at: 2026-05-01T12:00:00+02:00, do: expire",
        "at: 2026-05-01T12:00:00+02:00, do: approve, id: t, by: anna",
    )

    assert [one.get("points") for one in outcome["steps"][3:5]] == [49, 60]
    assert outcome["steps"][5]["code"] == "transfer_not_open"


async def test_birthdays_are_kept_between_two_steps_and_while_nights_go_by(
    postgres_url: str,
) -> None:
    stays = "at: 2026-02-09T23:59:59+01:00, do: expire"
    for passes in (
        "at: 2026-02-10T00:00:00+01:00, do: expire",
        "at: 2026-02-09T23:59:59+01:00, do: advance, until: 2026-02-10",
    ):
        before = await _told(postgres_url, stays)
        after = await _told(postgres_url, stays, passes)

        assert (before["members"]["kim"]["balance"], before["families"]["home"]["balance"]) == (
            0,
            9,
        )
        assert (after["members"]["kim"]["balance"], after["families"]["home"]["balance"]) == (9, 0)


async def test_an_invitation_that_has_run_out_keeps_no_place(postgres_url: str) -> None:
    outcome = await _told(
        postgres_url,
        "at: 2026-01-30T10:00:00+01:00, do: invite, family: home, member: bo, role: spouse",
        "at: 2026-01-31T10:00:00+01:00, do: accept, family: home, member: bo",
        "at: 2026-01-31T10:00:00+01:00, do: accept, family: home, member: anna",
        "at: 2026-01-31T10:00:00+01:00, do: join, family: home, member: bo, role: spouse",
    )

    assert [one.get("code") for one in outcome["steps"][2:]] == [
        None,
        "invitation_not_open",
        "unknown_invitation",
        None,
    ]
