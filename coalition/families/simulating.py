"""Tries a draft on real members: a transfer, a group that forms, the transfers that there were.

Nothing is written, and the same evaluator judges that judges the acts.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from coalition.families.evaluator import rules
from coalition.families.evaluator.acts import Act, Parties, Party, Usage, UsageKey, Verdict
from coalition.families.groups import entering
from coalition.families.groups.entering import Newcomer, check_role
from coalition.families.groups.gathering import OpenGroup
from coalition.families.kin.places import GroupRow, GroupState, PlaceRow
from coalition.families.rule_sets.books import Bound, RuleBook
from coalition.families.rule_sets.countries import resolved
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Channel, Direction, Event, Kind, Mechanism
from coalition.families.transfers import facts, ties, usage
from coalition.families.transfers.judging import Book, Judged, judge
from coalition.families.transfers.ties import Tie
from coalition.families.transfers.wishes import Wish
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import holders

BETWEEN_MEMBERS = frozenset({Mechanism.P2P, Mechanism.HEAD_PULL})
"""The mechanisms by which points are sent, so that there are transfers to try."""

_PLENTY = 2**31
"""What a sender is taken to have had in a replay, since past balances are not kept."""

_REQUESTED = """
SELECT sender, receiver, points, purpose, channel, requested_at, currency_no FROM transfer
WHERE requested_at >= $1 AND requested_at < $2 ORDER BY requested_at, id
"""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft would have said of transfers that were asked for."""

    transfers: int
    points: int
    refused: int
    refused_points: int
    by_rule: dict[str, int]
    """How many each rule would have refused; one may be refused by several."""


class Entry(NamedTuple):
    """What a draft would say of somebody who joins a group that is formed."""

    newcomer: Newcomer
    kind: Kind
    verdict: Verdict


class _Past(NamedTuple):
    """A transfer that was asked for."""

    sender: MemberId
    receiver: MemberId
    points: int
    purpose: str | None
    channel: str
    requested_at: datetime
    currency_no: int


class _DraftBook(RuleBook):
    """The rule sets that there are, with a draft wherever members send each other points."""

    def __init__(self, kept: RuleBook, draft: Bound) -> None:
        """Put `draft` in the place of all rules between members."""
        super().__init__(kept.version, kept.versions, kept.bindings)
        self._kept = kept
        self._draft = draft

    def rule_set(self, no: int, at: datetime) -> Bound | None:
        """Return the draft for a group that sends points, and what there is for others."""
        found = self._kept.rule_set(no, at)
        if found is not None and found.rule_set.mechanism in BETWEEN_MEMBERS:
            return self._draft
        return found

    def bound(self, kind: str, at: datetime) -> Bound | None:
        """Return the draft; acts that are tried are transfers."""
        del kind, at
        return self._draft


async def tried(
    connection: Connection,
    wishes: Sequence[Wish],
    draft: RuleSet,
    book: Book,
) -> list[Judged | Refused]:
    """Return what the draft says of each wish, asked one after the other at the time of `book`."""
    drafted = book._replace(rules=_DraftBook(book.rules, _bound(draft, book)))
    return await judge(connection, wishes, drafted, is_act=False, in_turn=True)


async def formed(
    connection: Connection, draft: RuleSet, book: Book, newcomers: Sequence[Newcomer]
) -> list[Entry]:
    """Return what the draft would say of a new group whose head is the first of `newcomers`.

    They join one after the other; who would be refused is not there for those who follow. Raises
    `UnknownHolder` for a member that there is not, and `InvalidRole`.
    """
    head = newcomers[0]
    states = await holders.read_states(connection, {one.member for one in newcomers})
    for one in newcomers:
        if (refusal := holders.refusal_by_state(states, one.member)) is not None:
            raise refusal
        check_role(one.role, is_head=one is head)
    group = OpenGroup(_row(head.member, book), [], _bound(draft, book), book)
    entries = []
    for one in newcomers:
        kind, verdict = await entering.tried(connection, group, one)
        entries.append(Entry(one, kind, verdict))
        if verdict.passes:
            group.places.append(_place(one, kind, len(group.places), book.at))
    return entries


def _row(head: UUID, book: Book) -> GroupRow:
    return GroupRow(
        id=random_id(),
        kind="draft",
        rule_set_no=0,
        rule_version=0,
        currency_no=book.terms.catalogue.currency_no(None),
        head=head,
        pool=None,
        state=GroupState.ACTIVE,
        formed_at=book.at,
        change_session_at=None,
        closed_at=None,
    )


def _place(newcomer: Newcomer, kind: Kind, no: int, at: datetime) -> PlaceRow:
    return PlaceRow(
        no=no,
        member_id=newcomer.member,
        role=newcomer.role,
        kind=kind,
        future_percent=newcomer.future_percent or 0,
        may_spend=True,
        joined_at=at,
    )


def _bound(draft: RuleSet, book: Book) -> Bound:
    zone = ZoneInfo(draft.timezone) if draft.timezone else book.terms.catalogue.zone
    return Bound(rule_set_no=0, version=0, name="draft", rule_set=resolved(draft), zone=zone)


async def replayed(
    connection: Connection, draft: RuleSet, book: Book, *, since: datetime
) -> Replayed:
    """Return what the draft would have said of the transfers that were asked for since then.

    Members are taken as they are at the time of `book`, limits begin from nothing at `since`, and
    rules whose facts are not kept are left out, see `_without_the_unknown`. What the draft refuses
    counts for no limit.
    """
    rows = await connection.fetch(_REQUESTED, since, book.at)
    asked = [_Past(MemberId(row[0]), MemberId(row[1]), *row[2:]) for row in rows]
    rule_set = _without_the_unknown(resolved(draft))
    people = await _people(connection, rule_set, asked, book)
    tied = await ties.read(connection, list({(one.sender, one.receiver): None for one in asked}))
    zone = _bound(draft, book).zone
    used = Usage()
    refused: list[int] = []
    why = Counter[str]()
    for one in asked:
        receiver = people[one.currency_no, one.receiver]
        parties = Parties(actor=people[one.currency_no, one.sender], receiver=receiver)
        act = _act(one, tied[one.sender, one.receiver], used)
        verdict = rules.evaluate(rule_set, act, parties, used, zone)
        if verdict.failures:
            refused.append(one.points)
            why.update({failure.rule for failure in verdict.failures})
        used = usage.counted(used, verdict.usage)
    return Replayed(
        transfers=len(asked),
        points=sum(one.points for one in asked),
        refused=len(refused),
        refused_points=sum(refused),
        by_rule=dict(why.most_common()),
    )


def _without_the_unknown(rule_set: RuleSet) -> RuleSet:
    """Return the rules without those of past balances, groups, names written and sign-ins."""
    asked = msgspec.structs.replace(rule_set.eligibility, min_balance=None, head=None)
    if asked.receiver is not None:
        receiver = msgspec.structs.replace(asked.receiver, min_balance=None, name_match=False)
        asked = msgspec.structs.replace(asked, receiver=receiver)
    is_of_group = rule_set.direction in {Direction.WITHIN_GROUP, Direction.MEMBER_TO_HEAD}
    return msgspec.structs.replace(
        rule_set,
        direction=Direction.ANY if is_of_group else rule_set.direction,
        eligibility=asked,
        control=msgspec.structs.replace(rule_set.control, step_up_above=None),
    )


def _act(past: _Past, tie: Tie, used: Usage) -> Act:
    before = used.days.get(UsageKey(past.sender, "sender", Event.TRANSFER), ())
    return Act(
        event=Event.TRANSFER,
        at=past.requested_at,
        points=past.points,
        channel=Channel(past.channel),
        purpose=past.purpose,
        relationship=tie.relationship,
        evidence=tie.is_proved,
        evidence_asked=tie.is_proof_asked,
        new_receiver=all(use.other != past.receiver for use in before),
    )


async def _people(
    connection: Connection, rule_set: RuleSet, asked: Sequence[_Past], book: Book
) -> dict[tuple[int, MemberId], Party]:
    needs = [rules.needs(rule_set, Event.TRANSFER)]
    found: dict[tuple[int, MemberId], Party] = {}
    for currency_no in {one.currency_no for one in asked}:
        members = {
            member
            for one in asked
            if one.currency_no == currency_no
            for member in (one.sender, one.receiver)
        }
        wanted = facts.Asked(
            needs=needs,
            currency_no=currency_no,
            at=book.at,
            today=book.today,
            received=book.terms.catalogue.classes.received,
        )
        balances = dict.fromkeys(members, _PLENTY)
        people = await facts.parties(connection, members, wanted, balances=balances, keys=book.keys)
        found |= {(currency_no, member): party for member, party in people.items()}
    return found
