"""Says a rule set in plain words: a sentence for each rule that asks for something."""

from collections.abc import Iterator
from typing import Final

import msgspec

from coalition.families.rule_sets.notation import (
    Bounds,
    Conditions,
    Fee,
    Group,
    Limit,
    Lots,
    RuleSet,
)
from coalition.families.rule_sets.vocabulary import (
    CountsAsActivity,
    Direction,
    Event,
    Measure,
    Mechanism,
)
from coalition.families.words import plain_en, plain_nb, plain_sv
from coalition.families.words.plain_words import Speech
from coalition.families.words.wording import Language

SPEECHES: Final = {
    Language.SV: Speech(plain_sv.WORDS, plain_sv.RELATIONS, thousands="\N{NO-BREAK SPACE}"),
    Language.NB: Speech(plain_nb.WORDS, plain_nb.RELATIONS, thousands="\N{NO-BREAK SPACE}"),
    Language.EN: Speech(plain_en.WORDS, plain_en.RELATIONS, thousands=","),
}
_SENDING = frozenset({Mechanism.P2P, Mechanism.HEAD_PULL})
_NO_POOL = frozenset({Mechanism.P2P, Mechanism.NOMINEE_ONLY})


class Section(msgspec.Struct, frozen=True):
    """What a rule set says of one thing: the heading and its sentences."""

    heading: str
    sentences: tuple[str, ...]


def described(rule_set: RuleSet, language: Language) -> list[Section]:
    """Return the rule set in plain words; parts that ask for nothing are left out."""
    say = SPEECHES[language]
    told = {
        "mechanism": _mechanism(rule_set, say),
        "group": _group(rule_set, say),
        "eligibility": _eligibility(rule_set, say),
        "join": _join(rule_set, say),
        "contribution": _contribution(rule_set, say),
        "transfer": _transfer(rule_set, say),
        "limits": _limits(rule_set, say),
        "fees": _fees(rule_set, say),
        "debit": _debit(rule_set, say),
        "expiry": _expiry(rule_set, say),
        "exits": _exits(rule_set, say),
        "control": _control(rule_set, say),
        "changes": _changes(rule_set, say),
        "notes": iter([rule_set.notes] if rule_set.notes else []),
    }
    parts = [Section(say(f"part.{name}"), tuple(sentences)) for name, sentences in told.items()]
    return [part for part in parts if part.sentences]


def _mechanism(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    yield say(f"mechanism.{rule_set.mechanism}")
    if rule_set.direction is not Direction.ANY and rule_set.mechanism in _SENDING:
        yield say(f"direction.{rule_set.direction}")
    if rule_set.timezone is not None:
        yield say("timezone", zone=rule_set.timezone)


def _group(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    yield from _counts(rule_set.group, say)
    for who, rule in rule_set.group.spend.items():
        marks = ("only_for_self", "by_grant", "revocable")
        more = "".join(say(f"spend.{mark}") for mark in marks if getattr(rule, mark))
        yield say(f"spend.{rule.scope}", who=say(f"who.{who}"), more=more)
    if rule_set.mechanism not in _NO_POOL:
        yield say(f"sees.{rule_set.group.sees}")
    if rule_set.group.minors_only_in_group:
        yield say("minors_only_in_group")


def _counts(group: Group, say: Speech) -> Iterator[str]:
    anybody = Bounds()
    if group.members.max is not None or group.members.min > 1:
        yield say("members", bounds=say.bounds(group.members))
    if group.adults != anybody:
        yield say("adults", age=group.adult_from, bounds=say.bounds(group.adults))
    if group.minors != anybody:
        yield say("minors", bounds=say.bounds(group.minors))
    if group.infant_below:
        yield say("infants", age=group.infant_below, bounds=say.bounds(group.infants))
    if group.nominees.max != 0:
        yield say("nominees", bounds=say.bounds(group.nominees))
    if group.groups_per_member is not None:
        yield say("groups_per_member", count=say.number(group.groups_per_member))


def _eligibility(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    asked = rule_set.eligibility
    actor = "sender" if rule_set.mechanism in _SENDING else "actor"
    for who, conditions in ((actor, asked), ("head", asked.head), ("receiver", asked.receiver)):
        if conditions is not None:
            if conditions.relationships:
                names = say.relations(conditions.relationships)
                yield say(f"relationships.{who}", names=names)
            yield from _of_person(conditions, say(f"who.{who}"), say)


def _of_person(asked: Conditions, who: str, say: Speech) -> Iterator[str]:
    if asked.evidence != "none":
        yield say(f"evidence.{asked.evidence}")
    if asked.address != "none":
        yield say(f"address.{asked.address}", who=who)
    if asked.address_checked == "always":
        yield say("address_checked.always")
    for name in ("countries", "tiers", "plans", "segments"):
        if named := getattr(asked, name):
            yield say(name, who=who, names=say.any_of(named))
    marks = ("identity_verified", "name_match", "good_standing")
    yield from (say(name, who=who) for name in marks if getattr(asked, name))
    yield from _of_numbers(asked, who, say)


def _of_numbers(asked: Conditions, who: str, say: Speech) -> Iterator[str]:
    for name in (
        "min_age",
        "min_age_with_guardian",
        "max_age",
        "min_active_months",
        "min_earned",
        "min_balance",
    ):
        number = getattr(asked, name)
        if number is not None:
            yield say(name, who=who, count=say.number(number))
    if (days := asked.min_account_days) is not None:
        yield say("min_account_days.active", who=who, count=say.number(days.active))
        yield say("min_account_days.idle", count=say.number(days.idle))


def _join(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    join = rule_set.join
    if rule_set.mechanism is not Mechanism.P2P:
        yield say(f"accept.{join.accept}")
        if join.accept != "nobody":
            yield say("invitation_days", count=say.number(join.invitation_days))
    if join.child_without_invitation:
        yield say("child_without_invitation")
    for name in (
        "lock_in_days",
        "freeze_hours",
        "cooldown_days",
        "slot_cooldown_days",
        "change_window_hours",
    ):
        if number := getattr(join, name):
            yield say(name, count=say.number(number))


def _contribution(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    given = rule_set.contribution
    if rule_set.mechanism is Mechanism.POOL_ACCOUNT or given.future_percent:
        yield say(f"existing.{given.existing}")
    if given.future_percent:
        yield say("future_percent", names=say.any_of(map(str, given.future_percent)))
    if given.manual:
        yield say("manual")
    yield from _lots(given.lots, say)


def _lots(lots: Lots | None, say: Speech) -> Iterator[str]:
    if lots is None:
        return
    if lots.issuers:
        yield say("lots.issuers", names=say.any_of(lots.issuers))
    if lots.classes:
        yield say("lots.classes", names=say.any_of(say(f"lots.{kind}") for kind in lots.classes))
    if lots.max_age_months is not None:
        yield say("lots.max_age_months", count=say.number(lots.max_age_months))


def _transfer(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    sent = rule_set.transfer
    for name in ("min", "max", "step"):
        number = getattr(sent, name)
        if number is not None:
            yield say(f"transfer.{name}", count=say.number(number))
    if sent.purpose == "named_reward":
        yield say("purpose")
    if not sent.may_move_on:
        yield say("stays")
    if sent.spend_on:
        named = [say("issuer") if name == "issuer" else name for name in sent.spend_on]
        yield say("spend_on", names=say.any_of(named))
    yield from _lots(sent.lots, say)


def _limits(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    for limit in rule_set.limits:
        yield say(
            "limit",
            subject=say(f"subject.{limit.subject}"),
            most=say.number(limit.max),
            measure=_measure(limit, say),
            window=say.window(limit.window),
        )
        if limit.within_hours:
            yield say("limit.within_hours", count=say.number(limit.within_hours))
        if limit.undone_counts:
            yield say("limit.undone_counts")


def _measure(limit: Limit, say: Speech) -> str:
    if limit.measure is Measure.COUNT:
        return say(f"count.{limit.on}")
    measure = say(f"measure.{limit.measure}")
    told_by_itself = limit.on is Event.TRANSFER or limit.measure is not Measure.AMOUNT
    return measure if told_by_itself else f"{measure} ({say(f'count.{limit.on}')})"


def _fees(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    for fee in rule_set.fees:
        yield say(
            f"fee.{fee.kind}",
            event=say(f"event.{fee.on}"),
            price=say.price(fee.money, fee.points),
            block=say.number(fee.block or 0),
            percent=fee.percent or "",
            payer=say(f"payer.{fee.payer}"),
        )
        yield from _fee_details(fee, say)


def _fee_details(fee: Fee, say: Speech) -> Iterator[str]:
    for bracket in fee.brackets:
        price = say.price(bracket.money, bracket.points)
        if bracket.up_to is None:
            yield say("bracket.rest", price=price)
        else:
            yield say("bracket.up_to", count=say.number(bracket.up_to), price=price)
    for name in ("min", "max"):
        number = getattr(fee, name)
        if number is not None:
            yield say(f"fee.{name}", count=say.bound(number, fee.money))
    if fee.only is not None:
        yield say("fee.only", standing=say.standing(fee.only))
    for one in fee.waived:
        yield say("fee.waived", standing=say.standing(one))


def _debit(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    if rule_set.mechanism is not Mechanism.NOMINEE_ONLY:
        yield say(f"order.{rule_set.debit.order}")
    if rule_set.debit.protected_last:
        yield say("protected_last")


def _expiry(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    expiry, months = rule_set.expiry, rule_set.expiry.months or 0
    if rule_set.mechanism is Mechanism.NOMINEE_ONLY:
        return
    yield say(f"expiry.{expiry.treatment}", months=say.number(months))
    if expiry.earned_later is not None:
        text = say(f"expiry.{expiry.earned_later}", months=say.number(months))
        yield say("earned_later", text=text)
    for name in ("suspended_by_own_tier", "suspended_by_head_tier"):
        if getattr(expiry, name):
            yield say(name)
    sends = rule_set.mechanism in _SENDING
    if sends or expiry.counts_as_activity is not CountsAsActivity.NONE:
        yield say(f"activity.{expiry.counts_as_activity}")


def _exits(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    exits = rule_set.exits
    if rule_set.mechanism in _NO_POOL:
        return
    for name in ("leaving", "ageing_out", "death", "closing"):
        yield say(f"exit.{name}", what=say(f"exit.{getattr(exits, name)}"))
    if exits.at_age is not None:
        yield say("at_age", count=say.number(exits.at_age))
    yield say(f"self_removal.{exits.self_removal}")


def _control(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    control = rule_set.control
    for one in control.approvals:
        key = "approval.above" if one.above else "approval"
        who = say(f"approver.{one.by}")
        text = say(key, who=who, count=say.number(one.above))
        yield text[0].upper() + text[1:]
    if control.approvals:
        yield say("approval_days", count=say.number(control.approval_days))
    if control.step_up_above is not None:
        yield say("step_up", count=say.number(control.step_up_above))
    for name in ("new_receiver", "new_device"):
        if hours := getattr(control.hold, f"{name}_hours"):
            yield say(name, count=say.number(hours))
    if control.undo_hours:
        yield say("undo", count=say.number(control.undo_hours))
    for days in control.blackouts:
        yield say("blackout", first=days.first, last=days.last)


def _changes(rule_set: RuleSet, say: Speech) -> Iterator[str]:
    for change in rule_set.changes:
        standing = say.standing(change.when)
        for path, number in change.set.items():
            if number is None:
                yield say("change.none", standing=standing, path=path)
            else:
                yield say("change", standing=standing, path=path, number=say.number(number))
