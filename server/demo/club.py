"""The demo's paid membership over its last months: some households join, pay, change and leave.

It is told month by month with the purchases, on the sandbox's file by a clock of its own, so that
benefits are settled with the month in which they were given, and finance has figures to look at.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from billing.plans import registering
from billing.plans.countries import shipped
from billing.plans.documents import Interval, PlanDocument
from billing.subscriptions import selling
from billing.subscriptions.campaigns import proposing
from billing.subscriptions.campaigns.documents import CampaignDocument
from billing.subscriptions.refusals import TrialUsed
from billing.subscriptions.views import GiftOrder, Order
from coalition.kernel.clock import FixedClock
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.ledger.partitions import ensure_partition
from coalition.members.sealing import MemberKeys
from server import payments
from server.club_time import ClubTime
from server.commands.known import find_member
from server.demo.companies import APPROVES, CURRENCY, PREPARES
from server.demo.history import ZONE, History
from server.demo.plans import PLUS, PREMIUM
from server.demo.telling import card_of

MONTHS: Final = 5
"""In so many months, with the one that is running, memberships are told."""
RISE: Final = "plus-899"
"""The campaign by which who has Plus comes to its new price."""

_COUNTRY: Final = "US"
_CARD: Final = "6011 1111 1111 1117"
"""None of those that people try: a card has one trial."""
_CARDS: Final = {"fails later": "4000 0000 0000 0341", "disputes": "4000 0000 0000 0259"}
_MOST: Final = 22
_DEARER: Final = 100
"""Minor units a month: from 7.99 to 8.99."""

Joining = Literal["plus", "plus a year", "premium", "fails later", "disputes"]
Deed = Joining | Literal["upgrade", "cancel", "gift", "agree"]


class _Act(NamedTuple):
    """What a household does, so many months before the running one, on a day of it."""

    ago: int
    day: int
    household: int
    """By its place among those that bought most often."""
    deed: Deed


def _acts() -> tuple[_Act, ...]:
    joins: list[tuple[int, Sequence[int], Joining]] = [
        (4, range(5), "plus"),
        (4, range(5, 7), "premium"),
        (4, range(7, 8), "plus a year"),
        (3, range(8, 11), "plus"),
        (3, range(11, 12), "fails later"),
        (3, range(12, 14), "premium"),
        (2, range(14, 17), "plus"),
        (2, range(17, 18), "premium"),
        (1, range(18, 19), "plus"),
        (1, range(19, 20), "disputes"),
        (0, range(20, 21), "plus"),
    ]
    told = [
        _Act(ago, 2 + 3 * place, household, deed)
        for ago, households, deed in joins
        for place, household in enumerate(households)
    ]
    further: tuple[_Act, ...] = (
        _Act(3, 20, 1, "cancel"),
        _Act(2, 11, 2, "upgrade"),
        _Act(2, 20, 0, "gift"),
        _Act(1, 9, 8, "cancel"),
        _Act(1, 24, 3, "agree"),
        _Act(1, 25, 9, "agree"),
    )
    return tuple(sorted([*told, *further], key=lambda act: (-act.ago, act.day, act.household)))


class DemoClub(ClubTime):
    """Paid memberships of the demo's households, at the instant to which they were told."""

    def __init__(self, settings: Settings, history: History, now: datetime) -> None:
        """Begin some months back; nothing is told beyond `now`. The sandbox has to be mounted."""
        self._clock, self._now = FixedClock(_month(now, MONTHS - 1)), now
        self._paying = payments.open_payments(settings, self._clock)
        self._keys = MemberKeys.of(settings)
        assert self._paying.sandbox is not None, "it was asked for"
        super().__init__(self._paying.sandbox, self._paying.gateway, self._paying.memberships)
        bought = Counter(basket.household for basket in history.baskets)
        most = sorted(bought, key=lambda household: (-bought[household], household))
        # Every other one, so that those who have no plan are not all the smaller households.
        self._households = most[: 2 * min(_MOST, len(most) // 3) : 2]
        self._given = most[1 % len(most)]

    async def close(self) -> None:
        """Give the sandbox's file back."""
        await self._paying.close()

    async def month_over(self, ends: datetime) -> None:
        """Tell the memberships of the month that ends at `ends`, or of what there is of it."""
        ago = next((ago for ago in range(MONTHS) if _month(self._now, ago - 1) == ends), None)
        if ago is None:
            return
        if ago == MONTHS - 1:
            await self._begin()
        if ago == 1:
            await self._rise()
        for act in _acts():
            at = _month(self._now, ago) + timedelta(days=act.day - 1, hours=15)
            if act.ago == ago and act.household < len(self._households) and at < self._now:
                await self.pass_until(at)
                await self._do(act)
                await self.hear()
        await self.pass_until(min(ends - timedelta(minutes=1), self._now))

    async def _stand_at(self, at: datetime) -> None:
        self._clock.advance(max(at - self._clock.now(), timedelta()))
        await ensure_partition(at)
        await super()._stand_at(at)

    async def _begin(self) -> None:
        for document in (PLUS, PREMIUM):
            await on_sale(document, self.now())
        await selling.bring(self.gateway, at=self.now())

    async def _rise(self) -> None:
        """Sell Plus at more from now on, and let those who have it come to that price."""
        prices = tuple(
            msgspec.structs.replace(
                one,
                amount_minor=one.amount_minor
                + (_DEARER if one.currency != "SEK" else 10 * _DEARER)
                * (10 if one.interval == "year" else 1),
            )
            for one in PLUS.prices
        )
        await on_sale(msgspec.structs.replace(PLUS, prices=prices), self.now())
        document = CampaignDocument(
            code=RISE,
            plan=PLUS.code,
            from_version=1,
            applies_from=self.now() + timedelta(days=30),
            notice_days=30,
        )
        proposed = await proposing.prepare(
            document, countries=shipped(), prepared_by=PREPARES, at=self.now()
        )
        await proposing.approve(proposed, approved_by=APPROVES, at=self.now())
        self.has_campaigns = True

    async def _do(self, act: _Act) -> None:
        card = card_of(self._households[act.household])
        member, key = await find_member(card, self._keys), f"demo-{act.ago}-{act.day}-{card}"
        doing, at = self.memberships, self.now()
        match act.deed:
            case "cancel":
                await doing.cancel(member, key=key, at=at)
            case "upgrade":
                price = await self._price(member, PREMIUM.code, "month")
                preview = await doing.preview(member, price, at=at)
                await doing.change(member, price, previewed_at=preview.previewed_at, key=key, at=at)
            case "gift":
                await self._give(member, key)
            case "agree":
                await doing.agree_to_price(member, key=key, at=at)
            case _:
                await self._order(member, act.deed, key)

    async def _order(self, member: MemberId, deed: Joining, key: str) -> None:
        interval: Interval = "year" if deed == "plus a year" else "month"
        plan = PREMIUM.code if deed == "premium" else PLUS.code
        order = Order(
            price_no=await self._price(member, plan, interval),
            country=_COUNTRY,
            language="en",
            disclosure_version=shipped().of(_COUNTRY).disclosure_version,
        )
        card = _CARDS.get(deed, _CARD)
        try:
            await self._pay(member, order, card, key)
        except TrialUsed:
            # One card has one trial, and they share it; the second order is without.
            await self._pay(member, order, card, f"{key}-again")

    async def _pay(self, member: MemberId, order: Order, card: str, key: str) -> None:
        opened = await self.memberships.checkout(member, order, key=key, at=self.now())
        is_paid = await self.fill_in(opened.url, card)
        assert is_paid, "a test card pays"
        await self.memberships.returned(member, opened.checkout_id, at=self.now())

    async def _give(self, member: MemberId, key: str) -> None:
        """Buy a gift, and let a household that orders nothing redeem it."""
        wanted = GiftOrder(plan=PLUS.code, months=2, currency=CURRENCY)
        bought = await self.memberships.buy_gift(member, wanted, key=key, at=self.now())
        assert bought.url is not None, "a gift that was ordered just now waits to be paid"
        await self.fill_in(bought.url, _CARD)
        await self.hear()
        (gift,) = await self.memberships.gifts(member, at=self.now())
        if gift.code is not None:
            whose = await find_member(card_of(self._given), self._keys)
            await self.memberships.redeem_gift(whose, gift.code, key=f"{key}-r", at=self.now())

    async def _price(self, member: MemberId, plan: str, interval: Interval) -> int:
        offers = await self.memberships.plans_for(
            member, country=_COUNTRY, language="en", at=self.now()
        )
        wanted = (plan, interval, CURRENCY)
        return next(
            price.price_no
            for offer in offers.items
            for price in offer.prices
            if (offer.plan, price.interval, price.price.currency) == wanted
        )


async def on_sale(document: PlanDocument, at: datetime) -> None:
    """Put a plan, or a version of it, on sale by two persons."""
    proposed = await registering.prepare(document, valid_from=None, prepared_by=PREPARES, at=at)
    await registering.approve(proposed, approved_by=APPROVES, at=at)


def _month(now: datetime, ago: int) -> datetime:
    """Return when the month begins that lies so many before that of `now`; -1 is the next one."""
    local = now.astimezone(ZONE)
    years, month = divmod(local.year * 12 + local.month - 1 - ago, 12)
    return datetime(years, month + 1, 1, tzinfo=ZONE).astimezone(UTC)
