"""Finds what is wrong with the limits and fees of a rule set."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from coalition.families.rule_sets.complaints import Complaint, Path, Said, said
from coalition.families.rule_sets.notation import Bracket, Fee, Limit, Money, RuleSet, Standing
from coalition.families.rule_sets.vocabulary import Direction, Event, Measure, Mechanism, Subject
from coalition.kernel.money import CURRENCIES

_SENDING = frozenset({Mechanism.P2P, Mechanism.HEAD_PULL})
_MOVES_POINTS = frozenset({Event.TRANSFER, Event.CONTRIBUTE, Event.REDEEM})
_OF_TWO = frozenset({Subject.RECEIVER, Subject.PAIR})


def of_limits(rule_set: RuleSet) -> Iterator[Complaint]:
    """Yield what is wrong with the limits: parts that do not go together, names given twice."""
    names = [one.name for one in rule_set.limits]
    for position, limit in enumerate(rule_set.limits):
        at: Path = ("limits", position)
        if limit.name in names[:position]:
            text = f"there is a limit {limit.name} before; give this one an id of its own"
            yield Complaint(at, text)
        yield from _of_event(limit.on, rule_set.mechanism, at)
        yield from _of_measure(limit, at)
        yield from _of_subject(limit, at)


def of_fees(rule_set: RuleSet) -> Iterator[Complaint]:
    """Yield what is wrong with the fees: parts that are missing, not of their kind, or unknown."""
    for position, fee in enumerate(rule_set.fees):
        at: Path = ("fees", position)
        yield from _of_event(fee.on, rule_set.mechanism, at)
        yield from _of_kind(fee, at)
        yield from _of_bounds(fee, at)
        yield from _of_payer(fee, rule_set, at)
        yield from _of_brackets(fee, at)
        yield from _of_money(fee.money, (*at, "money"))
        yield from _of_standings(fee, at)


def _of_event(event: Event, mechanism: Mechanism, at: Path) -> Said:
    return said(
        (
            event is Event.TRANSFER and mechanism not in _SENDING,
            (*at, "on"),
            f"nobody sends points by {mechanism}; write the event in on, such as join or redeem",
        ),
        (
            event is Event.CONTRIBUTE and mechanism is not Mechanism.POOL_ACCOUNT,
            (*at, "on"),
            f"nobody brings points to an account by {mechanism}; write another event",
        ),
    )


def _of_measure(limit: Limit, at: Path) -> Said:
    measure, event = limit.measure, limit.on
    return said(
        (
            measure is Measure.AMOUNT and event not in _MOVES_POINTS,
            (*at, "measure"),
            f"no points move with {event}; write count",
        ),
        (
            measure is Measure.COUNTERPARTIES and event is not Event.TRANSFER,
            (*at, "measure"),
            f"{event} has no other side; write count",
        ),
        (
            measure is Measure.CHANGES and event is not Event.CHANGE,
            (*at, "on"),
            "changes are joining, leaving and new roles together; write on: change",
        ),
        (
            measure is Measure.GROUPS_JOINED and event is not Event.JOIN,
            (*at, "on"),
            "groups are joined by joining; write on: join",
        ),
        (
            limit.within_hours > 0
            and (event is not Event.CHANGE or limit.subject is not Subject.GROUP),
            (*at, "within_hours"),
            "several count as one only of changes of a group; write on: change and subject: group",
        ),
        (
            limit.undone_counts and event is not Event.TRANSFER,
            (*at, "undone_counts"),
            "only transfers are undone; leave it out",
        ),
    )


def _of_subject(limit: Limit, at: Path) -> Said:
    subject, event = limit.subject, limit.on
    is_transfer = event is Event.TRANSFER
    return said(
        (
            subject in _OF_TWO and not is_transfer,
            (*at, "subject"),
            f"{event} has no {subject}; write member or group",
        ),
        (
            subject is Subject.SENDER and not is_transfer,
            (*at, "subject"),
            f"who does {event} is the member; write member",
        ),
        (
            subject is Subject.MEMBER and is_transfer,
            (*at, "subject"),
            "of a transfer write sender or receiver",
        ),
        (
            subject is Subject.PAIR and limit.measure is Measure.COUNTERPARTIES,
            (*at, "measure"),
            "a pair has one other side; write amount or count",
        ),
        (
            subject is Subject.PAIR and limit.window == "membership_year",
            (*at, "window"),
            "two members joined on two days; write calendar_year or rolling 12 months",
        ),
        (
            subject is Subject.GROUP and limit.measure is Measure.GROUPS_JOINED,
            (*at, "subject"),
            "members join groups; write member",
        ),
    )


def _of_kind(fee: Fee, at: Path) -> Said:
    has_price = fee.money is not None or fee.points is not None
    by_points = fee.kind in {"per_block", "percent", "bracket"}
    return said(
        (
            fee.kind in {"flat", "per_block"} and not has_price,
            at,
            f"a fee that is {fee.kind} costs something; write money or points",
        ),
        (
            fee.kind in {"percent", "bracket"} and has_price,
            (*at, "money" if fee.money is not None else "points"),
            f"the price of a fee by {fee.kind} stands there; leave it out",
        ),
        (
            (fee.kind == "per_block") != (fee.block is not None),
            (*at, "block"),
            "a block of points goes with kind: per_block; write both or neither",
        ),
        (
            (fee.kind == "percent") != (fee.percent is not None),
            (*at, "percent"),
            "a percentage goes with kind: percent; write both or neither",
        ),
        (
            (fee.kind == "bracket") != bool(fee.brackets),
            (*at, "brackets"),
            "brackets go with kind: bracket; write both or neither",
        ),
        (
            fee.percent is not None and not 0 < Decimal(fee.percent) <= 100,
            (*at, "percent"),
            f'{fee.percent} is no part of what moves; write more than 0, up to "100"',
        ),
        (
            by_points and fee.on not in _MOVES_POINTS,
            (*at, "kind"),
            f"no points move with {fee.on}; write flat",
        ),
    )


def _of_bounds(fee: Fee, at: Path) -> Said:
    is_bounded = fee.min is not None or fee.max is not None
    return said(
        (
            fee.min is not None and fee.max is not None and fee.min > fee.max,
            (*at, "min"),
            f"at least {fee.min} are more than at most {fee.max}; turn them round",
        ),
        (
            is_bounded and fee.kind not in {"percent", "per_block"},
            (*at, "min" if fee.min is not None else "max"),
            f"what is {fee.kind} costs what it says; leave min and max out",
        ),
        (
            is_bounded and fee.money is not None and fee.points is not None,
            (*at, "min" if fee.min is not None else "max"),
            "it would be of money and of points; leave one of the two out",
        ),
    )


def _of_payer(fee: Fee, rule_set: RuleSet, at: Path) -> Said:
    has_head = rule_set.mechanism is not Mechanism.P2P or rule_set.direction is not Direction.ANY
    is_transfer = fee.on is Event.TRANSFER
    return said(
        (
            fee.payer == "head" and not has_head,
            (*at, "payer"),
            "transfers between any members have no head; write sender or receiver",
        ),
        (
            fee.payer in {"sender", "receiver"} and not is_transfer,
            (*at, "payer"),
            f"{fee.on} has no {fee.payer}; write payer: member or payer: head",
        ),
        (
            fee.payer == "member" and is_transfer,
            (*at, "payer"),
            "of a transfer write sender or receiver",
        ),
        (
            fee.payer in {"head", "receiver"} and _takes_points(fee),
            (*at, "payer"),
            "points are taken of who acts; write sender (of a transfer) or member",
        ),
    )


def _takes_points(fee: Fee) -> bool:
    by_bracket = any(bracket.points for bracket in fee.brackets)
    return bool(fee.points) or fee.kind == "percent" or by_bracket


def _of_brackets(fee: Fee, at: Path) -> Iterator[Complaint]:
    before, last = 0, len(fee.brackets) - 1
    for position, bracket in enumerate(fee.brackets):
        where: Path = (*at, "brackets", position)
        yield from _of_bracket(bracket, before, where, is_last=position == last)
        yield from _of_money(bracket.money, (*where, "money"))
        before = bracket.up_to or before


def _of_bracket(bracket: Bracket, before: int, at: Path, *, is_last: bool) -> Said:
    up_to = bracket.up_to
    return said(
        (
            up_to is not None and up_to <= before,
            (*at, "up_to"),
            f"{up_to} does not rise above the {before} before; put them in order",
        ),
        (
            up_to is None and not is_last,
            (*at, "up_to"),
            "it takes all that is left; write up_to, or put it last",
        ),
        (
            up_to is not None and is_last,
            (*at, "up_to"),
            f"above {up_to} nothing has a price; leave up_to out of the last bracket",
        ),
        (
            bracket.money is None and bracket.points is None,
            at,
            "a bracket has a price; write money or points, 0 if it is free",
        ),
    )


def _of_money(money: Money | None, at: Path) -> Said:
    currency = money.currency if money is not None else None
    text = f"{currency} is no currency known here; use an ISO 4217 code such as EUR"
    return said((currency is not None and currency not in CURRENCIES, (*at, "currency"), text))


def _of_standings(fee: Fee, at: Path) -> Iterator[Complaint]:
    text = "it names nobody; write tiers, plans, segments or channels"
    if fee.only is not None and _is_empty(fee.only):
        yield Complaint((*at, "only"), text)
    for position, one in enumerate(fee.waived):
        if _is_empty(one):
            yield Complaint((*at, "waived", position), text)


def _is_empty(standing: Standing) -> bool:
    return not any(msgspec.structs.astuple(standing))
