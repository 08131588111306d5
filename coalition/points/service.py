"""Points posted for tills: one request or a chunk of lines, always the same way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from coalition.kernel import outbox
from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.database.meanwhile import meanwhile
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.ledger import holders, posting
from coalition.ledger.claiming import Claimed
from coalition.ledger.drafts import Draft, Held, Issue, Outcome, Owed, Posted, Reverse, Till
from coalition.ledger.waiting import Waiting
from coalition.members import queries, relations
from coalition.members.blind_index import card_digest
from coalition.members.refusals import InvalidField
from coalition.points.ahead import Ahead
from coalition.points.commands import (
    Asked,
    HoldAnswer,
    IssueBody,
    IssuedLot,
    PostingAnswer,
    RedeemBody,
    ReversalAnswer,
)
from coalition.points.covering import Covering
from coalition.points.deciding import Deciding, Drafted, NothingMoves
from coalition.points.drafting import draft
from coalition.points.guards.judging import Guarding
from coalition.points.judging import Known, known_of
from coalition.points.leases import Leases
from coalition.points.pooled import Planning, Pooled
from coalition.points.rules import (
    Reason,
    owed_reason,
    recovered_reason,
    reversed_reason,
    spent_reason,
)
from coalition.points.terms import Beside, Facts, Terms

LineAnswer = PostingAnswer | HoldAnswer | Refused
Told = Callable[[Sequence[LineAnswer]], None]

_BY_MEMBER = (IssueBody, RedeemBody)
_MADE = (Posted, Held)  # a union would be made anew wherever it is asked for


class _Answering:
    """Puts the answers to drafts into their places among what was asked."""

    def __init__(
        self,
        asked: Sequence[Asked],
        answers: list[LineAnswer | None],
        places: Sequence[int],
        drafted: Sequence[Drafted],
        terms: Terms,
        *,
        explains: bool,
    ) -> None:
        self.related: set[relations.Pair] = set()
        """Members and partners that something was posted or held for."""
        self._asked = asked
        self._answers = answers
        self._places = places
        self._drafted = drafted
        self._terms = terms
        self._own_no = terms.catalogue.coalition.point_currency_no
        self._explains = explains

    def answer_posted(self, outcomes: Sequence[Outcome | None]) -> None:
        """Answer what is posted or held, which is final while the server still writes it."""
        self.related.clear()
        for place, made, outcome in zip(self._places, self._drafted, outcomes, strict=True):
            if outcome is not None and not isinstance(outcome, Refused):
                answer = _answer(made, outcome, explains=self._explains)
                if isinstance(outcome, _MADE) and outcome.currency_no != self._own_no:
                    _name_currency(answer, outcome, self._terms)
                self._answers[place] = answer
                self.related.add((MemberId(outcome.holder), self._asked[place].partner_no))

    def answer_refused(self, outcomes: Sequence[Outcome]) -> None:
        """Answer what was refused, now that nothing changes any more."""
        for place, made, outcome in zip(self._places, self._drafted, outcomes, strict=True):
            if isinstance(outcome, Refused):
                self._answers[place] = _answer(made, outcome, explains=self._explains)


async def post(
    connection: Connection,
    asked: Sequence[Asked],
    *,
    terms: Terms,
    leases: Leases,
    card_key: bytes,
    at: datetime,
    waiting: Waiting | None = None,
    explains: bool = True,
    beside: Beside | None = None,
    planning: Planning | None = None,
    told: Told | None = None,
) -> list[LineAnswer]:
    """Post what is `asked`; return an answer to each, in order. Raises `PlansChangedError`.

    Balances are not filled in; lots and reasons only if it `explains`. The caller holds a
    transaction with `posting.PINNED` under `leases.covered`. What is refused leaves nothing. What
    can wait is left to `waiting`, which the caller writes; or it is written here, while who asks is
    `told`. `beside` was read and locked. Unless `planning` asks, who shares gets `NeedsPlan`.
    """
    last, answers = waiting or Waiting(), _unanswered(asked)
    members, cards = await members_of_cards(connection, asked, card_key)
    known = await _known_of(connection, asked, terms, members, beside.facts if beside else None)
    making = partial(_draft_all, asked, answers, known, terms=terms, at=at)
    ahead = Ahead(asked, known.cards, terms, at, planning)
    drafted = making({}) if beside else await ahead.draft(connection, making, last)
    await _check_unposted(connection, answers, last.later)
    pooled = Pooled(planning, at)
    _refuse(answers, drafted, await pooled.plan(connection, drafted))
    with Covering(leases, terms, at) as covering:
        _refuse(answers, drafted, covering.cover(drafted.items()))
        if drafted:
            places = list(drafted)
            if covering.may_cost(asked[place].partner_no for place in places):
                last.defer_nothing()  # money is locked after lots, wherever points are posted
            deciding = Deciding(list(drafted.values()), terms)
            guarding = Guarding(terms, [asked[place] for place in places], cards)
            made = _Answering(asked, answers, places, deciding.drafted, terms, explains=explains)
            batch, outcomes = await _post_decided(
                connection,
                deciding,
                guarding,
                covering,
                pooled,
                places=places,
                terms=terms,
                at=at,
                beside=beside or ahead.beside,
                answering=made,
                waiting=last,
                claimed=ahead.claimed and ahead.claimed.of(places),
            )
            await relations.ensure(last.by(connection), made.related, at)
            await outbox.append(last.later, guarding.events(deciding.drafts(), outcomes, batch), at)
            await covering.spend(connection, batch, answers)
        given = [answer for answer in answers if answer is not None]
        if told is not None or waiting is None:  # here what covers the issues can be put back
            await meanwhile(last.later.write(connection), lambda: told and told(given))
    return given


def _unanswered(asked: Sequence[Asked]) -> list[LineAnswer | None]:
    return [None] * len(asked)


def _refuse(
    answers: list[LineAnswer | None], drafted: dict[int, Drafted], refused: Mapping[int, Refused]
) -> None:
    """Take what is refused out of what is drafted, and answer it so."""
    for position, refusal in refused.items():
        answers[position] = refusal
        drafted.pop(position, None)


def _draft_all(
    asked: Sequence[Asked],
    answers: list[LineAnswer | None],
    known: Known,
    tills: Mapping[int, Till],
    *,
    terms: Terms,
    at: datetime,
) -> dict[int, Drafted]:
    """Return the drafts by their positions; where nothing is to be posted, there is an answer."""
    drafted: dict[int, Drafted] = {}
    for position, one in enumerate(asked):
        made = draft(one, terms, known, at, tills.get(position))
        if isinstance(made, Drafted):
            drafted[position] = made
        else:
            answers[position] = made
    return drafted


async def _post_decided(
    connection: Connection,
    deciding: Deciding,
    guarding: Guarding,
    covering: Covering,
    pooled: Pooled,
    *,
    places: Sequence[int],
    terms: Terms,
    at: datetime,
    beside: Beside | None,
    answering: _Answering,
    waiting: Waiting,
    claimed: Claimed | None,
) -> tuple[UUID, list[Outcome]]:
    """Post the drafts, those that are open decided and the guards asked under the batch's locks.

    `places` has the position of each among what was asked; `answering` hears what became of them,
    and `waiting` and `claimed` are as in `posting.post`.
    """
    drafts = deciding.drafts()

    async def decide(positions: list[int]) -> dict[int, Draft | Refused]:
        decided = await deciding.decide(connection, positions)
        uncovered = covering.cover((places[i], deciding.drafted[i]) for i in decided)
        decided |= {i: uncovered[places[i]] for i in decided if places[i] in uncovered}
        instead = {i: decided.get(i, drafts[i]) for i in positions}
        left = {i: one for i, one in instead.items() if not isinstance(one, Refused)}
        if pooled.is_needed:
            replanned = await pooled.lock(connection, {places[i]: one for i, one in left.items()})
            planned = {i: replanned[places[i]] for i in left if places[i] in replanned}
            decided |= planned
            left = {i: one for i, one in left.items() if not isinstance(planned.get(i), Refused)}
        return decided | await guarding.judge(connection, left)

    batch, outcomes = await posting.post(
        connection,
        drafts,
        at=at,
        today=terms.day(at),
        clocks=terms.catalogue.clocks,
        classes=terms.catalogue.classes,
        suspended=terms.catalogue.suspended_at(at),
        decide=decide if guarding.judges or deciding.is_needed or pooled.is_needed else None,
        standings=beside.standings if beside else None,
        locked=beside.locked if beside else (),
        while_written=answering.answer_posted,
        waiting=waiting,
        claimed=claimed,
    )
    await pooled.count(connection, places, outcomes)
    await pooled.come_back(connection, drafts, outcomes)
    await guarding.count(connection, outcomes)
    await deciding.write(connection, outcomes, waiting.later)
    answering.answer_refused(outcomes)
    return batch, outcomes


async def _known_of(
    connection: Connection,
    asked: Sequence[Asked],
    terms: Terms,
    cards: Mapping[str, UUID],
    facts: Facts | None,
) -> Known:
    """Return what the earning rules ask of the members who are given points; mostly nothing.

    `cards` name their holders. Of who is named by its id `facts` tell, where they were read.
    """
    is_told = not terms.active.needs_standings or (facts is not None and not cards)
    if is_told and not terms.has_bonuses:
        return Known(cards, facts or {})
    wanted = {
        (MemberId(member), one.command.occurred_at)
        for one in asked
        if isinstance(one.command, IssueBody)
        and (member := one.command.member_id or cards.get(one.command.card or "")) is not None
    }
    return await known_of(connection, wanted, terms, cards, facts)


async def _check_unposted(
    connection: Connection, answers: list[LineAnswer | None], later: Later
) -> None:
    """Refuse, among the answers of what needs no posting, those for members who could not post."""
    members = {answer.member_id for answer in answers if isinstance(answer, PostingAnswer)}
    if not members:
        return
    await later.settle()
    states = await holders.read_states(connection, members)
    for position, answer in enumerate(answers):
        if isinstance(answer, PostingAnswer):
            answers[position] = holders.refusal_by_state(states, answer.member_id) or answer


async def members_of_cards(
    connection: Connection, asked: Iterable[Asked], card_key: bytes
) -> tuple[dict[str, UUID], dict[str, bytes]]:
    """Return who holds the cards that `asked` names, and the digests of the cards.

    A card in a form that none has is left out.
    """
    digests: dict[str, bytes] = {}
    for one in asked:
        card = one.command.card if isinstance(one.command, _BY_MEMBER) else None
        if card is not None and card not in digests:
            digest = digest_or_none(card_key, card)
            if digest is not None:
                digests[card] = digest
    if not digests:
        return {}, {}
    found = await queries.holders_of_cards(connection, digests.values())
    held: dict[str, UUID] = {
        card: found[digest] for card, digest in digests.items() if digest in found
    }
    return held, digests


def digest_or_none(card_key: bytes, card: str) -> bytes | None:
    """Return the digest of `card`, or None when it is no card at all."""
    try:
        return card_digest(card_key, card)
    except InvalidField:
        return None


def _answer(drafted: Drafted, outcome: Outcome, *, explains: bool) -> LineAnswer:
    """Return the answer to one line, with lots and reasons if it `explains`."""
    draft = drafted.draft
    # By its type: a struct is asked in Python whether it is of a kind that it is not.
    if type(draft) is Reverse and isinstance(outcome, Posted | Owed):
        return _reversed(draft, outcome, explains=explains)
    if isinstance(outcome, Posted):
        answer = PostingAnswer(outcome.posting, outcome.holder, outcome.points, [])
        if explains:
            answer.reasons = _reasons(drafted, outcome.points)
            if outcome.recovered:
                recovered = [recovered_reason(paid.points) for paid in outcome.recovered]
                answer.reasons = [*answer.reasons, *recovered]
            if type(draft) is Issue:
                answer.lots = [
                    IssuedLot(grant.points, grant.provenance.expires_on) for grant in draft.grants
                ]
        return answer
    if isinstance(outcome, NothingMoves):
        return _unmoved(draft, outcome, explains=explains)
    if isinstance(outcome, Held):
        return HoldAnswer(outcome.hold, outcome.holder, outcome.points, outcome.expires_at)
    assert isinstance(outcome, Refused), "only staff let debts be paid, and only reversals make any"
    return outcome


def _name_currency(answer: LineAnswer, outcome: Posted | Held, terms: Terms) -> None:
    """Let the answer name the point currency, which is not the coalition's own."""
    assert not isinstance(answer, Refused), "what was made is answered so"
    answer.point_currency = terms.catalogue.currency_by_no(outcome.currency_no).code


def _reversed(draft: Reverse, outcome: Posted | Owed, *, explains: bool) -> ReversalAnswer:
    if isinstance(outcome, Owed):
        answer = ReversalAnswer(None, outcome.holder, 0, [], debt=outcome.points)
    else:
        answer = ReversalAnswer(
            outcome.posting, outcome.holder, outcome.points, [], debt=outcome.debt
        )
    if explains and answer.points:
        answer.reasons.append(reversed_reason(answer.points, draft.reason))
    if explains and answer.debt:
        answer.reasons.append(owed_reason(answer.debt))
    return answer


def _unmoved(draft: Draft, outcome: NothingMoves, *, explains: bool) -> PostingAnswer:
    kind = ReversalAnswer if isinstance(draft, Reverse) else PostingAnswer
    return kind(None, outcome.member, 0, outcome.reasons if explains else [])


def _reasons(drafted: Drafted, points: int) -> list[Reason]:
    return drafted.earned.reasons if drafted.earned is not None else [spent_reason(points)]
