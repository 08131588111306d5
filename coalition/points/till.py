"""The till's side of points: single requests, coalesced, each answered after its own commit."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

import asyncpg
from msgspec import UNSET, structs

from coalition.federation.refusals import UnknownPointCurrency
from coalition.kernel.clock import Clock
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import (
    Answer,
    Claim,
    ClaimTakenError,
    KeyReused,
    find,
    replay,
    store,
)
from coalition.kernel.web.decoding import Media, encode
from coalition.ledger import holders, posting
from coalition.ledger.coalescing import Coalescer
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import UnknownHolder
from coalition.members import queries
from coalition.points import terms as business
from coalition.points.commands import Asked, BalanceAnswer, HoldAnswer, QuoteAnswer, QuoteBody
from coalition.points.drafting import member_of
from coalition.points.expiring import ExpiringAnswer, of_member
from coalition.points.judging import quote
from coalition.points.leases import Leases
from coalition.points.refusals import UnknownCard
from coalition.points.rules import payable
from coalition.points.service import LineAnswer, digest_or_none, post, post_isolating
from coalition.points.terms import Terms, check_time

Result = TypeVar("Result")
_Wanted = tuple[UUID, str | None]
"""A member, and the code of a point currency; None is the coalition's own."""

_ATTEMPT_TIMEOUT_S = 10.0
"""How long an attempt may take as a whole; then its connection is taken for dead."""

_PATIENCE_TOGETHER = posting.PINNED | {"lock_timeout": "1s"}
_PATIENCE_ALONE = posting.PINNED | {"lock_timeout": "2s"}
"""Whoever waits for a lock of another session holds up a batch for so long, then only itself."""


class Request(NamedTuple):
    """One request of a till with the key it came under and how its answer is to be written."""

    asked: Asked
    claim: Claim
    media: Media
    created_status: int = 201


class Tills:
    """Serves the tills of one process: keeps the terms in memory and gathers single requests."""

    def __init__(self, *, card_key: bytes, clock: Clock) -> None:
        """Prepare; `card_key` is the key of the blind index."""
        self._card_key = card_key
        self._clock = clock
        self._terms: Terms | None = None
        self._leases = Leases(clock)
        self._posts: Coalescer[Request, Answer | Refused] = Coalescer(self._post_together)
        self._balances: Coalescer[_Wanted, BalanceAnswer | Refused] = Coalescer(self._read_together)

    async def post(self, request: Request) -> Answer:
        """Post one request with others that are waiting; raises its refusal."""
        answer = await self._posts.submit(request)
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def post_lines(
        self, connection: Connection, asked: Sequence[Asked], at: datetime
    ) -> list[LineAnswer]:
        """Post the lines of a batch, each answered, in the caller's transaction.

        The transaction runs under `covered`, has the settings `posting.PINNED_FOR_LINES` and may
        have the role `posting.POSTER_ROLE`; `ensure_partition(at)` came before it. The answers
        carry neither balances nor reasons nor lots.
        """
        terms = await self.refresh_terms(connection)
        return await post_isolating(
            connection, asked, terms=terms, leases=self._leases, card_key=self._card_key, at=at
        )

    async def covered(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Run `attempt`, one transaction with `post_lines`; again when money had to be leased."""
        return await self._leases.covered(attempt)

    async def balance(self, member: UUID, point_currency: str | None = None) -> BalanceAnswer:
        """Return what `member` can spend now, of the coalition's points or of those named.

        Raises `UnknownHolder` or `UnknownPointCurrency`.
        """
        answer = await self._balances.submit((member, point_currency))
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def expiring(self, member: UUID, point_currency: str | None = None) -> ExpiringAnswer:
        """Return what of `member` expires when. Raises as `balance` does."""
        at = self._clock.now()
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            terms = await self.refresh_terms(connection)
            return await of_member(connection, member, terms=terms, at=at, code=point_currency)

    async def quote(self, partner_no: int, store_no: int | None, body: QuoteBody) -> QuoteAnswer:
        """Return what a purchase would earn at this partner and what points could pay of it."""
        at = self._clock.now()
        occurred_at = body.occurred_at or at
        body = structs.replace(body, occurred_at=occurred_at)
        answer = QuoteAnswer(0, [])
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            terms = await self.refresh_terms(connection)
            member = await self._quoted_member(connection, body)
            terms.catalogue.active_partner(partner_no)
            store = terms.store(partner_no, body.store, store_no)
            check_time(occurred_at, at)
            contract = terms.catalogue.contract_at(partner_no, occurred_at)
            if contract.issues:
                earned = await quote(
                    connection, body, terms, contract=contract, store_no=store, member=member
                )
                answer = QuoteAnswer(earned.points, earned.reasons)
        if member is not None:
            answer.member_id = member
            answer.balance = (await self.balance(member)).balance
            bought = body.purchase
            if bought is not None and contract.accepts and contract.currency == bought.currency:
                amount, price = bought.amount_minor, contract.redemption_price
                answer.payable = payable(answer.balance, amount, contract.currency, price)
        return answer

    async def terms(self) -> Terms:
        """Return the terms of now, for a reader whose own transaction sees one tenant only."""
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            return await self.refresh_terms(connection)

    async def refresh_terms(self, connection: Connection) -> Terms:
        """Return the terms of now; those in memory when nothing has changed.

        `connection` must see all partners: what is read is kept for everybody.
        """
        self._terms = await business.refresh(connection, self._terms)
        return self._terms

    async def finish(self) -> None:
        """Wait until every request so far is answered; for a service that is told to stop."""
        await self._posts.finish()
        await self._balances.finish()
        await self._leases.finish()

    async def _quoted_member(self, connection: Connection, body: QuoteBody) -> UUID | None:
        if body.member_id is None and body.card is None:
            return None
        members: dict[str, UUID] = {}
        if body.card is not None:
            digest = digest_or_none(self._card_key, body.card)
            found = await queries.holders_of_cards(connection, [digest] if digest else [])
            if digest not in found:
                raise UnknownCard
            members = {body.card: found[digest]}
        member = member_of(body, members)
        known = await holders.read_states(connection, {member})
        [(survivor, _)] = await _survivors(connection, [(member, None)], known)
        return survivor

    async def _post_together(self, requests: list[Request]) -> list[Answer | Refused]:
        """Post `requests` in one transaction, equal keys joined; again when a race is lost."""
        while True:
            try:
                return await retrying(
                    lambda: self.covered(lambda: _in_time(self._attempt(requests))),
                    unless=(asyncpg.LockNotAvailableError,),
                )
            except ClaimTakenError:
                continue  # another process has just answered one of the keys: find its answer

    async def _attempt(self, requests: list[Request]) -> list[Answer | Refused]:
        at = self._clock.now()
        await ensure_partition(at)
        patience = _PATIENCE_TOGETHER if len(requests) > 1 else _PATIENCE_ALONE
        async with transaction(patience, role=posting.POSTER_ROLE) as connection:
            found = await find(connection, [request.claim for request in requests])
            answers: list[Answer | Refused | None] = []
            first: dict[UUID, int] = {}
            for position, request in enumerate(requests):
                known = replay(request.claim, found)
                answers.append(known)
                if known is None:
                    first.setdefault(request.claim.digest, position)
            fresh = list(first.values())
            await self._answer_fresh(connection, requests, fresh, answers, at)
            await _replay_instead_of_refusing(connection, requests, fresh, answers)
            kept = [
                (requests[position].claim, answer)
                for position in fresh
                if isinstance(answer := answers[position], Answer) and not answer.replayed
            ]
            await store(connection, kept, at)
        return [
            answer if answer is not None else _joined(requests, position, first, answers)
            for position, answer in enumerate(answers)
        ]

    async def _answer_fresh(
        self,
        connection: Connection,
        requests: list[Request],
        fresh: list[int],
        answers: list[Answer | Refused | None],
        at: datetime,
    ) -> None:
        if not fresh:
            return
        terms = await self.refresh_terms(connection)
        asked = [requests[position].asked for position in fresh]
        lines = await post(
            connection, asked, terms=terms, leases=self._leases, card_key=self._card_key, at=at
        )
        wanted = {
            (line.member_id, line.point_currency or None)
            for line in lines
            if not isinstance(line, Refused)
        }
        balances = await _read_balances(connection, wanted, terms, at)
        for position, line in zip(fresh, lines, strict=True):
            if isinstance(line, Refused):
                answers[position] = line
                continue
            line.balance = balances.get((line.member_id, line.point_currency or None), 0)
            request = requests[position]
            made = isinstance(line, HoldAnswer) or line.posting_id is not None
            status = request.created_status if made else 200
            answers[position] = Answer(status, request.media.value, encode(line, request.media))

    async def _read_together(self, wanted: list[_Wanted]) -> list[BalanceAnswer | Refused]:
        async def attempt() -> list[BalanceAnswer | Refused]:
            at = self._clock.now()
            async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
                terms = await self.refresh_terms(connection)
                refusals = _unknown_currencies(wanted, terms)
                known = await holders.read_states(connection, {member for member, _ in wanted})
                sought = await _survivors(connection, wanted, known)
                asked = {one for one in sought if one[0] in known and one[1] not in refusals}
                balances = await _read_balances(connection, asked, terms, at)
            return [
                BalanceAnswer(one[0], balances[one], one[1] or UNSET, known[one[0]].owes or UNSET)
                if one in balances
                else refusals.get(one[1], UnknownHolder())
                for one in sought
            ]

        return await retrying(lambda: _in_time(attempt()))


async def _in_time(attempt: Awaitable[Result]) -> Result:
    async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
        return await attempt


async def _replay_instead_of_refusing(
    connection: Connection,
    requests: list[Request],
    fresh: list[int],
    answers: list[Answer | Refused | None],
) -> None:
    """Look again for the keys of refused requests.

    Another process may have answered one since the first look, and its effect is then what this one
    was refused for. It committed with its answer, so whoever saw the one finds the other.
    """
    refused = [position for position in fresh if isinstance(answers[position], Refused)]
    if refused:
        found = await find(connection, [requests[position].claim for position in refused])
        for position in refused:
            known = replay(requests[position].claim, found)
            if known is not None:
                answers[position] = known


async def _survivors(
    connection: Connection, wanted: list[_Wanted], known: dict[UUID, holders.Standing]
) -> list[_Wanted]:
    """Return `wanted` with the survivor in place of each member who was merged, now `known` too."""
    into = {one: kept.merged_into for one, kept in known.items() if kept.merged_into is not None}
    if into:
        known |= await holders.read_states(connection, set(into.values()))
    return [(into.get(member, member), code) for member, code in wanted]


def _unknown_currencies(
    wanted: Iterable[_Wanted], terms: Terms
) -> dict[str | None, UnknownPointCurrency]:
    """Return the refusal of each point currency that there is not."""
    refusals: dict[str | None, UnknownPointCurrency] = {}
    for code in {code for _, code in wanted if code is not None}:
        try:
            terms.catalogue.currency(code)
        except UnknownPointCurrency as refusal:
            refusals[code] = refusal
    return refusals


async def _read_balances(
    connection: Connection, wanted: Collection[_Wanted], terms: Terms, at: datetime
) -> dict[_Wanted, int]:
    """Return what each can spend of each point currency; of nearly all it is the coalition's."""
    balances: dict[_Wanted, int] = {}
    for code in {code for _, code in wanted}:
        found = await posting.balances(
            connection,
            [member for member, of in wanted if of == code],
            currency_no=terms.catalogue.currency_no(code),
            today=terms.day(at),
            suspended=terms.catalogue.suspended_at(at),
        )
        balances |= {(member, code): points for member, points in found.items()}
    return balances


def _joined(
    requests: list[Request],
    position: int,
    first: dict[UUID, int],
    answers: list[Answer | Refused | None],
) -> Answer | Refused:
    """Return the answer of an equal key that came in the same batch."""
    claim = requests[position].claim
    original = first[claim.digest]
    answer = answers[original]
    assert answer is not None, "the first of equal keys is answered"
    if requests[original].claim.body_hash != claim.body_hash:
        return KeyReused()
    return answer._replace(replayed=True) if isinstance(answer, Answer) else answer
