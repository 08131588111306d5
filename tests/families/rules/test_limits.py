"""Caps by example: each subject, measure and window, exactly at the limit, and from when again."""

from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from coalition.families.evaluator import rules
from coalition.families.evaluator.acts import (
    LIFETIME,
    DayUse,
    Usage,
    UsageKey,
    UsageMade,
    UsageWanted,
)
from coalition.families.rule_sets.notation import Exits, RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind
from tests.families.rules.world import (
    AT,
    BEFORE,
    GROUP,
    OSLO,
    act,
    between,
    failures,
    group,
    judged,
    party,
    rule_set,
    told,
    used,
    within,
)


def capped(window: str, most: int = 5000, **more: object) -> RuleSet:
    limit = {"subject": "sender", "measure": "amount", "window": window, "max": most}
    return rule_set(limits=[limit | more])


@pytest.mark.parametrize(
    ("window", "uses", "counted", "then"),
    [
        ("day", [("2026-11-22", 4500), ("2026-11-21", 900)], 4500, "2026-11-23T00:00:00+01:00"),
        ("calendar_month", [("2026-11-01", 4500), ("2026-10-31", 9)], 4500,
         "2026-12-01T00:00:00+01:00"),
        ("calendar_year", [("2026-01-01", 4500), ("2025-12-31", 9)], 4500,
         "2027-01-01T00:00:00+01:00"),
        ("membership_year", [("2026-03-10", 4500), ("2026-03-09", 9)], 4500,
         "2027-03-10T00:00:00+01:00"),
        ("rolling 30 days", [("2026-10-24", 500), ("2026-10-25", 4500), ("2026-10-23", 9)], 5000,
         "2026-11-24T00:00:00+01:00"),
        ("rolling 6 months", [("2026-05-23", 4500), ("2026-05-22", 9)], 4500,
         "2026-11-23T00:00:00+01:00"),
        ("rolling 12 months", [("2026-03-31", 4500)], 4500, "2027-03-31T00:00:00+02:00"),
    ],
)  # fmt: skip
def test_an_amount_is_capped_in_a_window_and_is_possible_again_when_enough_fell_out(
    window: str, uses: list[tuple[str, int]], counted: int, then: str
) -> None:
    (failure,) = judged(capped(window), usage=used(*uses)).failures
    assert failure.rule == f"limits.sender.amount.{window.replace(' ', '_')}"
    assert told(failure) == (5000, counted, 5000 - counted, then)


def test_an_act_that_reaches_a_limit_exactly_passes_and_one_point_more_does_not() -> None:
    before = used(("2026-11-01", 4000))
    assert judged(capped("calendar_month"), act(points=1000), usage=before).passes
    failed = failures(capped("calendar_month"), act(points=1001), usage=before)
    assert told(failed["limits.sender.amount.calendar_month"])[:3] == (5000, 4000, 1000)


def test_waiting_does_not_help_whoever_wants_more_than_the_limit_at_once() -> None:
    (failure,) = judged(capped("day"), act(points=5001)).failures
    assert told(failure) == (5000, 0, 5000, None)


def test_waiting_does_not_help_where_nothing_is_allowed() -> None:
    (failure,) = judged(capped("day", 0, measure="count"), act(points=1)).failures
    assert told(failure) == (0, 0, 0, None)


def test_a_limit_that_was_lowered_below_what_was_used_has_less_than_nothing_left() -> None:
    (failure,) = judged(capped("day"), act(points=1), usage=used(("2026-11-22", 7000))).failures
    assert told(failure)[:3] == (5000, 7000, -2000)


def test_a_whole_life_is_counted_under_its_own_day_and_never_ends() -> None:
    life = Usage(
        days={
            UsageKey(UUID(int=1), "sender", Event.TRANSFER): (
                DayUse(LIFETIME, UUID(int=2), 4500, 9),
                DayUse(date(2026, 11, 22), UUID(int=2), 4500, 9),
            )
        }
    )
    (failure,) = judged(capped("lifetime"), usage=life).failures
    assert told(failure) == (5000, 4500, 500, None)
    assert judged(capped("calendar_year"), act(points=500), usage=life).passes


def test_counts_are_capped_whatever_the_points_are() -> None:
    one = capped("rolling 30 days", 1, measure="count")
    (failure,) = judged(one, act(points=1), usage=used(("2026-11-01", 9000))).failures
    assert failure.rule == "limits.sender.count.rolling_30_days"
    assert told(failure) == (1, 1, 0, "2026-12-01T00:00:00+01:00")


def test_a_receiver_is_capped_by_what_it_received() -> None:
    received = used(("2026-11-22", 4500, 7), subject=UUID(int=2), side="receiver")
    (failure,) = judged(capped("day", subject="receiver"), usage=received).failures
    assert failure.rule == "limits.receiver.amount.day"
    assert judged(capped("day"), usage=received).passes


def test_a_pair_is_capped_by_what_one_sent_to_the_other() -> None:
    pair = capped("day", subject="pair")
    assert judged(pair, usage=used(("2026-11-22", 9000, 3))).passes
    (failure,) = judged(pair, usage=used(("2026-11-22", 9000, 3), ("2026-11-22", 4500))).failures
    assert told(failure)[1] == 4500


def test_a_group_is_capped_by_all_of_its_transfers_and_by_none_outside_of_it() -> None:
    rules_of_group = capped("membership_year", subject="group")
    sent = used(("2026-03-10", 4500), subject=GROUP, side="group")
    (failure,) = judged(rules_of_group, parties=between(group=group()), usage=sent).failures
    assert told(failure) == (5000, 4500, 500, "2027-03-10T00:00:00+01:00")
    assert judged(rules_of_group, parties=between(), usage=sent).passes


def test_a_member_is_capped_by_what_it_redeems() -> None:
    redeeming = capped("day", subject="member", on="redeem")
    redeemed = used(("2026-11-22", 4500), side="member", event=Event.REDEEM)
    (failure,) = judged(redeeming, act(Event.REDEEM, 1000), within(), usage=redeemed).failures
    assert failure.rule == "limits.redeem.member.amount.day"


def test_a_limit_of_another_event_is_not_asked() -> None:
    assert judged(capped("day", 0, on="redeem")).passes


def test_a_limit_with_an_id_goes_by_it() -> None:
    (failure,) = judged(capped("day", 0, id="family-cap")).failures
    assert failure.rule == "limits.family-cap"


def test_a_known_other_member_passes_and_one_more_than_allowed_does_not() -> None:
    two = capped("calendar_year", 2, measure="counterparties")
    known = used(("2026-01-05", 10, 3), ("2026-02-05", 10, 2), ("2026-03-01", 10, 3))
    assert judged(two, usage=known).passes
    others = used(("2026-01-05", 10, 3), ("2026-02-05", 10, 4))
    (failure,) = judged(two, usage=others).failures
    assert told(failure) == (2, 2, 0, "2027-01-01T00:00:00+01:00")


def test_another_member_falls_out_with_the_last_day_it_was_sent_to() -> None:
    two = capped("rolling 30 days", 2, measure="counterparties")
    others = used(
        ("2026-11-01", 10, 3), ("2026-11-09", 10, 3), ("2026-11-05", 10, 4), ("2026-11-07", 10, 5)
    )
    (failure,) = judged(two, usage=others).failures
    assert told(failure) == (2, 3, -1, "2026-12-07T00:00:00+01:00")


def test_another_member_counts_no_longer_once_all_was_given_back() -> None:
    one = capped("calendar_year", 1, measure="counterparties")
    given_back = Usage(
        days={
            UsageKey(UUID(int=1), "sender", Event.TRANSFER): (
                DayUse(date(2026, 1, 5), UUID(int=3), 0, 0),
            )
        }
    )
    assert judged(one, usage=given_back).passes


def test_no_other_member_is_ever_allowed_where_none_is() -> None:
    (failure,) = judged(capped("day", 0, measure="counterparties")).failures
    assert told(failure) == (0, 0, 0, None)


def test_members_who_are_not_concerned_have_no_counterparties() -> None:
    one = capped("day", 0, measure="counterparties", subject="group")
    assert judged(one).passes


def test_counterparties_of_a_receiver_are_its_senders() -> None:
    one = capped("day", 1, measure="counterparties", subject="receiver")
    from_other = used(("2026-11-22", 10, 9), subject=UUID(int=2), side="receiver")
    assert not judged(one, usage=from_other).passes
    from_same = used(("2026-11-22", 10, 1), subject=UUID(int=2), side="receiver")
    assert judged(one, usage=from_same).passes


def test_counterparties_of_a_member_that_joins_are_its_groups() -> None:
    one = capped("lifetime", 1, measure="counterparties", subject="member", on="join")
    key = UsageKey(UUID(int=1), "member", Event.JOIN)
    again = Usage(days={key: (DayUse(LIFETIME, GROUP, 0, 1),)})
    assert judged(one, act(Event.JOIN), within(), usage=again).passes
    other = Usage(days={key: (DayUse(LIFETIME, UUID(int=901), 0, 1),)})
    assert not judged(one, act(Event.JOIN), within(), usage=other).passes
    assert not judged(one, act(Event.JOIN), within(group=None), usage=other).passes


def test_a_member_joins_so_many_groups() -> None:
    one = capped("calendar_year", 1, measure="groups_joined", subject="member", on="join")
    joined = used(("2026-02-01", 0), side="member", event=Event.JOIN)
    (failure,) = judged(one, act(Event.JOIN), within(), usage=joined).failures
    assert failure.rule == "limits.join.member.groups_joined.calendar_year"
    assert told(failure) == (1, 1, 0, "2027-01-01T00:00:00+01:00")


HOUSEHOLD = rule_set(
    "pool_view",
    join={"change_window_hours": 24},
    limits=[
        {"subject": "group", "measure": "changes", "window": "rolling 6 months", "on": "change",
         "max": 1}
    ],
)  # fmt: skip
CHANGED = used(("2026-11-21", 0), subject=GROUP, side="group", event=Event.CHANGE)


@pytest.mark.parametrize("event", [Event.JOIN, Event.LEAVE, Event.CHANGE])
def test_joining_leaving_and_new_roles_are_changes_of_a_group(event: Event) -> None:
    (failure,) = judged(HOUSEHOLD, act(event), within(), usage=CHANGED).failures
    assert failure.rule == "limits.change.group.changes.rolling_6_months"
    assert told(failure) == (1, 1, 0, "2027-05-21T00:00:00+02:00")


def test_changes_within_a_day_of_the_first_count_as_one() -> None:
    began = datetime(2026, 11, 21, 9, 0, 1, tzinfo=UTC)
    soon = within(group=group(change_session_at=began))
    verdict = judged(HOUSEHOLD, act(Event.JOIN), soon, usage=CHANGED)
    assert verdict.passes
    assert not verdict.starts_change_session
    assert {made.key.event for made in verdict.usage if made.key.side == "group"} == {Event.JOIN}
    late = within(group=group(change_session_at=began.replace(second=0)))
    assert not judged(HOUSEHOLD, act(Event.JOIN), late, usage=CHANGED).passes


def test_who_may_leave_at_any_time_leaves_whatever_was_changed_and_changes_nothing() -> None:
    exits = Exits(self_removal="any_time")
    free = msgspec.structs.replace(HOUSEHOLD, exits=exits)
    verdict = judged(free, act(Event.LEAVE), within(), usage=CHANGED)
    assert verdict.passes
    assert not verdict.starts_change_session
    assert {made.key.event for made in verdict.usage if made.key.side == "group"} == {Event.LEAVE}
    assert not judged(free, act(Event.LEAVE, by_head=True), within(), usage=CHANGED).passes


def test_a_limit_on_changes_may_make_the_session_longer() -> None:
    longer = capped("day", 1, subject="group", measure="changes", on="change", within_hours=48)
    began = datetime(2026, 11, 20, 9, 0, 1, tzinfo=UTC)
    soon = within(group=group(change_session_at=began))
    assert not judged(longer, act(Event.CHANGE), soon).starts_change_session
    assert judged(HOUSEHOLD, act(Event.CHANGE), soon).starts_change_session


def test_the_changes_of_a_member_are_its_own() -> None:
    one = capped("calendar_year", 1, subject="member", measure="changes", on="change")
    left = used(("2026-02-01", 0), side="member", event=Event.CHANGE)
    assert not judged(one, act(Event.JOIN), within(), usage=left).passes


@pytest.mark.parametrize(
    ("subject", "on"), [("member", "change"), ("member", "join"), ("group", "join")]
)
def test_within_a_session_only_the_changes_of_the_group_count_as_one(subject: str, on: str) -> None:
    limit = {"subject": subject, "measure": "count", "window": "day", "on": on, "max": 0}
    rules_of_group = rule_set("pool_view", join={"change_window_hours": 24}, limits=[limit])
    soon = within(group=group(change_session_at=AT))
    assert not judged(rules_of_group, act(Event.JOIN), soon).passes


def test_a_nominee_counts_for_no_member() -> None:
    one = capped("calendar_year", 0, subject="member", measure="groups_joined", on="join")
    joining = act(Event.JOIN, kind=Kind.NOMINEE)
    nominees = rule_set("nominee_only", group={"nominees": {"max": 5}}, limits=one.limits and [
        {"subject": "member", "measure": "groups_joined", "window": "calendar_year",
         "on": "join", "max": 0}])  # fmt: skip
    verdict = judged(nominees, joining, within())
    assert verdict.passes
    assert {made.key.side for made in verdict.usage} == {"group"}
    assert {made.other for made in verdict.usage} == {UUID(int=0)}


def test_days_are_those_of_the_rule_sets_own_zone() -> None:
    midnight = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    before = used(("2026-11-22", 4500))
    in_oslo = capped("day")
    assert judged(in_oslo, act(points=1000, at=midnight), usage=before).passes
    limit = {"subject": "sender", "measure": "amount", "window": "day", "max": 5000}
    in_london = rule_set(timezone="Europe/London", limits=[limit])
    (failure,) = judged(in_london, act(points=1000, at=midnight), usage=before).failures
    assert told(failure)[3] == "2026-11-23T00:00:00+00:00"


def test_the_next_day_begins_where_clocks_skip_midnight() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    at = datetime(2027, 3, 27, 12, tzinfo=UTC)
    before = used(("2027-03-27", 4500))
    (failure,) = judged(capped("day"), act(points=1000, at=at), usage=before, zone=beirut).failures
    assert told(failure)[3] == "2027-03-28T01:00:00+03:00"


def test_usage_is_wanted_once_for_each_key_and_a_life_apart() -> None:
    limits = [
        {"subject": "sender", "measure": "amount", "window": "day", "max": 9},
        {"subject": "sender", "measure": "count", "window": "rolling 2 days", "max": 9},
        {"subject": "pair", "measure": "count", "window": "lifetime", "max": 9},
        {"subject": "receiver", "measure": "amount", "window": "calendar_year", "max": 9},
        {"subject": "group", "measure": "amount", "window": "calendar_year", "max": 9},
        {"subject": "member", "measure": "count", "window": "day", "on": "redeem", "max": 9},
    ]
    today = date(2026, 11, 22)
    sender = UsageKey(UUID(int=1), "sender", Event.TRANSFER)
    receiver = UsageKey(UUID(int=2), "receiver", Event.TRANSFER)
    wanted = rules.wanted_usage(rule_set(limits=limits), act(points=1), between(), OSLO)
    assert wanted == [
        UsageWanted(sender, date(2026, 11, 21), today, (today,)),
        UsageWanted(receiver, date(2026, 1, 1), today),
        UsageWanted(sender, LIFETIME, LIFETIME, only=UUID(int=2)),
    ]


def test_a_transfer_adds_to_usage_of_both_and_of_the_group() -> None:
    verdict = judged(rule_set(), act(points=700), between(group=group()))
    one, two, day = UUID(int=1), UUID(int=2), date(2026, 11, 22)
    assert verdict.usage == (
        UsageMade(UsageKey(one, "sender", Event.TRANSFER), two, day, 700, 1),
        UsageMade(UsageKey(two, "receiver", Event.TRANSFER), one, day, 700, 1),
        UsageMade(UsageKey(GROUP, "group", Event.TRANSFER), one, day, 700, 1),
    )
    assert len(judged(rule_set(), act(points=700)).usage) == 2


def test_joining_adds_a_join_and_a_change_of_member_and_group() -> None:
    verdict = judged(rule_set("pool_view"), act(Event.JOIN), within())
    assert [(made.key.side, made.key.event.value, made.other) for made in verdict.usage] == [
        ("member", "join", GROUP),
        ("group", "join", UUID(int=1)),
        ("member", "change", GROUP),
        ("group", "change", UUID(int=1)),
    ]
    assert verdict.starts_change_session


def test_what_is_done_in_no_group_adds_to_no_group() -> None:
    verdict = judged(rule_set("pool_view"), act(Event.JOIN), within(group=None))
    assert [made.key.side for made in verdict.usage] == ["member", "member"]
    assert {made.other for made in verdict.usage} == {UUID(int=0)}
    assert not verdict.starts_change_session


def test_redeeming_adds_to_usage_only_where_it_is_capped() -> None:
    assert judged(rule_set("pool_view"), act(Event.REDEEM, 5), within()).usage == ()
    redeeming = capped("day", subject="member", on="redeem")
    made = judged(redeeming, act(Event.REDEEM, 5), within()).usage
    assert [(one.key.side, one.amount) for one in made] == [("member", 5), ("group", 5)]


def test_an_act_that_is_refused_adds_nothing() -> None:
    assert judged(capped("day", 0)).usage == ()


def test_a_membership_year_is_the_subjects_own() -> None:
    yearly = capped("membership_year", subject="receiver")
    joined = datetime(2024, 2, 29, 12, tzinfo=UTC)
    received = used(("2026-02-28", 4500, 1), subject=UUID(int=2), side="receiver")
    parties = between(party(1, joined=BEFORE), party(2, joined=joined))
    (failure,) = judged(yearly, act(points=1000, at=AT), parties, usage=received).failures
    assert told(failure)[3] == "2027-02-28T00:00:00+01:00"
