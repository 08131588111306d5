"""Joining, leaving and changing groups: room, places that stay empty, lock-in, freeze, cooldown."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from coalition.families.evaluator.acts import Act, Failure, Parties, Slot
from coalition.families.rule_sets.vocabulary import Event, Kind
from tests.families.rules.world import (
    act,
    between,
    failures,
    group,
    judged,
    names,
    party,
    place,
    rule_set,
    told,
    within,
)


# Any: parts are written as in files.
def refused(wanted: Act, parties: Parties | None = None, **parts: Any) -> Failure:
    (failure,) = judged(rule_set("pool_view", **parts), wanted, parties or within()).failures
    return failure


def allowed(wanted: Act, parties: Parties | None = None, **parts: Any) -> bool:
    return judged(rule_set("pool_view", **parts), wanted, parties or within()).passes


FULL = {Kind.ADULT: 2, Kind.MINOR: 3, Kind.INFANT: 1, Kind.NOMINEE: 4}


@pytest.mark.parametrize(
    ("bound", "kind", "there"),
    [
        ("members", Kind.ADULT, 5),
        ("members", Kind.MINOR, 5),
        ("adults", Kind.ADULT, 2),
        ("minors", Kind.MINOR, 3),
        ("infants", Kind.INFANT, 1),
        ("nominees", Kind.NOMINEE, 4),
    ],
)
def test_a_group_has_room_for_so_many_of_a_kind(bound: str, kind: Kind, there: int) -> None:
    joining, full = act(Event.JOIN, kind=kind), within(group=group(counts=FULL))
    open_list: dict[str, Any] = {"nominees": {"max": 9}}
    failure = refused(joining, full, group=open_list | {bound: {"max": there}})
    assert failure.rule == f"group.{bound}.max"
    assert told(failure) == (there, there, 0, None)
    assert allowed(joining, full, group=open_list | {bound: {"max": there + 1}})


@pytest.mark.parametrize("kind", [Kind.INFANT, Kind.NOMINEE])
def test_infants_and_nominees_take_no_place_of_a_member(kind: Kind) -> None:
    bounds = {"members": {"max": 5}, "nominees": {"max": 9}}
    full = within(group=group(counts=FULL))
    assert allowed(act(Event.JOIN, kind=kind), full, group=bounds)


def test_open_invitations_take_places() -> None:
    invited = {Kind.ADULT: 1, Kind.INFANT: 7}
    asked = within(group=group(open_invitations=invited))
    failure = refused(act(Event.JOIN), asked, group={"members": {"max": 3}})
    assert told(failure) == (3, 3, 0, None)
    assert allowed(act(Event.JOIN), asked, group={"members": {"max": 4}})


def test_a_group_that_is_not_there_yet_has_room() -> None:
    assert allowed(act(Event.JOIN), within(group=None), group={"members": {"max": 1}})


def test_nobody_names_nominees_where_there_are_none() -> None:
    failure = refused(act(Event.JOIN, kind=Kind.NOMINEE))
    assert failure.rule == "group.nominees.max"
    assert told(failure) == (0, 0, 0, None)


def test_a_member_belongs_to_so_many_groups_of_a_kind() -> None:
    parts: dict[str, Any] = {"group": {"groups_per_member": 2, "nominees": {"max": 1}}}
    failure = refused(act(Event.JOIN), within(party(1, groups=2)), **parts)
    assert failure.rule == "group.groups_per_member"
    assert told(failure) == (2, 2, 0, None)
    assert allowed(act(Event.JOIN), within(party(1, groups=1)), **parts)
    assert allowed(act(Event.JOIN, kind=Kind.NOMINEE), within(party(1, groups=2)), **parts)


@pytest.mark.parametrize(
    ("bound", "there"),
    [("members", 5), ("adults", 2), ("minors", 3), ("infants", 1), ("nominees", 4)],
)
def test_a_group_that_is_too_small_does_not_spend_together(bound: str, there: int) -> None:
    spending = {"adult": {"scope": "pool"}}
    small = within(party(1, balance=10), group=group(counts=FULL), actor_place=place())
    bounds: dict[str, Any] = {"spend": spending, bound: {"min": there + 1, "max": 9}}
    failure = refused(act(Event.REDEEM, 11), small, group=bounds)
    assert failure.rule == f"group.{bound}.min"
    assert told(failure) == (there + 1, there, None, None)
    assert allowed(act(Event.REDEEM, 10), small, group=bounds)
    enough: dict[str, Any] = {"spend": spending, bound: {"min": there, "max": 9}}
    assert allowed(act(Event.REDEEM, 11), small, group=enough)


def test_a_group_that_is_too_small_is_brought_no_points() -> None:
    pool = rule_set("pool_account", contribution={"manual": True}, group={"members": {"min": 3}})
    assert names(judged(pool, act(Event.CONTRIBUTE, 5), within()).failures) == ["group.members.min"]
    assert judged(pool, act(Event.CONTRIBUTE, 5), within(group=None)).passes


@pytest.mark.parametrize(
    "event", [Event.JOIN, Event.LEAVE, Event.CHANGE, Event.CONTRIBUTE, Event.TRANSFER, Event.CARD]
)
def test_nothing_moves_in_a_group_that_is_being_separated(event: Event) -> None:
    mechanism = "p2p" if event is Event.TRANSFER else "pool_account"
    rules = rule_set(mechanism, contribution={"manual": event is not Event.TRANSFER})
    apart = within(receiver=party(2), group=group(is_frozen=True))
    (failure,) = judged(rules, act(event), apart).failures
    assert failure.rule == "group.separating"
    assert told(failure) == (None, None, None, None)


def test_while_a_group_is_separated_each_spends_its_own() -> None:
    parts: dict[str, Any] = {"group": {"spend": {"adult": {"scope": "pool"}}}}
    apart = within(party(1, balance=10), group=group(is_frozen=True), actor_place=place())
    assert allowed(act(Event.REDEEM, 10), apart, **parts)
    assert refused(act(Event.REDEEM, 11), apart, **parts).rule == "group.separating"


def test_minors_that_take_part_only_in_groups_send_nothing_outside_of_one() -> None:
    rules = rule_set(group={"minors_only_in_group": True})
    child = party(1, born=date(2010, 11, 23))
    (failure,) = judged(rules, None, between(child)).failures
    assert failure.rule == "group.minors_only_in_group"
    assert told(failure) == (18, 15, None, "2028-11-23T00:00:00+01:00")
    inside = between(child, group=group(), actor_place=place("child", kind=Kind.MINOR))
    assert judged(rules, None, inside).passes
    assert judged(rules, None, between(party(1, born=date(2008, 11, 22)))).passes
    assert judged(rules, None, between()).passes


def test_who_has_left_a_group_joins_none_for_some_days() -> None:
    left = within(party(1, left_at=datetime(2026, 11, 20, 22, tzinfo=UTC)))
    failure = refused(act(Event.JOIN), left, join={"cooldown_days": 183})
    assert failure.rule == "join.cooldown_days"
    assert told(failure) == (183, 2, None, "2027-05-22T00:00:00+02:00")
    day = datetime.fromisoformat("2027-05-22T00:00:00+02:00")
    assert allowed(act(Event.JOIN, at=day), left, join={"cooldown_days": 183})
    second = day - timedelta(seconds=1)
    assert not allowed(act(Event.JOIN, at=second), left, join={"cooldown_days": 183})
    assert allowed(act(Event.JOIN), within(), join={"cooldown_days": 183})


def test_a_nominee_has_left_nothing() -> None:
    left = within(party(1, left_at=datetime(2026, 11, 20, 22, tzinfo=UTC)))
    joining = act(Event.JOIN, kind=Kind.NOMINEE)
    bounds = {"nominees": {"max": 5}}
    assert allowed(joining, left, join={"cooldown_days": 183}, group=bounds)


def slot(day: int, kind: Kind = Kind.ADULT) -> Slot:
    return Slot(kind, datetime(2026, 11, day, 12, tzinfo=UTC))


TWO_ADULTS: dict[str, Any] = {
    "group": {"members": {"max": 7}, "adults": {"max": 2}}, "join": {"slot_cooldown_days": 10},
}  # fmt: skip


def test_the_place_of_who_has_left_stays_empty_for_some_days() -> None:
    one_left = within(group=group(counts={Kind.ADULT: 1}, left=(slot(20),)))
    failure = refused(act(Event.JOIN), one_left, **TWO_ADULTS)
    assert failure.rule == "join.slot_cooldown_days"
    assert told(failure) == (10, 2, None, "2026-11-30T00:00:00+01:00")
    then = datetime.fromisoformat("2026-11-30T00:00:00+01:00")
    assert allowed(act(Event.JOIN, at=then), one_left, **TWO_ADULTS)
    assert not allowed(act(Event.JOIN, at=then - timedelta(seconds=1)), one_left, **TWO_ADULTS)


def test_a_place_of_another_kind_keeps_nobody_out() -> None:
    child_left = within(group=group(counts={Kind.ADULT: 1}, left=(slot(20, Kind.MINOR),)))
    assert allowed(act(Event.JOIN), child_left, **TWO_ADULTS)
    adult_left = within(group=group(counts={Kind.ADULT: 1}, left=(slot(20),)))
    assert allowed(act(Event.JOIN, kind=Kind.MINOR), adult_left, **TWO_ADULTS)


def test_of_several_empty_places_as_many_have_to_be_free_as_are_needed() -> None:
    rules: dict[str, Any] = {
        "group": {"members": {"max": 4}}, "join": {"slot_cooldown_days": 10},
    }  # fmt: skip
    left = (slot(19), slot(21), slot(1), slot(17))
    two = within(group=group(counts={Kind.ADULT: 2}, left=left))
    failure = refused(act(Event.JOIN), two, **rules)
    assert told(failure) == (10, 3, None, "2026-11-29T00:00:00+01:00")
    one = within(group=group(counts={Kind.ADULT: 1}, left=left))
    assert told(refused(act(Event.JOIN), one, **rules))[1] == 5
    none = within(group=group(counts={}, left=left))
    assert allowed(act(Event.JOIN), none, **rules)


def test_the_bound_that_is_free_last_decides() -> None:
    rules: dict[str, Any] = {
        "group": {"members": {"max": 2}, "adults": {"max": 1}}, "join": {"slot_cooldown_days": 10},
    }  # fmt: skip
    left = (slot(15), slot(20, Kind.MINOR), slot(21, Kind.MINOR))
    empty = within(group=group(counts={}, left=left))
    assert told(refused(act(Event.JOIN), empty, **rules))[3] == "2026-11-30T00:00:00+01:00"


def test_a_group_that_is_full_without_empty_places_says_only_that() -> None:
    full = within(group=group(counts={Kind.ADULT: 2}, left=(slot(20),)))
    assert refused(act(Event.JOIN), full, **TWO_ADULTS).rule == "group.adults.max"


def test_a_group_without_bounds_or_not_there_yet_has_no_empty_places() -> None:
    cooling = {"slot_cooldown_days": 10}
    left = within(group=group(left=(slot(20),)))
    assert allowed(act(Event.JOIN), left, join=cooling)
    assert allowed(act(Event.JOIN), within(group=None), **TWO_ADULTS)


JOINED = place(joined_at=datetime(2026, 11, 1, 20, tzinfo=UTC))


def test_a_member_stays_for_some_days() -> None:
    failure = refused(act(Event.LEAVE), within(actor_place=JOINED), join={"lock_in_days": 30})
    assert failure.rule == "join.lock_in_days"
    assert told(failure) == (30, 21, None, "2026-12-01T00:00:00+01:00")
    then = datetime.fromisoformat("2026-12-01T00:00:00+01:00")
    in_place = within(actor_place=JOINED)
    assert allowed(act(Event.LEAVE, at=then), in_place, join={"lock_in_days": 30})
    before = then - timedelta(seconds=1)
    assert not allowed(act(Event.LEAVE, at=before), in_place, join={"lock_in_days": 30})


def test_who_may_leave_at_any_time_is_locked_in_by_the_head_alone() -> None:
    rules: dict[str, Any] = {
        "join": {"lock_in_days": 30}, "exits": {"self_removal": "any_time"},
    }  # fmt: skip
    assert allowed(act(Event.LEAVE), within(actor_place=JOINED), **rules)
    assert not allowed(act(Event.LEAVE, by_head=True), within(actor_place=JOINED), **rules)


def test_a_nominee_stays_for_some_days_before_another_takes_its_place() -> None:
    rules: dict[str, Any] = {"join": {"lock_in_days": 30}}
    replaced = act(Event.CHANGE, kind=Kind.NOMINEE)
    assert not allowed(replaced, within(actor_place=JOINED), **rules)
    assert allowed(act(Event.CHANGE), within(actor_place=JOINED), **rules)
    assert allowed(act(Event.LEAVE), within(), **rules)


def test_a_member_leaves_by_the_head_where_it_cannot_by_itself() -> None:
    rules: dict[str, Any] = {"exits": {"self_removal": "head_only"}}
    failure = refused(act(Event.LEAVE), **rules)
    assert failure.rule == "exits.self_removal"
    assert told(failure) == ("head_only", None, None, None)
    assert allowed(act(Event.LEAVE, by_head=True), **rules)
    assert allowed(act(Event.LEAVE), exits={"self_removal": "any_time"})


def test_a_new_member_waits_some_hours_before_it_spends_what_is_not_its_own() -> None:
    joined = datetime(2026, 10, 24, 10, tzinfo=UTC)
    rules: dict[str, Any] = {
        "group": {"spend": {"adult": {"scope": "pool"}}}, "join": {"freeze_hours": 48},
    }  # fmt: skip
    new = within(party(1, balance=10), actor_place=place(joined_at=joined))
    soon, then = joined + timedelta(hours=47, minutes=59), joined + timedelta(hours=48)
    failure = refused(act(Event.REDEEM, 11, soon), new, **rules)
    assert failure.rule == "join.freeze_hours"
    assert told(failure) == (48, 47, None, "2026-10-26T11:00:00+01:00")
    assert allowed(act(Event.REDEEM, 10, soon), new, **rules)
    assert allowed(act(Event.REDEEM, 11, then), new, **rules)


def test_points_of_a_new_member_are_not_taken_either() -> None:
    rules = rule_set("head_pull", join={"freeze_hours": 48})
    joined = act().at - timedelta(hours=1)
    new = within(
        receiver=party(3), actor_place=place(joined_at=joined), receiver_place=place("head")
    )
    assert [*failures(rules, act(points=5), new)] == ["join.freeze_hours"]
    old = within(receiver=party(3), actor_place=place(), receiver_place=place("head"))
    assert judged(rules, act(points=5), old).passes
    assert judged(rule_set(join={"freeze_hours": 48})).passes


def test_a_new_member_may_bring_points_at_once() -> None:
    rules = rule_set("pool_account", contribution={"manual": True}, join={"freeze_hours": 48})
    new = within(actor_place=place(joined_at=act().at))
    assert judged(rules, act(Event.CONTRIBUTE, 5), new).passes
