"""The till's side of points: single requests, coalesced, each answered after its own commit."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from coalition.kernel.clock import Clock
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.database.engine import Succession
from coalition.kernel.database.later import Later
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Answer, Claim, ClaimTakenError
from coalition.kernel.idempotency.claims import ONE_ANSWER
from coalition.kernel.idempotency.together import Crowds, answer_together
from coalition.kernel.web.decoding import JSON_MEDIA_TYPE, MSGPACK_MEDIA_TYPE, Media, encode
from coalition.ledger import holders, posting, receipts
from coalition.ledger.coalescing import Coalescer
from coalition.ledger.holders import Standing
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import NeedsPlan, UnknownHolder
from coalition.ledger.waiting import Waiting
from coalition.points import terms as business
from coalition.points.balances import (
    NOTHING,
    Balance,
    Wanted,
    read_balances,
    survivors,
    tell_beside,
    unknown_currencies,
)
from coalition.points.beside import refresh_beside
from coalition.points.commands import (
    Asked,
    BalanceAnswer,
    HoldAnswer,
    PostingAnswer,
    QuoteAnswer,
    QuoteBody,
)
from coalition.points.expiring import ExpiringAnswer, of_member
from coalition.points.isolating import post_isolating
from coalition.points.leases import Leases
from coalition.points.pooled import Planning, PlansChangedError, Sharers
from coalition.points.pools import NoPools, Pools
from coalition.points.quoting import quote_purchase, with_balance
from coalition.points.service import LineAnswer, Told, post
from coalition.points.terms import Beside, Terms

Result = TypeVar("Result")
_MSGPACK = Media.MSGPACK  # looked up once, as in `decoding`
_ATTEMPT_TIMEOUT_S = 10.0
"""How long an attempt may take as a whole; then its connection is taken for dead."""

_PLANS_AT_MOST = 9
"""How often plans are made anew before an attempt is the last."""

_PATIENCE_TOGETHER = posting.PINNED | {"lock_timeout": "1s"}
_PATIENCE_ALONE = posting.PINNED | {"lock_timeout": "2s"}
"""Whoever waits for a lock of another session holds up a batch for so long, then only itself."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One request of a till with the key it came under and how its answer is to be written."""

    asked: Asked
    claim: Claim
    media: Media
    created_status: int = 201


class Tills:
    """Serves the tills of one process: keeps the terms in memory and gathers single requests."""

    def __init__(self, *, card_key: bytes, clock: Clock, pools: Pools | None = None) -> None:
        """Prepare; `card_key` is the key of the blind index, `pools` know who spends together."""
        self._card_key = card_key
        self._clock = clock
        self._terms: Terms | None = None
        self._leases = Leases(clock)
        self._crowds = Crowds()
        self._planning = Planning(pools or NoPools(), Sharers())
        self._posts: Coalescer[Request, Answer | Refused] = Coalescer(self._post_together)
        self._succession = Succession(lambda: self._posts.gathered > 1)
        self._pooled: Coalescer[Request, Answer | Refused] = Coalescer(self._post_planned)
        self._balances: Coalescer[Wanted, BalanceAnswer | Refused] = Coalescer(self._read_together)

    async def post(self, request: Request) -> Answer:
        """Post one request with others that are waiting; raises its refusal.

        Those of members who share wait for each other alone: they lock whole families.
        """
        command, sharers = request.asked.command, self._planning.sharers
        posts = self._pooled if sharers.names(command) else self._posts
        answer = await posts.submit(request)
        if isinstance(answer, NeedsPlan):
            sharers.add(answer.member, command)
            answer = await self._pooled.submit(request)
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def post_lines(
        self,
        connection: Connection,
        asked: Sequence[Asked],
        at: datetime,
        *,
        told: Told = lambda _: None,
        last: Later | None = None,
    ) -> list[LineAnswer]:
        """Post the lines of a batch in the caller's transaction; return an answer to each.

        It runs under `covered` with `posting.PINNED_FOR_LINES`, perhaps as `posting.POSTER_ROLE`,
        after `ensure_partition(at)`. Answers have no balances, reasons or lots; `told` is called
        with them while they are written. If that fails others return. `last` hears of the commit,
        and where it `locks_last` lots are written last.
        """
        return await post_isolating(
            connection,
            asked,
            terms=await self.refresh_terms(connection),
            leases=self._leases,
            card_key=self._card_key,
            at=at,
            planning=self._planning,
            told=told,
            last=Later() if last is None else last,
        )

    async def covered(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Run `attempt`, one transaction with `post_lines`.

        Again when money had to be leased, or when acts of members who share had no plan that holds.
        """
        for _ in range(_PLANS_AT_MOST):
            try:
                return await self._leases.covered(attempt)
            except PlansChangedError as changed:
                for member in changed.members:
                    self._planning.sharers.add(member)
        return await self._leases.covered(attempt)

    async def balance(
        self, member: UUID, point_currency: str | None = None, *, partner_no: int = 0
    ) -> BalanceAnswer:
        """Return what `member` can spend now, of the coalition's points or of those named.

        At a partner it is without what is bound to others. Raises `UnknownHolder` or
        `UnknownPointCurrency`.
        """
        answer = await self._balances.submit(Wanted(member, point_currency, partner_no))
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
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            terms = await self.refresh_terms(connection)
            quoted = await quote_purchase(
                connection,
                body,
                terms,
                partner_no=partner_no,
                store_no=store_no,
                card_key=self._card_key,
                at=at,
            )
        if quoted.answer.member_id is None:
            return quoted.answer
        told = await self.balance(quoted.answer.member_id, partner_no=partner_no)
        return with_balance(quoted, told, body.purchase)

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

    async def _refresh_beside(
        self, connection: Connection, requests: Sequence[Request], at: datetime, *, may_lock: bool
    ) -> Beside:
        asked = [request.asked for request in requests]
        beside = await refresh_beside(connection, self._terms, asked, at, may_lock=may_lock)
        self._terms = beside.terms
        return beside

    async def finish(self) -> None:
        """Wait until every request so far is answered; for a service that is told to stop."""
        await self._posts.finish()
        await self._succession.end()
        await self._pooled.finish()
        await self._balances.finish()
        await self._leases.finish()

    async def _post_planned(self, requests: list[Request]) -> list[Answer | Refused]:
        return await self._post_together(requests, is_planned=True)

    async def _post_together(
        self, requests: list[Request], *, is_planned: bool = False
    ) -> list[Answer | Refused]:
        """Post `requests` in one transaction, equal keys joined; again when a race is lost."""
        planning = self._planning._replace(is_asked=is_planned)

        async def attempt(*, looks_first: bool) -> list[Answer | Refused]:
            return await retrying(
                lambda: self.covered(
                    lambda: _in_time(
                        self._attempt(requests, looks_first=looks_first, planning=planning)
                    )
                ),
                unless=(asyncpg.LockNotAvailableError,),
            )

        return await self._crowds.answer(len(requests), attempt)

    async def _attempt(
        self, requests: list[Request], *, looks_first: bool, planning: Planning
    ) -> list[Answer | Refused]:
        """Post `requests` in one transaction. Raises `ClaimTakenError`; nothing is posted then."""
        at = self._clock.now()
        await ensure_partition(at)
        patience = _PATIENCE_TOGETHER if len(requests) > 1 else _PATIENCE_ALONE
        waiting = Waiting(defers=True, trusts=not looks_first)
        succession = None if planning.is_asked or len(requests) == 1 else self._succession
        async with transaction(
            patience, role=posting.POSTER_ROLE, succession=succession
        ) as connection:
            # What was answered before is not to wait for a lock.
            may_lock = not looks_first and not planning.is_asked
            beside = await self._refresh_beside(connection, requests, at, may_lock=may_lock)

            async def work(fresh: list[int]) -> dict[int, Answer | Refused]:
                return await self._answer_fresh(
                    connection,
                    requests,
                    fresh,
                    beside=beside,
                    planning=planning,
                    at=at,
                    waiting=waiting,
                )

            claims = [request.claim for request in requests]
            answers = await answer_together(
                connection, claims, work, at, looks_first=looks_first, later=waiting.later
            )
            await _write(connection, waiting)
        waiting.later.committed()
        return answers

    async def _answer_fresh(
        self,
        connection: Connection,
        requests: list[Request],
        fresh: list[int],
        *,
        beside: Beside,
        planning: Planning,
        at: datetime,
        waiting: Waiting,
    ) -> dict[int, Answer | Refused]:
        lines = await post(
            connection,
            [requests[position].asked for position in fresh],
            terms=beside.terms,
            leases=self._leases,
            card_key=self._card_key,
            at=at,
            waiting=waiting,
            beside=beside,
            planning=planning,
        )
        made = dict(zip(fresh, lines, strict=True))
        tell_beside(lines, beside, waiting)
        unread = {
            position: Wanted(
                line.member_id, line.point_currency or None, requests[position].asked.partner_no
            )
            for position, line in made.items()
            if not isinstance(line, Refused) and line.balance is None
        }
        if unread:
            balances = await self._balances_after(
                connection, set(unread.values()), beside, at, waiting=waiting
            )
            for position, one in unread.items():
                line = made[position]
                assert not isinstance(line, Refused), "what was refused has no balance"
                told = balances.get(one, NOTHING)
                line.balance, line.own_balance, line.pool_balance = told
        return {
            position: line if isinstance(line, Refused) else _answer(requests[position], line)
            for position, line in made.items()
        }

    async def _balances_after(
        self,
        connection: Connection,
        wanted: set[Wanted],
        beside: Beside,
        at: datetime,
        *,
        waiting: Waiting,
    ) -> dict[Wanted, Balance]:
        """Return what those `wanted` can spend when what is `waiting` is written."""
        read = await self._balances_of(connection, wanted, beside.terms, beside.standings, at)
        known, balances = beside.terms.catalogue, {}
        for one, told in read.items():
            change = waiting.change(one.member, known.currency_no(one.code))
            balances[one] = Balance(told.points + change, told.own, told.others)
        return balances

    async def _balances_of(
        self,
        connection: Connection,
        wanted: Collection[Wanted],
        terms: Terms,
        standings: Mapping[UUID, Standing],
        at: datetime,
    ) -> dict[Wanted, Balance]:
        pools = self._planning.pools
        return await read_balances(connection, wanted, terms, standings, at, pools=pools)

    async def _read_together(self, wanted: list[Wanted]) -> list[BalanceAnswer | Refused]:
        async def attempt() -> list[BalanceAnswer | Refused]:
            at = self._clock.now()
            async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
                terms = await self.refresh_terms(connection)
                refusals = unknown_currencies(wanted, terms)
                known = await holders.read_states(connection, {one.member for one in wanted})
                sought = await survivors(connection, wanted, known)
                asked = {one for one in sought if one.member in known and one.code not in refusals}
                balances = await self._balances_of(connection, asked, terms, known, at)
            return [
                BalanceAnswer(
                    one.member,
                    balances[one].points,
                    one.code or UNSET,
                    known[one.member].owes or UNSET,
                    *balances[one][1:],
                )
                if one in balances
                else refusals.get(one.code, UnknownHolder())
                for one in sought
            ]

        return await retrying(lambda: _in_time(attempt()))


async def _write(connection: Connection, waiting: Waiting) -> None:
    """Write what waits. Raises `ClaimTakenError` for a key or receipt that was thought unused."""
    try:
        await waiting.later.write(connection)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name in {ONE_ANSWER, receipts.USED_ONCE}:
            raise ClaimTakenError from error
        raise


def _answer(request: Request, line: PostingAnswer | HoldAnswer) -> Answer:
    """Return the answer over the wire."""
    is_unmoved = isinstance(line, PostingAnswer) and line.posting_id is None
    status = 200 if is_unmoved else request.created_status
    media_type = MSGPACK_MEDIA_TYPE if request.media is _MSGPACK else JSON_MEDIA_TYPE
    return Answer(status, media_type, encode(line, request.media))


async def _in_time(attempt: Awaitable[Result]) -> Result:
    async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
        return await attempt
