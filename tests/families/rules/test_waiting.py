"""Waiting until the instant that a failure tells: the rule passes then, and a second before not."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from coalition.families.evaluator import rules
from coalition.families.evaluator.acts import (
    Act,
    DayUse,
    Failure,
    GroupFacts,
    Parties,
    Party,
    Slot,
    Usage,
)
from coalition.families.rule_sets import presets
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Event, Kind
from tests.families.rules.test_windows import ZONES
from tests.families.rules.world import AT, act, group, party, place, rule_set

STRICT = rule_set(
    "pool_account",
    group={"members": {"max": 4}, "adults": {"max": 3}, "spend": {"adult": {"scope": "pool"}}},
    eligibility={"min_age": 18, "min_account_days": {"active": 30, "idle": 90},
                 "head": {"min_age": 21}},
    join={"cooldown_days": 20, "slot_cooldown_days": 30, "lock_in_days": 40, "freeze_hours": 48,
          "change_window_hours": 24},
    contribution={"manual": True},
    limits=[
        {"subject": "group", "measure": "changes", "window": "rolling 2 months", "on": "change",
         "max": 1},
        {"subject": "member", "measure": "amount", "window": "rolling 5 days", "on": "redeem",
         "max": 900},
        {"subject": "member", "measure": "groups_joined", "window": "membership_year", "on": "join",
         "max": 1},
    ],
    control={"blackouts": [{"first": "2026-11-20", "last": "2026-11-23"},
                           {"first": "2026-11-24", "last": "2026-11-24"}]},
)  # fmt: skip
DOCUMENTS = [*(presets.rule_set(name) for name in presets.names()), STRICT]
AGO = st.integers(0, 200 * 24 * 60).map(lambda minutes: AT - timedelta(minutes=minutes))
PEOPLE = st.builds(
    party,
    st.just(1),
    joined=AGO,
    was_active=st.booleans(),
    left_at=st.none() | AGO,
    born=st.none() | st.dates(date(2000, 1, 1), date(2026, 1, 1)),
    balance=st.integers(0, 3000),
)
GROUPS = st.builds(
    group,
    formed_at=AGO,
    counts=st.fixed_dictionaries({Kind.ADULT: st.integers(0, 2), Kind.MINOR: st.integers(0, 2)}),
    left=st.lists(st.builds(Slot, st.sampled_from([Kind.ADULT, Kind.MINOR]), AGO)).map(tuple),
    change_session_at=st.none() | AGO,
)
USES = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 900)), max_size=5)


@settings(max_examples=400, deadline=None)
@given(
    document=st.sampled_from(DOCUMENTS),
    kind=st.sampled_from([*Event]),
    joined_at=AGO,
    actor=PEOPLE,
    head=PEOPLE,
    facts=GROUPS,
    uses=USES,
    name=st.sampled_from(ZONES),
)
def test_a_rule_passes_at_the_instant_told_and_not_a_second_earlier(
    *, document: RuleSet, kind: Event, joined_at: datetime, actor: Party, head: Party,
    facts: GroupFacts, uses: list[tuple[int, int]], name: str,
) -> None:  # fmt: skip
    zone = ZoneInfo(name)
    parties = Parties(
        actor=actor, receiver=party(2), head=msgspec.structs.replace(head, member=UUID(int=3)),
        group=facts, actor_place=place(joined_at=joined_at), receiver_place=place("head"),
    )  # fmt: skip
    wanted = act(kind, points=800)
    usage = _usage(document, wanted, parties, zone, uses)

    def failing(at: datetime) -> dict[str, Failure]:
        later = msgspec.structs.replace(wanted, at=at)
        found = rules.evaluate(document, later, parties, usage, zone)
        return {failure.rule: failure for failure in found.failures}

    for rule, failure in failing(AT).items():
        then = failure.next_possible_at
        if then is not None:
            event(rule)
            assert then > AT
            assert rule not in failing(then)
            assert rule in failing(then.astimezone(UTC) - timedelta(seconds=1))


def _usage(
    document: RuleSet, wanted: Act, parties: Parties, zone: ZoneInfo, uses: list[tuple[int, int]]
) -> Usage:
    """Return these uses, so many days ago, under every key that is wanted."""
    keys = {want.key for want in rules.wanted_usage(document, wanted, parties, zone)}
    today = AT.astimezone(zone).date()
    days = tuple(
        DayUse(today - timedelta(days=ago), UUID(int=2), points, 1) for ago, points in uses
    )
    return Usage(days=dict.fromkeys(keys, days))
