"""Transfers of one process: gathered, judged and posted together, each answered by itself."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from coalition.families.evaluator.acts import Failure, Verdict
from coalition.families.kin.transfer_refusals import TransferRefused, discreet
from coalition.families.rule_sets.books import RuleBook
from coalition.families.rule_sets.vocabulary import TransferState
from coalition.families.transfers.confiding import confided
from coalition.families.transfers.drafting import Made, Terminations, made_of
from coalition.families.transfers.judging import Book, Judged, judge
from coalition.families.transfers.recording import Recorded, answer_of, as_posted, record
from coalition.families.transfers.wishes import PreviewAnswer, Told, TransferAnswer, Wish
from coalition.families.words.wording import Language, sentence
from coalition.kernel.clock import Clock
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Answer, Claim
from coalition.kernel.idempotency.together import Crowds, answer_together
from coalition.kernel.ids import MemberId, bucket_of, uuid7
from coalition.kernel.web.decoding import Media, encode
from coalition.ledger import posting
from coalition.ledger.coalescing import Coalescer
from coalition.ledger.drafts import Outcome
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import NotEnoughPoints
from coalition.members.sealing import MemberKeys
from coalition.points import terms as business
from coalition.points.terms import Terms

_ATTEMPT_TIMEOUT_S = 10.0
"""How long an attempt may take as a whole; then its connection is taken for dead."""

_PATIENCE = posting.PINNED | {"lock_timeout": "1s"}

_UNDECIDED = TransferRefused()
"""Stands in the place of an answer until the ledger has posted what was asked."""

BALANCE_RULE = "balance"
"""The name of the failure that the points are not there."""


class Request(NamedTuple):
    """A wish with the key it came under and how its answer is to be written."""

    wish: Wish
    claim: Claim
    media: Media


class Asking(NamedTuple):
    """A wish that is only to be tried, and the language of the answer."""

    wish: Wish
    language: Language


class Transfers:
    """Moves points between members as their rule sets allow it."""

    def __init__(self, *, keys: MemberKeys, clock: Clock) -> None:
        """Prepare; `keys` open what rules ask of people."""
        self._keys = keys
        self._clock = clock
        self._terms: Terms | None = None
        self._rules: RuleBook | None = None
        self.endings = Terminations()
        self._crowds = Crowds()
        self._requests: Coalescer[Request, Answer | Refused] = Coalescer(self._request_together)
        self._previews: Coalescer[Asking, PreviewAnswer | Refused] = Coalescer(
            self._preview_together
        )

    async def request(self, request: Request) -> Answer:
        """Make a transfer, or let it wait for what the rules ask first; raises its refusal.

        The answer is a `TransferAnswer`: 201 when points have moved, 202 while it waits.
        """
        answer = await self._requests.submit(request)
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def preview(self, wish: Wish, language: Language = Language.EN) -> PreviewAnswer:
        """Return what would come of a transfer now; nothing is written.

        Raises what no rule of a rule set says: unknown, frozen or merged members, no rules, an
        unknown point currency.
        """
        answer = await self._previews.submit(Asking(wish, language))
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def finish(self) -> None:
        """Wait until every request so far is answered; for a service that is told to stop."""
        await self._requests.finish()
        await self._previews.finish()

    async def book(self, connection: Connection, at: datetime) -> Book:
        """Return what is agreed on at `at`: from memory while nothing has changed."""
        self._terms = await business.refresh(connection, self._terms)
        self._rules = await RuleBook.refresh(connection, self._rules, self._terms.catalogue)
        return Book(self._terms, self._rules, self._keys, at)

    async def make(
        self, connection: Connection, wishes: Sequence[Wish], at: datetime
    ) -> list[TransferAnswer | Refused]:
        """Make transfers in the caller's transaction, in order; each has its answer.

        The transaction has the settings `posting.PINNED`, and `ensure_partition(at)` came before.
        """
        book = await self.book(connection, at)
        judged = await confided(connection, await judge(connection, wishes, book, is_act=True))
        answers: list[TransferAnswer | Refused] = []
        passing: list[tuple[int, Judged, Made]] = []
        for one in judged:
            if isinstance(one, Refused):
                answers.append(one)
                continue
            if one.verdict.passes:
                passing.append((len(answers), one, self._made(one, book)))
            answers.append(_UNDECIDED if one.verdict.passes else refusal_of(one))
        outcomes = await post(connection, [made for *_, made in passing], book)
        done: list[tuple[int, Recorded]] = []
        for (i, one, made), outcome in zip(passing, outcomes, strict=True):
            if isinstance(outcome, Refused):
                answers[i] = outcome
                continue
            transfer = as_posted(made.transfer, outcome, at)
            done.append((i, Recorded(transfer, one.verdict, one.head)))
            answers[i] = answer_of(transfer, one.bound.name, one.verdict.approvals)
        await record(connection, [one for _, one in done], at)
        _tell_balances(answers, done, [one for _, one, _ in passing])
        return answers

    def _made(self, one: Judged, book: Book) -> Made:
        expiry = one.verdict
        endings = self.endings.of(book.terms, expiry.expiry, expiry.expiry_months, book.at)
        transfer_id = uuid7(book.at, bucket_of(one.wish.sender))
        return made_of(one, transfer_id, terms=book.terms, endings=endings, at=book.at)

    async def _request_together(self, requests: list[Request]) -> list[Answer | Refused]:
        """Answer `requests` in one transaction; again when a race is lost."""

        async def attempt(*, looks_first: bool) -> list[Answer | Refused]:
            async def in_time() -> list[Answer | Refused]:
                async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                    return await self._attempt(requests, looks_first=looks_first)

            return await retrying(in_time, unless=(asyncpg.LockNotAvailableError,))

        return await self._crowds.answer(len(requests), attempt)

    async def _attempt(
        self, requests: list[Request], *, looks_first: bool
    ) -> list[Answer | Refused]:
        at = self._clock.now()
        await ensure_partition(at)
        async with transaction(_PATIENCE) as connection:

            async def work(fresh: list[int]) -> dict[int, Answer | Refused]:
                made = await self.make(connection, [requests[i].wish for i in fresh], at)
                return {
                    i: one if isinstance(one, Refused) else _encoded(one, requests[i].media)
                    for i, one in zip(fresh, made, strict=True)
                }

            claims = [request.claim for request in requests]
            return await answer_together(connection, claims, work, at, looks_first=looks_first)

    async def _preview_together(self, asked: list[Asking]) -> list[PreviewAnswer | Refused]:
        async def attempt() -> list[PreviewAnswer | Refused]:
            at = self._clock.now()
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S), transaction(_PATIENCE) as connection:
                book = await self.book(connection, at)
                wishes = [one.wish for one in asked]
                judged = await judge(connection, wishes, book, is_act=False)
                judged = await confided(connection, judged)
            return [
                said if isinstance(said, Refused) else previewed(said, one.language)
                for one, said in zip(asked, judged, strict=True)
            ]

        return await retrying(attempt)


async def post(connection: Connection, made: Sequence[Made], book: Book) -> list[Outcome]:
    """Post what new transfers ask of the ledger; an outcome for each."""
    if not made:
        return []
    terms = book.terms
    _, outcomes = await posting.post(
        connection,
        [one.draft for one in made],
        at=book.at,
        today=book.today,
        clocks=terms.catalogue.clocks,
        suspended=terms.catalogue.suspended_at(book.at),
    )
    return outcomes


def refusal_of(judged: Judged) -> Refused:
    """Return the refusal that names every failure of a wish, the first in its sentence."""
    failures = judged.verdict.failures
    if [failure.rule for failure in failures] == [BALANCE_RULE]:
        return NotEnoughPoints(
            f"{failures[0].used} points are wanted and fewer can be sent; send at most the balance",
            points=failures[0].used,
            balance=failures[0].limit,
        )
    texts = [_why(judged, discreet(failure), Language.EN) for failure in failures]
    return TransferRefused.of(failures, " ".join(texts) or "this transfer is not allowed")


def _why(judged: Judged, failure: Failure, language: Language) -> str:
    today = judged.at.astimezone(judged.bound.zone).date()
    return sentence(failure, language, points=judged.wish.points, today=today)


def previewed(judged: Judged, language: Language) -> PreviewAnswer:
    """Return the verdict as a preview tells it."""
    verdict: Verdict = judged.verdict
    return PreviewAnswer(
        allowed=verdict.passes,
        failures=tuple(
            Told.of(failure, _why(judged, failure, language))
            for failure in map(discreet, verdict.failures)
        ),
        fees=verdict.fees,
        needs=tuple(verdict.approvals),
        hold_hours=verdict.hold_hours,
        undo_hours=verdict.undo_hours,
        rule_set=judged.bound.name,
        rule_set_version=judged.bound.version,
        balance=judged.balance,
    )


def _encoded(answer: TransferAnswer, media: Media) -> Answer:
    status = 201 if answer.state is TransferState.COMPLETED else 202
    return Answer(status, media.value, encode(answer, media))


def _tell_balances(
    answers: Sequence[TransferAnswer | Refused],
    done: Sequence[tuple[int, Recorded]],
    passed: Sequence[Judged],
) -> None:
    """Say in each answer what its sender can spend now: what it had, and what has moved since."""
    left: dict[tuple[int, MemberId], int] = {}
    for one in passed:
        left.setdefault((one.currency_no, one.wish.sender), one.balance)
    for _, made in done:
        transfer = made.transfer
        left[transfer.currency_no, transfer.sender] -= transfer.points + transfer.fee_points
        receiver = transfer.currency_no, transfer.receiver
        if receiver in left and transfer.state is TransferState.COMPLETED:
            left[receiver] += transfer.points
    for i, made in done:
        answer = answers[i]
        assert isinstance(answer, TransferAnswer), "what was done is answered"
        answer.balance = left[made.transfer.currency_no, made.transfer.sender]
