"""Rule sets made at random from the vocabulary: such as a model can play, valid by construction."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]
Events = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""By event the subjects and measures that limits on it may have."""

ZONES = (None, "Asia/Tokyo", "America/Los_Angeles", "Pacific/Auckland")
WINDOWS = (
    "day",
    "calendar_month",
    "calendar_year",
    "rolling 3 days",
    "rolling 30 days",
    "rolling 1 months",
    "rolling 2 months",
    "membership_year",
    "lifetime",
)
SENDING = ("p2p", "head_pull")
POOLING = ("pool_view", "pool_account", "sweep_to_head", "linked_wallet")
GROUPS = ("p2p", "head_pull", *POOLING, "nominee_only")


def _some(keys: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Document]:
    """Return any of some keys, mostly few of them."""
    return st.fixed_dictionaries({}, optional=keys)


def _mostly(part: st.SearchStrategy[Any], otherwise: Any) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(otherwise), st.just(otherwise), part)


ages = st.sampled_from((10, 16, 18, 40))
amounts = st.sampled_from((20, 50, 100, 150, 300))
account_days = st.sampled_from((1, 15, 40)).map(lambda days: {"active": days, "idle": days})
conditions = {
    "min_age": ages,
    "min_account_days": account_days,
    "min_balance": st.sampled_from((10, 100)),
}
eligibility = _some(
    {
        **conditions,
        "receiver": _some({**conditions, "max_age": st.just(60)}),
        "head": _some(conditions),
    }
)


def limits(events: Events) -> st.SearchStrategy[Any]:
    """Return caps on events, each with the subjects and measures that go with it."""
    kinds = [
        (event, subject, measure)
        for event, (subjects, measures) in events.items()
        for subject in subjects
        for measure in measures
        if (subject, measure) not in (("pair", "counterparties"), ("group", "groups_joined"))
    ]
    return st.lists(
        st.tuples(st.sampled_from(kinds), st.sampled_from(WINDOWS), st.integers(1, 6)).map(_limit),
        max_size=4,
        unique_by=lambda one: (one.get("on"), one["subject"], one["measure"], one["window"]),
    )


def _limit(made: tuple[tuple[str, str, str], str, int]) -> Document:
    (event, subject, measure), window, size = made
    if subject == "pair" and window == "membership_year":
        window = "calendar_year"
    most = size * 50 if measure == "amount" else size
    limit = {"subject": subject, "measure": measure, "window": window, "max": most}
    return limit if event == "transfer" else {**limit, "on": event}


OF_TRANSFERS = {
    "transfer": (("sender", "receiver", "pair"), ("amount", "count", "counterparties")),
}
OF_GROUPS = {
    "join": (("member", "group"), ("count",)),
    "leave": (("member", "group"), ("count",)),
    "change": (("group",), ("changes", "count")),
    "redeem": (("member", "group"), ("amount", "count")),
}
WITHIN = {"transfer": (("sender", "receiver", "pair", "group"), ("amount", "count"))}
CONTRIBUTING = {"contribute": (("member", "group"), ("amount", "count"))}

fees = st.one_of(
    st.just({"kind": "flat", "points": 3}),
    st.just({"kind": "percent", "percent": "2.5", "min": 2, "max": 9}),
    st.just({"kind": "per_block", "points": 2, "block": 40}),
    st.just({"kind": "bracket", "brackets": [{"up_to": 60, "points": 0}, {"points": 5}]}),
)
transfers = _some(
    {
        "min": st.just(10),
        "max": st.sampled_from((100, 200)),
        "step": st.just(10),
        "purpose": st.just("named_reward"),
        "may_move_on": st.sampled_from((False,)),
    }
)
blackouts = st.integers(0, 60).map(
    lambda days: [{"first": f"2026-12-{days % 28 + 1:02d}", "last": f"2026-12-{days % 28 + 2:02d}"}]
)
approvals = st.lists(
    st.tuples(st.sampled_from(("receiver", "head", "staff")), st.sampled_from((0, 60))).map(
        lambda made: {"by": made[0], "above": made[1]}
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda one: one["by"],
)
control = _some(
    {
        "approvals": approvals,
        "approval_days": st.sampled_from((1, 5)),
        "hold": st.just({"new_receiver_hours": 30}),
        "undo_hours": st.sampled_from((2, 100)),
        "step_up_above": st.just(80),
        "blackouts": blackouts,
    }
)
moved_end = st.sampled_from(
    ({}, {"treatment": "receiver_policy"}, {"treatment": "reset", "months": 1})
)


@st.composite
def of_transfers(draw: st.DrawFn, zone: str | None = None) -> Document:
    """Return rules of transfers between any members."""
    return _with_zone(
        {
            "title": "Anybody",
            "mechanism": "p2p",
            "eligibility": draw(_mostly(eligibility, {})),
            "transfer": draw(_mostly(transfers, {})),
            "limits": draw(limits(OF_TRANSFERS)),
            "fees": draw(_mostly(fees.map(lambda fee: [fee]), [])),
            "debit": {"order": draw(st.sampled_from(("earliest_expiry", "oldest_earned")))},
            "expiry": draw(moved_end),
            "control": draw(_mostly(control, {})),
            "group": draw(_mostly(st.just({"minors_only_in_group": True}), {})),
        },
        zone,
    )


@st.composite
def of_groups(draw: st.DrawFn, mechanism: str, zone: str | None = None) -> Document:
    """Return rules of a kind of groups in which points come together by a mechanism."""
    events: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = dict(OF_GROUPS)
    if mechanism in SENDING:
        events |= WITHIN
    if mechanism == "pool_account":
        events |= CONTRIBUTING
    rules = {
        "title": "Home",
        "mechanism": mechanism,
        "group": draw(groups(mechanism)),
        "eligibility": draw(_mostly(_of_joining(mechanism), {})),
        "join": draw(_mostly(joining, {})),
        "contribution": draw(_contributions(mechanism)),
        "limits": draw(limits(events)),
        "debit": {"order": draw(st.sampled_from(_orders(mechanism)))},
        "expiry": draw(moved_end),
        "exits": draw(_exits(mechanism)),
    }
    if mechanism in SENDING:
        rules |= {
            "direction": draw(st.sampled_from(("any", "within_group", "member_to_head"))),
            "transfer": draw(_mostly(transfers, {})),
            "fees": draw(_mostly(fees.map(lambda fee: [fee]), [])),
            "control": draw(_mostly(control, {})),
        }
    else:
        rules["fees"] = draw(st.one_of(st.just([]), money_fees))
    if mechanism == "nominee_only":
        rules["join"] = {**rules["join"], "accept": "nobody"}
    return _with_zone(rules, zone)


def _with_zone(rules: Document, zone: str | None) -> Document:
    return rules if zone is None else {**rules, "timezone": zone}


def _orders(mechanism: str) -> tuple[str, ...]:
    if mechanism == "p2p":
        return ("earliest_expiry", "oldest_earned")
    return ("proportional", "earliest_expiry", "oldest_earned", "own_first", "one_owner")


def _of_joining(mechanism: str) -> st.SearchStrategy[Document]:
    parts = {**conditions, "head": _some(conditions)}
    if mechanism in SENDING:
        parts["receiver"] = _some(conditions)
    return _some(parts)


@st.composite
def groups(draw: st.DrawFn, mechanism: str) -> Document:
    """Return who belongs to a group, and who spends what."""
    made: Document = draw(
        _some(
            {
                "members": st.sampled_from(
                    ({"max": 2}, {"max": 4}, {"min": 2}, {"min": 3, "max": 4})
                ),
                "minors": st.sampled_from(({"max": 0}, {"max": 1})),
                "adults": st.just({"max": 3}),
                "groups_per_member": st.just(1),
                "infant_below": st.just(2),
            }
        )
    )
    if mechanism in POOLING:
        spend: Document = {"head": {"scope": "pool"}}
        spend |= draw(
            _some(
                {
                    word: st.sampled_from(("pool", "own", "none")).map(lambda one: {"scope": one})
                    for word in ("spouse", "minor", "member")
                }
            )
        )
        made["spend"] = spend
    return made


PRICE = {"amount_minor": 500, "currency": "SEK"}
money_fees = st.sampled_from((("join",), ("leave",), ("join", "leave"))).map(
    lambda events: [
        {"kind": "flat", "on": event, "payer": "member", "money": PRICE} for event in events
    ]
)
joining = _some(
    {
        "lock_in_days": st.sampled_from((1, 10)),
        "cooldown_days": st.sampled_from((1, 10)),
        "slot_cooldown_days": st.sampled_from((1, 10)),
        "freeze_hours": st.sampled_from((5, 50)),
        "change_window_hours": st.sampled_from((5, 50)),
    }
)


def _contributions(mechanism: str) -> st.SearchStrategy[Document]:
    if mechanism == "pool_account":
        return st.sampled_from(
            (
                {"manual": True},
                {"existing": "all", "manual": True, "future_percent": [100]},
                {"existing": "optional", "manual": True, "future_percent": [30, 60]},
                {"future_percent": [50]},
            )
        )
    if mechanism == "sweep_to_head":
        return st.sampled_from(({"future_percent": [33]}, {"future_percent": [100]}))
    return st.just({})


def _exits(mechanism: str) -> st.SearchStrategy[Document]:
    kept = ["keep_own_share", "stays_with_head", "split"]
    pooled = mechanism in ("pool_account", "sweep_to_head", "linked_wallet", "head_pull")
    leaving = st.sampled_from([*kept, "stays_in_pool"] if pooled else kept)
    return st.fixed_dictionaries(
        {},
        optional={
            "leaving": leaving,
            "ageing_out": leaving,
            "closing": st.sampled_from(kept),
            "at_age": st.just(18),
            "self_removal": st.sampled_from(("any_time", "after_lock_in", "head_only")),
        },
    )
