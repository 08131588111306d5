"""What rules say, read by a model that knows nothing of the product: numbers, days and names.

A rule set is its document, as plain data. Every rule that fails is told with its number, what was
measured and what is left.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from tests.properties.families.asked import (
    Document,
    Fails,
    Person,
    Question,
    age,
    goes_freely,
    spends,
)
from tests.properties.families.caps import passed

KINDS = {
    "members": ("adult", "minor"),
    "adults": ("adult",),
    "minors": ("minor",),
    "infants": ("infant",),
}


def failures(asked: Question) -> list[Fails]:
    """Return every rule that does not let an act be done, in the order of the notation."""
    found = [
        *_mechanism(asked),
        *_group(asked),
        *_eligibility(asked),
        *_join(asked),
        *_contribution(asked),
        *_transfer(asked),
        *(one for limit in asked.rules.get("limits", ()) for one in passed(limit, asked)),
        *_exits(asked),
        *_control(asked),
    ]
    fee = fee_points(asked)
    if asked.event in ("transfer", "contribute") and asked.points + fee > asked.actor.balance:
        found.append(Fails("balance", asked.actor.balance, asked.points + fee))
    return found


def fee_points(asked: Question) -> int:
    """Return what is paid in points beside an act."""
    points = 0
    for fee in asked.rules.get("fees", ()):
        if fee.get("on", "transfer") != asked.event or "money" in fee:
            continue
        if fee["kind"] == "flat":
            points += fee["points"]
        elif fee["kind"] == "percent":
            tenths = round(float(fee["percent"]) * 10)
            price = max(-(-asked.points * tenths // 1000), fee.get("min", 0))
            points += min(price, fee.get("max", price))
        elif fee["kind"] == "per_block":
            price = max(-(-asked.points // fee["block"]) * fee["points"], fee.get("min", 0))
            points += min(price, fee.get("max", price))
        else:
            points += next(
                one["points"]
                for one in fee["brackets"]
                if "up_to" not in one or asked.points <= one["up_to"]
            )
    return points


def _mechanism(asked: Question) -> Iterator[Fails]:
    mechanism = asked.rules["mechanism"]
    allowed = {"transfer": ("p2p", "head_pull"), "contribute": ("pool_account",)}
    if mechanism not in allowed.get(asked.event, (mechanism,)):
        yield Fails("mechanism", mechanism, asked.event)
    if asked.event != "transfer" or not asked.receiver:
        return
    direction = asked.rules.get("direction", "any")
    if direction == "any" and mechanism == "head_pull":
        direction = "member_to_head"
    seat = asked.family.seat(asked.receiver.id) if asked.family else None
    if direction == "within_group" and seat is None:
        yield Fails("direction", direction, None)
    if direction == "member_to_head" and (seat is None or seat.role != "head"):
        yield Fails("direction", direction, None)


def _group(asked: Question) -> Iterator[Fails]:
    is_settled = asked.family is None or asked.family.separating is None
    if not is_settled and (asked.event != "redeem" or asked.takes_others):
        yield Fails("group.separating", None, None)
    match asked.event:
        case "join":
            yield from _room(asked)
        case "contribute":
            yield from _least(asked)
        case "redeem":
            yield from _least(asked) if asked.takes_others else ()
            yield from _spending(asked)
        case "transfer":
            yield from _minors(asked)


def _room(asked: Question) -> Iterator[Fails]:
    group, family = asked.part("group"), asked.family
    assert family is not None, "somebody joins a group"
    for name, kinds in KINDS.items():
        most, there = group.get(name, {}).get("max"), family.counted(kinds)
        if most is not None and asked.kind in kinds and there >= most:
            yield Fails(f"group.{name}.max", most, there, most - there)
    most = group.get("groups_per_member")
    if most is not None and asked.actor.groups >= most:
        yield Fails("group.groups_per_member", most, asked.actor.groups, most - asked.actor.groups)


def _least(asked: Question) -> Iterator[Fails]:
    assert asked.family is not None, "a group spends or gathers points"
    for name, kinds in KINDS.items():
        least = asked.part("group").get(name, {}).get("min", 1 if name == "members" else 0)
        if asked.family.counted(kinds) < least:
            yield Fails(f"group.{name}.min", least, asked.family.counted(kinds))


def _spending(asked: Question) -> Iterator[Fails]:
    assert asked.seat is not None, "a member of the group spends"
    word, scope = spends(asked.rules, asked.seat)
    if scope == "none" or (scope == "own" and asked.takes_others):
        yield Fails(f"group.spend.{word}.scope", scope, asked.points)


def _minors(asked: Question) -> Iterator[Fails]:
    group = asked.part("group")
    years, wanted = age(asked.actor.born, asked.today), group.get("adult_from", 18)
    if group.get("minors_only_in_group") and asked.seat is None and years < wanted:
        yield Fails("group.minors_only_in_group", wanted, years)


def _eligibility(asked: Question) -> Iterator[Fails]:
    own = asked.part("eligibility")
    joins_to_send = asked.event == "join" and asked.rules["mechanism"] == "p2p"
    if asked.event in ("join", "transfer", "contribute") and not joins_to_send:
        yield from _conditions("eligibility.", own, asked.actor, asked)
    if asked.event == "transfer" and asked.actor.stopped:
        yield Fails("eligibility.good_standing", None, None)
    if asked.event == "transfer" and asked.receiver and "receiver" in own:
        yield from _conditions("eligibility.receiver.", own["receiver"], asked.receiver, asked)
    if asked.event in ("join", "transfer") and asked.head and "head" in own:
        yield from _conditions("eligibility.head.", own["head"], asked.head, asked)


def _conditions(name: str, wanted: Document, person: Person, asked: Question) -> Iterator[Fails]:
    """Ask somebody; of another it is not looked at what it was measured: that may stay untold."""
    for failure in _asked(name, wanted, person, asked):
        yield failure if name == "eligibility." else failure._replace(used=None)


def _asked(name: str, wanted: Document, person: Person, asked: Question) -> Iterator[Fails]:
    years = age(person.born, asked.today)
    if years < wanted.get("min_age", 0):
        yield Fails(f"{name}min_age", wanted["min_age"], years)
    if years > wanted.get("max_age", 200):
        yield Fails(f"{name}max_age", wanted["max_age"], years)
    days = (asked.today - person.joined.astimezone(asked.zone).date()).days
    least = wanted.get("min_account_days", {}).get("active", 0)
    if days < least:
        yield Fails(f"{name}min_account_days", least, days)
    if person.balance < wanted.get("min_balance", 0):
        yield Fails(f"{name}min_balance", wanted["min_balance"], person.balance)


def _join(asked: Question) -> Iterator[Fails]:
    join, seat, actor = asked.part("join"), asked.seat, asked.actor
    if asked.event == "join":
        if actor.left_at is not None:
            yield from _since(
                "join.cooldown_days", join.get("cooldown_days", 0), actor.left_at, asked
            )
        yield from _slots(join.get("slot_cooldown_days", 0), asked)
    if asked.event == "leave" and seat is not None and not goes_freely(asked):
        yield from _since("join.lock_in_days", join.get("lock_in_days", 0), seat.joined_at, asked)
    waits = asked.event == "transfer" or (asked.event == "redeem" and asked.takes_others)
    hours = join.get("freeze_hours", 0)
    if waits and seat is not None and asked.at - seat.joined_at < timedelta(hours=hours):
        passed = (asked.at - seat.joined_at) // timedelta(hours=1)
        yield Fails("join.freeze_hours", hours, passed)


def _since(rule: str, days: int, instant: datetime, asked: Question) -> Iterator[Fails]:
    passed = (asked.today - instant.astimezone(asked.zone).date()).days
    if passed < days:
        yield Fails(rule, days, passed)


def _slots(days: int, asked: Question) -> Iterator[Fails]:
    """Places that were left stay empty: who joins must fit beside them."""
    assert asked.family is not None, "somebody joins a group"
    worst: int | None = None
    for name, kinds in KINDS.items():
        most = asked.part("group").get(name, {}).get("max")
        if most is None or asked.kind not in kinds:
            continue
        room = most - asked.family.counted(kinds)
        since = sorted(
            (asked.today - at.astimezone(asked.zone).date()).days
            for kind, at in asked.family.left
            if kind in kinds
        )
        empty = [passed for passed in since if passed < days]
        if room > 0 and len(empty) >= room:
            # Free again once so many are over that one fits: the oldest ones are over first.
            first = empty[room - 1]
            worst = first if worst is None else min(worst, first)
    if worst is not None:
        yield Fails("join.slot_cooldown_days", days, worst)


def _contribution(asked: Question) -> Iterator[Fails]:
    rule = asked.part("contribution")
    is_none = rule.get("existing", "none") == "none" and not rule.get("manual", False)
    if asked.event == "contribute" and is_none:
        yield Fails("contribution.manual", None, None)


def _transfer(asked: Question) -> Iterator[Fails]:
    if asked.event != "transfer":
        return
    rule, points = asked.part("transfer"), asked.points
    if points < rule.get("min", 0):
        yield Fails("transfer.min", rule["min"], points)
    if points > rule.get("max", points):
        yield Fails("transfer.max", rule["max"], points)
    if points % rule.get("step", 1):
        yield Fails("transfer.step", rule["step"], points)
    if rule.get("purpose") == "named_reward" and not asked.purpose:
        yield Fails("transfer.purpose", "named_reward", None)
    own = max(asked.actor.balance - asked.received, 0)
    if not rule.get("may_move_on", True) and asked.received and points > own:
        yield Fails("transfer.may_move_on", own, points)


def _exits(asked: Question) -> Iterator[Fails]:
    is_own_word = asked.event == "leave" and not asked.by_head
    if is_own_word and asked.part("exits").get("self_removal") == "head_only":
        yield Fails("exits.self_removal", "head_only", None)


def _control(asked: Question) -> Iterator[Fails]:
    control = asked.part("control")
    if asked.event not in ("transfer", "contribute"):
        return
    above = control.get("step_up_above")
    if above is not None and asked.points > above and not asked.signed_in:
        yield Fails("control.step_up_above", above, asked.points)
    day = asked.today
    for days in sorted(control.get("blackouts", ()), key=lambda one: one["first"]):
        if days["first"] <= day.isoformat() <= days["last"]:
            day = date.fromisoformat(days["last"]) + timedelta(days=1)
    if day != asked.today:
        last = (day - timedelta(days=1)).isoformat()
        yield Fails("control.blackouts", last, asked.today.isoformat())
