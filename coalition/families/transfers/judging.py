"""Judges transfers by their rule sets: one way for previews and for acts, many at once.

For an act everybody concerned is locked first, the members in the ledger's order and then the
groups, and only then is read what was used; a preview reads the same without locks. So a preview
cannot disagree with the act but by what happens in between.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from coalition.families.evaluator import rules
from coalition.families.evaluator.acts import (
    LIFETIME,
    Act,
    GroupFacts,
    Parties,
    Party,
    Place,
    Usage,
    UsageKey,
    UsageWanted,
    Verdict,
)
from coalition.families.kin import guardians, places
from coalition.families.kin.places import GroupState, PlaceRow
from coalition.families.kin.purse import Purse
from coalition.families.kin.transfer_refusals import NoRules, TransferToItself
from coalition.families.rule_sets import lots
from coalition.families.rule_sets.books import Bound, RuleBook
from coalition.families.rule_sets.vocabulary import Event, Mechanism
from coalition.families.transfers import facts, ties, transfers
from coalition.families.transfers import usage as usage_rows
from coalition.families.transfers.ties import Pair, Shared, Tie
from coalition.families.transfers.wishes import Wish
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId, bucket_of
from coalition.ledger import holders, holdings, posting
from coalition.ledger.holders import Standing
from coalition.ledger.holdings import Holding
from coalition.ledger.refusals import UnknownHolder
from coalition.members.sealing import MemberKeys
from coalition.points.terms import Terms

P2P = "p2p"
"""The kind under which the rule set of plain transfers is bound."""

_BETWEEN_MEMBERS = (Mechanism.P2P, Mechanism.HEAD_PULL)


class Book(NamedTuple):
    """What is agreed on at an instant: catalogue and rule sets, and the keys to open people by."""

    terms: Terms
    rules: RuleBook
    keys: MemberKeys
    at: datetime
    purse: Purse | None = None
    """Where fees in money of acts in groups are gathered; else they are told, and paid at once."""

    @property
    def today(self) -> date:
        """Return the day in the coalition's zone, on which points can be spent or not."""
        return self.terms.day(self.at)


class Judged(NamedTuple):
    """A wish beside the rules that it was judged by, and what they say."""

    wish: Wish
    bound: Bound
    verdict: Verdict
    currency_no: int
    balance: int
    """What the sender can spend before the act."""
    group: UUID | None
    head: MemberId | None
    """Of that group."""
    at: datetime


class _Case(msgspec.Struct, kw_only=True):
    """A wish on its way to its verdict."""

    wish: Wish
    bound: Bound
    currency_no: int
    tie: Tie
    shared: Shared | None


class _Known(NamedTuple):
    """What was read of everybody concerned: parties and what they have been sent by currency."""

    parties: Mapping[tuple[int, MemberId], Party]
    holdings: Mapping[tuple[int, MemberId], Sequence[Holding]]
    """What senders have by kind, where their rules do not let all of it move."""
    stopped: frozenset[UUID]
    """Whose sending a guardian has stopped."""
    devices: set[tuple[MemberId, bytes]]


async def judge(
    connection: Connection,
    wishes: Sequence[Wish],
    book: Book,
    *,
    is_act: bool,
    in_turn: bool = False,
) -> list[Judged | Refused]:
    """Return what the rules say of each wish, in order.

    For an act (`is_act`) members and groups are locked until the transaction ends, and each counts
    those before it that pass, as it does `in_turn`; else each is judged by itself. A wish that no
    rules are for, or whose members are not there, is refused.
    """
    in_turn = in_turn or is_act
    members = {member for wish in wishes for member in (wish.sender, wish.receiver)}
    states = await (holders.lock if is_act else holders.read_states)(connection, members)
    pairs: dict[Pair, None] = {(wish.sender, wish.receiver): None for wish in wishes}
    tied = await ties.read(connection, list(pairs))
    found = [_case(wish, tied[wish.sender, wish.receiver], states, book) for wish in wishes]
    cases = [one for one in found if isinstance(one, _Case)]
    if is_act:
        groups = {one.shared.group.id for one in cases if one.shared is not None}
        for group in sorted(groups, key=lambda group: (bucket_of(group), group.bytes)):
            await places.read_group(connection, group, is_to_be_locked=True)
    if not cases:
        return [one for one in found if isinstance(one, Refused)]
    known = await _read_known(connection, cases, states, book)
    judged = iter(await _judge_all(connection, cases, known, book, in_turn=in_turn))
    return [one if isinstance(one, Refused) else next(judged) for one in found]


def _case(wish: Wish, tie: Tie, states: Mapping[UUID, Standing], book: Book) -> "_Case | Refused":
    if wish.sender == wish.receiver:
        return TransferToItself()
    for party in (wish.sender, wish.receiver):
        refusal = holders.refusal_by_state(states, party)
        if refusal is not None:
            return refusal
    try:
        currency_no = book.terms.catalogue.currency_no(wish.point_currency)
    except Refused as refusal:
        return refusal
    for shared in tie.groups:
        bound = book.rules.rule_set(shared.group.rule_set_no, book.at)
        if bound is not None and bound.rule_set.mechanism in _BETWEEN_MEMBERS:
            return _Case(wish=wish, bound=bound, currency_no=currency_no, tie=tie, shared=shared)
    bound = book.rules.bound(P2P, book.at)
    if bound is None:
        return NoRules()
    return _Case(wish=wish, bound=bound, currency_no=currency_no, tie=tie, shared=None)


class _Asked(NamedTuple):
    """A case beside what its evaluator is told, but for usage and for what went before it."""

    case: _Case
    parties: Parties
    act: Act
    wanted: Sequence[UsageWanted]
    asks_for_news: bool
    """Whether it counts that somebody was never sent anything before."""


async def _judge_all(
    connection: Connection, cases: Sequence[_Case], known: _Known, book: Book, *, in_turn: bool
) -> list[Judged | Refused]:
    """Judge `cases` by what is read of all at once: acts one after the other, wishes apart.

    Sums tell which limits hold. From when there is room again single days tell: they are read for
    those alone whom limits keep from it.
    """
    asked = [_asked(one, known, book) if _are_members(one, known) else None for one in cases]
    wanted = [want for one in asked if one is not None for want in one.wanted]
    usage = await usage_rows.read_sums(connection, wanted)
    judged = _judge_in_turn(asked, known, usage, book, in_turn=in_turn)
    if any(_is_capped(one) for one in judged):
        pairs = zip(asked, judged, strict=True)
        capped = [one for one, said in pairs if one is not None and _is_capped(said)]
        usage = await usage_rows.read(connection, [want for one in capped for want in one.wanted])
        judged = _judge_in_turn(asked, known, usage, book, in_turn=in_turn, before=judged)
    return judged


def _judge_in_turn(
    asked: Sequence[_Asked | None],
    known: _Known,
    usage: Usage,
    book: Book,
    *,
    in_turn: bool,
    before: Sequence[Judged | Refused] = (),
) -> list[Judged | Refused]:
    """Judge one after the other; what an act that passes uses and sends counts for the next.

    What it sends is there for its receiver only when it has arrived, so not in this round. Of what
    was judged `before` only those are judged again whom limits kept from it.
    """
    spent: dict[tuple[int, MemberId], int] = defaultdict(int)
    judged: list[Judged | Refused] = []
    for i, one in enumerate(asked):
        if one is None:
            judged.append(UnknownHolder())
            continue
        sender = one.case.currency_no, one.case.wish.sender
        said = before[i] if before else None
        if said is None or _is_capped(said):
            said = _judged(one, known, usage, book, spent.get(sender, 0))
        judged.append(said)
        if in_turn and isinstance(said, Judged) and said.verdict.passes:
            usage_rows.count(usage, said.verdict.usage)
            spent[sender] += said.wish.points + sum(fee.points or 0 for fee in said.verdict.fees)
    return judged


def _judged(one: _Asked, known: _Known, usage: Usage, book: Book, spent: int) -> Judged:
    case, bound = one.case, one.case.bound
    parties = _parties(case, known, book, spent) if spent else one.parties
    act = _act(case, known, usage, book) if one.asks_for_news else one.act
    verdict = rules.evaluate(bound.rule_set, act, parties, usage, bound.zone)
    group = None if case.shared is None else case.shared.group
    return Judged(
        case.wish,
        bound,
        verdict,
        case.currency_no,
        parties.actor.balance,
        None if group is None else group.id,
        None if group is None else MemberId(group.head),
        book.at,
    )


def _is_capped(said: Judged | Refused) -> bool:
    """Tell whether a limit stands in the way."""
    failures = said.verdict.failures if isinstance(said, Judged) else ()
    return any(failure.rule.startswith("limits.") for failure in failures)


def _are_members(one: _Case, known: _Known) -> bool:
    sides = (one.wish.sender, one.wish.receiver)
    return all((one.currency_no, side) in known.parties for side in sides)


def _asked(one: _Case, known: _Known, book: Book) -> _Asked:
    rule_set, zone = one.bound.rule_set, one.bound.zone
    parties = _parties(one, known, book, 0)
    act = _act(one, known, Usage(), book)
    wanted = rules.wanted_usage(rule_set, act, parties, zone)
    asks_for_news = "act.new_receiver" in rules.needs(rule_set, Event.TRANSFER).facts
    if asks_for_news:
        key = _sent_by(one.wish)
        wanted.append(UsageWanted(key, LIFETIME, LIFETIME, only=one.wish.receiver))
    return _Asked(one, parties, act, wanted, asks_for_news)


def _sent_by(wish: Wish) -> UsageKey:
    return UsageKey(wish.sender, "sender", Event.TRANSFER)


async def _read_known(
    connection: Connection, cases: Sequence[_Case], states: Mapping[UUID, Standing], book: Book
) -> _Known:
    parties: dict[tuple[int, MemberId], Party] = {}
    kinds: dict[tuple[int, MemberId], Sequence[Holding]] = {}
    by_currency: dict[int, list[_Case]] = defaultdict(list)
    for one in cases:
        by_currency[one.currency_no].append(one)
    for currency_no, some in by_currency.items():
        found = await _parties_of(connection, some, currency_no, states, book)
        parties |= {(currency_no, member): party for member, party in found.items()}
        told_apart = {one.wish.sender for one in some if lots.tells_apart(one.bound.rule_set)}
        if told_apart:
            held = await holdings.spendable(
                connection, told_apart, currency_no=currency_no, today=book.today
            )
            kinds |= {(currency_no, MemberId(one)): found for one, found in held.items()}
    devices = [(one.wish.sender, one.wish.device) for one in cases if one.wish.device is not None]
    return _Known(
        parties,
        kinds,
        await guardians.stopped(connection, {one.wish.sender for one in cases}),
        await transfers.known_devices(connection, devices),
    )


async def _parties_of(
    connection: Connection,
    cases: Sequence[_Case],
    currency_no: int,
    states: Mapping[UUID, Standing],
    book: Book,
) -> dict[MemberId, Party]:
    """Return everybody whom the rules of `cases` may ask about: both sides, and the heads."""
    members = {
        member
        for one in cases
        for member in (
            one.wish.sender,
            one.wish.receiver,
            *([] if one.shared is None else [MemberId(one.shared.group.head)]),
        )
    }
    needs = [rules.needs(one.bound.rule_set, Event.TRANSFER) for one in cases]
    asked = frozenset().union(*(need.facts for need in needs))
    senders = {one.wish.sender for one in cases}
    balances = await posting.balances(
        connection,
        members if asked & {"receiver.balance", "head.balance"} else senders,
        currency_no=currency_no,
        today=book.today,
        suspended=book.terms.catalogue.suspended_at(book.at),
        standings=states,
    )
    return await facts.parties(
        connection,
        members,
        facts.Asked(
            needs=needs,
            currency_no=currency_no,
            at=book.at,
            today=book.today,
            received=book.terms.catalogue.classes.received,
        ),
        balances={MemberId(member): points for member, points in balances.items()},
        keys=book.keys,
    )


def _parties(one: _Case, known: _Known, book: Book, spent: int) -> Parties:
    sender = known.parties[one.currency_no, one.wish.sender]
    kinds = _kinds(one, known)
    transferable = lots.transferable(one.bound.rule_set, kinds, book.terms, book.at)
    is_stopped = one.wish.sender in known.stopped
    if spent or is_stopped or transferable is not None:
        sender = msgspec.structs.replace(
            sender,
            balance=sender.balance - spent,
            transferable=transferable,
            is_active=sender.is_active and not is_stopped,
        )
    receiver = known.parties[one.currency_no, one.wish.receiver]
    if one.shared is None:
        return Parties(actor=sender, receiver=receiver)
    group = one.shared.group
    return Parties(
        actor=sender,
        receiver=receiver,
        head=known.parties[one.currency_no, MemberId(group.head)],
        group=GroupFacts(
            group=group.id,
            formed_at=group.formed_at,
            is_frozen=group.state is GroupState.SEPARATING,
        ),
        actor_place=_place(one.shared.sender),
        receiver_place=_place(one.shared.receiver),
    )


def _kinds(one: _Case, known: _Known) -> Sequence[Holding]:
    return known.holdings.get((one.currency_no, one.wish.sender), ())


def _place(row: PlaceRow) -> Place:
    return Place(role=row.role, kind=row.kind, joined_at=row.joined_at, may_spend=row.may_spend)


def _act(one: _Case, known: _Known, usage: Usage, book: Book) -> Act:
    wish = one.wish
    before = usage.days.get(_sent_by(wish), ())
    device = wish.device
    return Act(
        event=Event.TRANSFER,
        at=book.at,
        points=wish.points,
        channel=wish.channel,
        purpose=wish.purpose,
        relationship=one.tie.relationship or wish.relationship,
        evidence=one.tie.is_proved,
        evidence_asked=one.tie.is_proof_asked,
        given_name=wish.given_name,
        new_receiver=all(use.other != wish.receiver or not use.times for use in before),
        new_device=device is not None and (wish.sender, device) not in known.devices,
        stepped_up_at=wish.stepped_up_at,
        pays_in_points=wish.pays_in_points,
        received=lots.received(one.bound.rule_set, _kinds(one, known), book.terms),
    )
