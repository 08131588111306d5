"""Tells the history: founds the companies, then loads and settles month by month."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from coalition.federation.stores import NewStore
from coalition.kernel.outbox import hand_over
from coalition.kernel.settings import Settings
from coalition.points.bonuses import store
from server import founding, upkeep
from server.demo import story
from server.demo.companies import (
    APPROVES,
    COALITION,
    COMPANIES,
    CURRENCY,
    PREPARES,
    PROMOTION,
    TIMEZONE,
)
from server.demo.history import ZONE, Basket, History, Month, beginning_of_next, months_of
from server.demo.partner_client import LINES_AT_ONCE, LineResult, PartnerClient
from server.demo.past import Past, living_in_the_past
from server.demo.story import Payment, Return, Wallet
from server.founding import Founded
from server.worker import SUBSCRIBERS

ACTOR = "system:demo"

_ENROLLING_AT_ONCE = 16
_SENDING_AT_ONCE = 4
_MORNING = timedelta(minutes=5)
_LAST_MOMENT = timedelta(seconds=1)
_NIGHT = timedelta(minutes=20)

Tell = Callable[[int], None]
"""Told of how many baskets more have been loaded."""

AfterMonth = Callable[[datetime], Awaitable[None]]


class Told(msgspec.Struct):
    """What came of the telling."""

    founded: list[Founded]
    refused: Counter[str]
    """Lines that were refused, by code; none is expected."""
    wallets: dict[int, Wallet]
    """What each household should have."""


class _Issued(NamedTuple):
    basket: Basket
    posting: UUID
    points: int


class _Spent(NamedTuple):
    payment: Payment
    taken: dict[date, int]
    """How many points of those that end on each day."""


async def tell(
    history: History, settings: Settings, *, told: Tell, after_month: AfterMonth | None = None
) -> Told:
    """Load `history` into the open, empty database of `settings`, through the partners' door.

    `after_month` is done when a month is told, with the instant at which the next one begins.
    """
    begins = _midnight(history.baskets[0].at)
    founded = await _found(history, begins)
    async with living_in_the_past(settings, begins) as past:
        clients = [
            PartnerClient(past.url, client_id=one.client_id, client_secret=one.client_secret)
            for one in founded
        ]
        teller = _Teller(clients, past, told)
        for month in months_of(history.baskets):
            await teller.tell_month(month)
            if after_month is not None:
                await after_month(beginning_of_next(month))
        for client in clients:
            client.close()
    return Told(founded, teller.refused, teller.wallets)


async def _found(history: History, begins: datetime) -> list[Founded]:
    """Set the coalition up at the beginning, with its companies and their stores."""
    await founding.set_up_coalition(actor=ACTOR, at=begins, name=COALITION, timezone=TIMEZONE)
    founded = [
        await founding.found_partner(
            name=company.name,
            terms=company.terms,
            earns=company.earns,
            actor=ACTOR,
            at=begins,
            valid_from=begins.astimezone(ZONE).date(),
            new_stores=[NewStore(code, f"{company.name} no. {code}") for code in codes],
        )
        for company, codes in zip(COMPANIES, history.stores, strict=True)
    ]
    prepared = await store.prepare(PROMOTION, prepared_by=PREPARES, at=begins)
    await store.activate(prepared, approved_by=APPROVES, at=begins)
    return founded


class _Teller:
    """Keeps what the households have while the months go by."""

    def __init__(self, clients: Sequence[PartnerClient], past: Past, told: Tell) -> None:
        self.wallets: dict[int, Wallet] = {}
        self.refused: Counter[str] = Counter()
        self._clients = clients
        self._past = past
        self._told = told

    async def tell_month(self, month: Month) -> None:
        """Enrol who is new, then issue, take back, redeem, cancel; at the month's end expire."""
        first, last = month.baskets[0], month.baskets[-1]
        await self._move_to(_midnight(first.at) + _MORNING)
        await self._enrol(month.baskets)
        # Noon of the next day is 36 hours on, or an hour more or less where clocks change.
        evening = _midnight(_midnight(last.at) + timedelta(hours=36)) - _LAST_MOMENT
        await self._move_to(evening)
        today = evening.astimezone(ZONE).date()
        for household in {basket.household for basket in month.baskets}:
            self.wallets.setdefault(household, Wallet()).begin_month(today)
        issued = await self._issue(month)
        await self._take_back(month, issued)
        await self._redeem(month)
        await upkeep.expire_points(evening + _NIGHT)
        await upkeep.tidy(evening + _NIGHT)
        while await hand_over(SUBSCRIBERS):
            pass

    async def _move_to(self, instant: datetime) -> None:
        await self._past.move_to(instant)
        for client in self._clients:
            await asyncio.to_thread(client.authenticate)

    async def _enrol(self, baskets: Sequence[Basket]) -> None:
        """Enrol the households that were not seen before, each where it buys first."""
        new = {
            basket.household: basket.company
            for basket in reversed(baskets)
            if basket.household not in self.wallets
        }
        limit = asyncio.Semaphore(_ENROLLING_AT_ONCE)

        async def enrol(household: int, company: int) -> None:
            async with limit:
                await asyncio.to_thread(self._clients[company].enrol, card_of(household))

        async with asyncio.TaskGroup() as group:
            for household, company in new.items():
                group.create_task(enrol(household, company))

    async def _issue(self, month: Month) -> list[_Issued]:
        baskets = _by_company(month.baskets, lambda basket: basket)
        limit = asyncio.Semaphore(_SENDING_AT_ONCE)
        issued: list[_Issued] = []

        async def issue(company: int, part: list[Basket], number: int) -> None:
            async with limit:
                key = f"{month.number} issue {number}"
                results = await self._send(company, [_issue_line(one) for one in part], key)
            for basket, result in zip(part, results, strict=True):
                if result.posting_id is not None and result.points is not None:
                    issued.append(_Issued(basket, result.posting_id, result.points))
                    wallet = self.wallets[basket.household]
                    wallet.change(story.expires_on(basket), result.points)
            self._told(len(part))

        async with asyncio.TaskGroup() as group:
            for company, bought in baskets.items():
                paid = [basket for basket in bought if basket.amount_minor > 0]
                self._told(len(bought) - len(paid))
                for number, start in enumerate(range(0, len(paid), LINES_AT_ONCE)):
                    part = paid[start : start + LINES_AT_ONCE]
                    group.create_task(issue(company, part, number))
        return issued

    async def _take_back(self, month: Month, issued: Sequence[_Issued]) -> None:
        postings = {one.basket: one.posting for one in issued}
        wanted = story.returns((one.basket, one.points) for one in issued)
        for company, returns in _by_company(wanted, lambda one: one.basket).items():
            lines = [_return_line(one, postings[one.basket]) for one in returns]
            results = await self._send(company, lines, f"{month.number} return")
            for one, result in zip(returns, results, strict=True):
                if result.code is None:
                    wallet = self.wallets[one.basket.household]
                    wallet.change(story.expires_on(one.basket), -one.points)

    async def _redeem(self, month: Month) -> None:
        """Pay with points, one company after the other; then cancel what is cancelled."""
        for company, baskets in _by_company(month.baskets, lambda basket: basket).items():
            spent = [paid for basket in baskets if (paid := self._pay(basket)) is not None]
            lines = [_redeem_line(one.payment) for one in spent]
            results = await self._send(company, lines, f"{month.number} redeem")
            undone = [
                (one, result.posting_id)
                for one, result in zip(spent, results, strict=True)
                if one.payment.is_cancelled and result.posting_id is not None
            ]
            cancellations = [_cancel_line(posting) for _, posting in undone]
            await self._send(company, cancellations, f"{month.number} cancel")
            for one, _ in undone:
                wallet = self.wallets[one.payment.basket.household]
                for day, points in one.taken.items():
                    wallet.change(day, points)

    def _pay(self, basket: Basket) -> _Spent | None:
        wallet = self.wallets[basket.household]
        payment = story.payment(basket, wallet)
        return None if payment is None else _Spent(payment, wallet.spend(payment.points))

    async def _send(self, company: int, lines: list[Any], key: str) -> list[LineResult]:
        if not lines:
            return []
        client = self._clients[company]
        results = await asyncio.to_thread(client.send, lines, key=key)
        self.refused.update(result.code for result in results if result.code is not None)
        return results


def card_of(household: int) -> str:
    """Return the number on the card of a household."""
    return f"HOUSE{household:05d}"


def _by_company(
    things: Sequence[Any], basket_of: Callable[[Any], Basket]
) -> dict[int, list[Any]]:  # Any: baskets, or what is done with them
    parted: dict[int, list[Any]] = defaultdict(list)
    for thing in things:
        parted[basket_of(thing).company].append(thing)
    return dict(sorted(parted.items()))


def _issue_line(basket: Basket) -> dict[str, Any]:
    return {
        "card": card_of(basket.household),
        "receipt": basket.receipt,
        "store": basket.store,
        "occurred_at": basket.at,
        "purchase": {"amount_minor": basket.amount_minor, "currency": CURRENCY},
    }


def _redeem_line(payment: Payment) -> dict[str, Any]:
    return {
        "kind": "redeem",
        "card": card_of(payment.basket.household),
        "receipt": payment.basket.receipt,
        "store": payment.basket.store,
        "occurred_at": payment.basket.at,
        "points": payment.points,
    }


def _return_line(one: Return, posting: UUID) -> dict[str, Any]:
    reason = "goods brought back"
    return {"kind": "reverse", "posting_id": posting, "points": one.points, "reason": reason}


def _cancel_line(posting: UUID) -> dict[str, Any]:
    return {"kind": "reverse", "posting_id": posting, "reason": "paid otherwise"}


def _midnight(at: datetime) -> datetime:
    """Return the beginning of the day of `at` in the coalition's zone."""
    return at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
