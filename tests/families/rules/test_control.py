"""Who has to agree, how long points wait, signing in anew, and days on which nothing moves."""

from datetime import UTC, date, datetime, timedelta

import pytest

from coalition.families.rule_sets.vocabulary import (
    Approver,
    CountsAsActivity,
    Event,
    ExpiryTreatment,
    Kind,
)
from tests.families.rules.world import (
    AT,
    act,
    between,
    failures,
    group,
    judged,
    party,
    place,
    rule_set,
    told,
    within,
)


def test_somebody_agrees_to_what_is_above_some_points() -> None:
    rules = rule_set(control={"approvals": [{"by": "receiver"}, {"by": "staff", "above": 1000}]})
    assert judged(rules, act(points=1000)).approvals == (Approver.RECEIVER,)
    assert judged(rules, act(points=1001)).approvals == (Approver.RECEIVER, Approver.STAFF)


def test_who_agrees_twice_agrees_once() -> None:
    rules = rule_set(control={"approvals": [{"by": "staff"}, {"by": "staff", "above": 10}]})
    assert judged(rules, act(points=1000)).approvals == (Approver.STAFF,)


def test_a_guardian_agrees_for_a_minor() -> None:
    rules = rule_set(control={"approvals": [{"by": "guardian"}]})
    child, adult = party(1, born=date(2008, 11, 23)), party(1, born=date(2008, 11, 22))
    assert judged(rules, None, between(child)).approvals == (Approver.GUARDIAN,)
    assert judged(rules, None, between(adult)).approvals == ()
    assert judged(rules).approvals == ()
    by_place = between(group=group(), actor_place=place("child", kind=Kind.MINOR))
    assert judged(rules, None, by_place).approvals == (Approver.GUARDIAN,)
    of_21 = rule_set(control={"approvals": [{"by": "guardian"}]}, group={"adult_from": 21})
    assert judged(of_21, None, between(adult)).approvals == (Approver.GUARDIAN,)


def test_a_head_agrees_to_what_others_send() -> None:
    rules = rule_set(control={"approvals": [{"by": "head"}]})
    assert judged(rules, None, between(head=party(3))).approvals == (Approver.HEAD,)
    assert judged(rules, None, between(head=party(1))).approvals == ()
    assert judged(rules).approvals == ()


def test_nobody_agrees_to_anything_but_transfers() -> None:
    rules = rule_set(
        "pool_account",
        contribution={"manual": True},
        control={"approvals": [{"by": "staff"}], "hold": {"new_device_hours": 9}},
    )
    verdict = judged(rules, act(Event.CONTRIBUTE, 5, new_device=True), within())
    assert (verdict.approvals, verdict.hold_hours) == ((), 0)


@pytest.mark.parametrize(
    ("new_receiver", "new_device", "hours"),
    [(False, False, 0), (True, False, 24), (False, True, 72), (True, True, 72)],
)
def test_points_wait_for_a_new_receiver_or_a_new_device(
    new_receiver: bool, new_device: bool, hours: int  # noqa: FBT001 - parameters of the cases
) -> None:  # fmt: skip
    rules = rule_set(control={"hold": {"new_receiver_hours": 24, "new_device_hours": 72}})
    wanted = act(points=5, new_receiver=new_receiver, new_device=new_device)
    assert judged(rules, wanted).hold_hours == hours
    assert judged(rule_set(), wanted).hold_hours == 0


def test_a_sender_signs_in_anew_above_some_points() -> None:
    rules = rule_set(control={"step_up_above": 1000})
    assert judged(rules, act(points=1000)).passes
    verdict = judged(rules, act(points=1001))
    assert verdict.needs_step_up
    assert told(verdict.failures[0]) == (1000, 1001, None, None)
    assert verdict.failures[0].rule == "control.step_up_above"
    for ago, passes in ((timedelta(minutes=4, seconds=59), True), (timedelta(minutes=5), False)):
        wanted = act(points=1001, stepped_up_at=AT - ago)
        assert judged(rules, wanted).passes is passes
    assert not judged(rules, act(points=1001, stepped_up_at=AT)).needs_step_up


CLOSED = rule_set(
    control={
        "blackouts": [
            {"first": "2026-12-30", "last": "2027-01-01"},
            {"first": "2026-12-24", "last": "2026-12-26"},
            {"first": "2026-12-27", "last": "2026-12-27"},
        ]
    }
)


@pytest.mark.parametrize(
    ("at", "then"),
    [
        (datetime(2026, 12, 23, 22, 59, 59, tzinfo=UTC), None),
        (datetime(2026, 12, 23, 23, tzinfo=UTC), "2026-12-28T00:00:00+01:00"),
        (datetime(2026, 12, 27, 22, 59, 59, tzinfo=UTC), "2026-12-28T00:00:00+01:00"),
        (datetime(2026, 12, 27, 23, tzinfo=UTC), None),
        (datetime(2027, 1, 1, 12, tzinfo=UTC), "2027-01-02T00:00:00+01:00"),
    ],
)
def test_nothing_moves_on_some_days_and_the_next_that_is_free_is_told(
    at: datetime, then: str | None
) -> None:
    failed = failures(CLOSED, act(points=5, at=at))
    if then is None:
        assert failed == {}
        return
    failure = failed["control.blackouts"]
    assert told(failure)[3] == then
    assert failure.next_possible_at is not None
    assert judged(CLOSED, act(points=5, at=failure.next_possible_at)).passes
    assert not judged(
        CLOSED, act(points=5, at=failure.next_possible_at - timedelta(seconds=1))
    ).passes


def test_the_last_day_on_which_nothing_moves_is_told_beside_today() -> None:
    failed = failures(CLOSED, act(points=5, at=datetime(2026, 12, 25, 12, tzinfo=UTC)))
    assert told(failed["control.blackouts"])[:2] == ("2026-12-27", "2026-12-25")


@pytest.mark.parametrize("last", ["9999-12-30", "9999-12-31"])
def test_on_days_without_an_end_waiting_does_not_help(last: str) -> None:
    rules = rule_set(control={"blackouts": [{"first": "2026-01-01", "last": last}]})
    failure = failures(rules, act(points=5))["control.blackouts"]
    assert (failure.limit, failure.next_possible_at) == (last, None)


def test_a_redemption_is_not_stopped_on_such_days() -> None:
    pool = rule_set(
        "pool_view", control={"blackouts": [{"first": "2026-01-01", "last": "2026-12-31"}]}
    )
    assert judged(pool, act(Event.REDEEM, 5), within()).passes


def test_a_verdict_tells_until_when_it_is_undone_and_what_points_become() -> None:
    rules = rule_set(
        control={"undo_hours": 12},
        expiry={"treatment": "reset", "months": 18, "counts_as_activity": "both"},
    )
    verdict = judged(rules)
    assert verdict.undo_hours == 12
    assert verdict.expiry is ExpiryTreatment.RESET
    assert verdict.expiry_months == 18
    assert verdict.activity is CountsAsActivity.BOTH
