"""Finds what is wrong with a rule set beyond its form, and says what would be right."""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from coalition.families.rule_sets import numbers
from coalition.families.rule_sets.checking_amounts import of_fees, of_limits
from coalition.families.rule_sets.checking_people import (
    of_bounds,
    of_contribution,
    of_eligibility,
    of_join,
    of_spending,
)
from coalition.families.rule_sets.complaints import Complaint, Path, Said, said
from coalition.families.rule_sets.countries import resolved
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.numbers import NoSuchNumberError
from coalition.families.rule_sets.vocabulary import (
    DebitOrder,
    Direction,
    ExpiryTreatment,
    Mechanism,
    OnExit,
)

_POOLING = frozenset(Mechanism) - {Mechanism.P2P, Mechanism.NOMINEE_ONLY}
_SENDING = frozenset({Mechanism.P2P, Mechanism.HEAD_PULL})
_ORDERS_OF_ONE = frozenset({DebitOrder.EARLIEST_EXPIRY, DebitOrder.OLDEST_EARNED})
_OF_HEAD = frozenset({ExpiryTreatment.HEAD_POLICY})


def complaints(rule_set: RuleSet, partners: frozenset[str] | None = None) -> list[Complaint]:
    """Return everything that is wrong with a rule set of the right form, as it is written.

    `partners` are the names without case and the numbers of those there are; None asks for none.
    """
    found = _of_one(rule_set, partners)
    return [*found, *_of_changes(rule_set, {one.path for one in found})]


def _of_one(rule_set: RuleSet, partners: frozenset[str] | None) -> list[Complaint]:
    return [
        *_of_zone(rule_set),
        *_of_mechanism(rule_set),
        *of_bounds(rule_set),
        *of_spending(rule_set),
        *of_eligibility(rule_set),
        *of_join(rule_set),
        *of_contribution(rule_set),
        *_of_transfer(rule_set),
        *of_limits(rule_set),
        *of_fees(rule_set),
        *_of_expiry(rule_set),
        *_of_exits(rule_set),
        *_of_control(rule_set),
        *_of_partners(rule_set, partners),
    ]


def _of_zone(rule_set: RuleSet) -> Iterator[Complaint]:
    if rule_set.timezone is None:
        return
    try:
        ZoneInfo(rule_set.timezone)
    except (KeyError, ValueError, OSError):
        text = f"there is no zone {rule_set.timezone!r}; write one such as Europe/Stockholm"
        yield Complaint(("timezone",), text)


def _of_mechanism(rule_set: RuleSet) -> Said:
    mechanism, nominees = rule_set.mechanism, rule_set.group.nominees
    is_p2p = mechanism is Mechanism.P2P
    return said(
        (
            not is_p2p and rule_set.direction is Direction.CHILD_TO_PARENT,
            ("direction",),
            f"points that a child sends a parent are p2p; {mechanism} has no such direction",
        ),
        (
            is_p2p and rule_set.debit.order not in _ORDERS_OF_ONE,
            ("debit", "order"),
            f"{rule_set.debit.order} is of several owners; write earliest_expiry or oldest_earned",
        ),
        (
            mechanism is Mechanism.NOMINEE_ONLY
            and nominees.max == 0
            and rule_set.group.members.max == 1,
            ("group", "nominees"),
            "the group can name nobody to spend for; write nominees: {max: 5} or more members",
        ),
    )


def _of_transfer(rule_set: RuleSet) -> Said:
    sent, mechanism = rule_set.transfer, rule_set.mechanism
    moves = mechanism in _SENDING or mechanism is Mechanism.POOL_ACCOUNT
    sizes = {"min": sent.min, "max": sent.max, "step": sent.step}
    first = next((name for name, size in sizes.items() if size is not None), "min")
    step = sent.step or 1
    return said(
        (
            sent.min is not None and sent.max is not None and sent.min > sent.max,
            ("transfer", "min"),
            f"at least {sent.min} are more than at most {sent.max}; turn them round",
        ),
        (
            sent.min is not None and sent.min % step != 0,
            ("transfer", "min"),
            f"{sent.min} is no multiple of the step of {step}; write one",
        ),
        (
            sent.max is not None and sent.max % step != 0,
            ("transfer", "max"),
            f"{sent.max} is no multiple of the step of {step}; write one",
        ),
        (
            not moves and any(size is not None for size in sizes.values()),
            ("transfer", first),
            f"nobody sends points by {mechanism}; leave it out",
        ),
        (
            sent.purpose != "any" and mechanism not in _SENDING,
            ("transfer", "purpose"),
            f"nobody sends points by {mechanism}; leave it out",
        ),
    )


def _of_expiry(rule_set: RuleSet) -> Said:
    expiry, mechanism = rule_set.expiry, rule_set.mechanism
    treatments = {expiry.treatment, expiry.earned_later}
    has_head = mechanism is not Mechanism.P2P or rule_set.direction is not Direction.ANY
    is_reset = ExpiryTreatment.RESET in treatments
    return said(
        (
            is_reset and expiry.months is None,
            ("expiry", "treatment"),
            "a reset is for some months; write them in expiry.months",
        ),
        (
            expiry.months is not None and not is_reset,
            ("expiry", "months"),
            "months are those of a reset; write treatment: reset, or leave them out",
        ),
        (
            not has_head and bool(treatments & _OF_HEAD),
            ("expiry", "treatment"),
            "transfers between any members have no head; write receiver_policy",
        ),
        (
            not has_head and expiry.suspended_by_head_tier,
            ("expiry", "suspended_by_head_tier"),
            "transfers between any members have no head; leave it out",
        ),
        (
            expiry.earned_later is not None and mechanism not in _POOLING,
            ("expiry", "earned_later"),
            f"nothing is earned into a pool by {mechanism}; leave it out",
        ),
    )


def _of_exits(rule_set: RuleSet) -> Iterator[Complaint]:
    exits = rule_set.exits
    for name in ("leaving", "ageing_out", "death", "closing"):
        chosen: OnExit = getattr(exits, name)
        owned = rule_set.mechanism in {Mechanism.POOL_VIEW, Mechanism.NOMINEE_ONLY, Mechanism.P2P}
        yield from said(
            (
                chosen is OnExit.TO_HEIR and name != "death",
                ("exits", name),
                "only who has died has heirs; write keep_own_share",
            ),
            (
                chosen is OnExit.STAYS_IN_POOL and name == "closing",
                ("exits", name),
                "no pool is left when the group closes; write keep_own_share or split",
            ),
            (
                chosen is OnExit.STAYS_IN_POOL and owned,
                ("exits", name),
                f"points stay with their owners in {rule_set.mechanism}; write keep_own_share",
            ),
        )


def _of_control(rule_set: RuleSet) -> Iterator[Complaint]:
    control = rule_set.control
    given = [one.by for one in control.approvals]
    for position, one in enumerate(given):
        if one in given[:position]:
            text = f"{one} agrees once; keep one of the two"
            yield Complaint(("control", "approvals", position, "by"), text)
    if given and control.approval_days == 0:
        text = "a request would end as it is made; write at least 1"
        yield Complaint(("control", "approval_days"), text)
    for position, days in enumerate(control.blackouts):
        at: Path = ("control", "blackouts", position)
        try:
            begins, ends = date.fromisoformat(days.first), date.fromisoformat(days.last)
        except ValueError:
            yield Complaint(at, f"{days.first} to {days.last} are no days of the calendar")
            continue
        if begins > ends:
            yield Complaint((*at, "last"), f"{ends} is before {begins}; turn them round")


def _of_partners(rule_set: RuleSet, partners: frozenset[str] | None) -> Iterator[Complaint]:
    if partners is None:
        return
    sent, brought = rule_set.transfer, rule_set.contribution.lots
    lists: tuple[tuple[Path, tuple[str, ...]], ...] = (
        (("transfer", "spend_on"), sent.spend_on),
        (("transfer", "lots", "issuers"), sent.lots.issuers if sent.lots else ()),
        (("contribution", "lots", "issuers"), brought.issuers if brought else ()),
    )
    for at, named in lists:
        for position, name in enumerate(named):
            by_word = name == "issuer" and at[-1] == "spend_on"
            if not by_word and name.strip().casefold() not in partners:
                yield Complaint((*at, position), f"there is no partner {name!r}")


def _of_changes(rule_set: RuleSet, before: set[Path]) -> Iterator[Complaint]:
    plain = msgspec.structs.replace(rule_set, changes=())
    for position, change in enumerate(rule_set.changes):
        at: Path = ("changes", position)
        if not any(msgspec.structs.astuple(change.when)):
            yield Complaint((*at, "when"), "it names nobody; write tiers, plans or segments")
        if not change.set:
            yield Complaint((*at, "set"), "it changes nothing; write a rule and its number")
        for path, number in change.set.items():
            yield from _of_number(plain, path, number, (*at, "set", path), before)


def _of_number(
    rule_set: RuleSet, path: str, number: int | None, at: Path, before: set[Path]
) -> Iterator[Complaint]:
    try:
        changed = numbers.validated(numbers.replaced(rule_set, {path: number}))
    except NoSuchNumberError as none:
        yield Complaint(at, str(none))
        return
    except msgspec.ValidationError as wrong:
        yield Complaint(at, f"{number} cannot stand there: {wrong}")
        return
    for one in _of_one(resolved(changed), None):
        if one.path not in before:
            where = ".".join(str(key) for key in one.path)
            yield Complaint(at, f"with it {where} would be wrong: {one.text}")
