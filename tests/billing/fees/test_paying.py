"""A fee is paid on Stripe's page, what waits goes on, and what cannot gives the money back."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import pytest

from billing.subscriptions import recovering
from billing.subscriptions.fees import paying as fees
from billing.subscriptions.fees import rows
from billing.subscriptions.fees.refusals import UnknownFee
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import FeeView
from coalition.families.groups import forming, paying
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.groups import Groups
from coalition.families.groups.paying import WaitingAct
from coalition.families.groups.wanted import Accept
from coalition.families.kin import places
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import FeeNotDue
from coalition.families.rule_sets.notation import Money as Agreed
from coalition.families.transfers import deciding
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.money import Money
from coalition.kernel.outbox import Delivery
from coalition.members import service as members
from tests.billing.memberships.world import HOME, Club
from tests.families.registered import activated, bound, written
from tests.families.transfers.world import KEYS, Bank, make_bank

pytestmark = pytest.mark.usefixtures("database")

FEE = {"kind": "flat", "money": {"amount_minor": 5_000, "currency": "SEK"}}


class Desk:
    """A bank whose transfers cost money, and Stripe's stand-in beside it."""

    def __init__(self, bank: Bank) -> None:
        self.bank, self.club = bank, Club(bank.at)
        self.club.keys = KEYS
        self.club.memberships = Memberships(self.club.gateway, KEYS, home=HOME)

    async def pay_for(self, member: MemberId, fee_id: UUID) -> FeeView:
        """Open the page of a fee."""
        return await self.club.memberships.pay_fee(
            member, fee_id, back_to="/", key=self.club.key(), at=self.club.now()
        )

    async def show(self, member: MemberId, fee_id: UUID) -> FeeView:
        """Return how a fee stands."""
        return await self.club.memberships.fee(member, fee_id, at=self.club.now())

    async def refunded(self, payment: str) -> int:
        """Return how much of a payment went back, once the worker has done its part."""
        await recovering.recover(self.club.gateway, self.club.now() + timedelta(minutes=5))
        found = await self.club.gateway.payment(payment)
        assert found is not None
        return sum(one.amount.amount_minor for one in found.refunds)

    async def payment_of(self, fee_id: UUID) -> str:
        """Return by what a fee was paid."""
        async with transaction() as connection:
            kept = await rows.read(connection, fee_id)
        assert kept is not None
        assert kept.payment is not None
        return kept.payment

    async def hear(self, kind: str) -> None:
        """Let whoever hears of the last event of a kind do its part, twice."""
        async with transaction() as connection:
            row = await connection.fetchrow(
                "SELECT id, kind, payload, occurred_at, committed_at FROM outbox"
                " WHERE kind = $1 ORDER BY id DESC LIMIT 1",
                kind,
            )
        assert row is not None
        told = Delivery(**dict(row) | {"payload": msgspec.json.decode(row["payload"])})
        for _ in range(2):
            await fees.SUBSCRIBER.handle(told, self.club.now())


async def opened(at: datetime, **rules: Any) -> Desk:
    """Return a desk where each transfer costs fifty kronor."""
    bank = await make_bank(at)
    await activated("plain", written(fees=[FEE], **rules), at)
    await bound("p2p", "plain", at)
    return Desk(bank)


async def test_a_transfer_goes_on_once_its_fee_is_paid_by_whichever_way_we_hear(
    at: datetime,
) -> None:
    desk = await opened(at)
    anna, bo = await desk.bank.member(900), await desk.bank.member()
    asked = await desk.bank.send(anna, bo, 100)
    transfer = UUID(asked["transfer_id"])
    assert (await desk.show(anna, transfer)).state == "due"
    page, again = await desk.pay_for(anna, transfer), await desk.pay_for(anna, transfer)
    assert (page.state, page.amount) == ("open", Money(5_000, "SEK"))
    assert again == page
    assert page.url is not None
    for stranger, fee_id in ((bo, transfer), (anna, random_id())):
        with pytest.raises(UnknownFee):
            await desk.pay_for(stranger, fee_id)

    await desk.club.pay(page.url)
    await desk.club.hear()
    await desk.club.hear()
    done = await desk.show(anna, transfer)
    assert (done.state, done.outcome) == ("done", "completed")
    assert await desk.bank.balance(bo) == 100
    assert (await desk.pay_for(anna, transfer)).state == "done"

    second = UUID((await desk.bank.send(anna, bo, 200))["transfer_id"])
    page = await desk.pay_for(anna, second)
    assert page.url is not None
    desk.club.loses_webhooks = True
    await desk.club.pay(page.url)
    assert (await desk.show(anna, second)).state == "done"
    assert await desk.bank.balance(bo) == 300
    assert await desk.refunded(await desk.payment_of(second)) == 0


async def test_what_is_given_up_gives_the_money_back_once(at: datetime) -> None:
    desk = await opened(at)
    anna, bo = await desk.bank.member(900), await desk.bank.member()
    late = UUID((await desk.bank.send(anna, bo, 100))["transfer_id"])
    page = await desk.pay_for(anna, late)
    assert page.url is not None
    await deciding.reject(desk.bank.transfers, late, by=By.of(anna), at=desk.bank.at)
    await desk.club.pay(page.url)
    await desk.club.hear()
    seen = await desk.show(anna, late)
    assert (seen.state, seen.outcome) == ("returned", "fee_not_due")
    await desk.hear("families.transfer_rejected")
    assert await desk.refunded(await desk.payment_of(late)) == 5_000
    assert await desk.refunded(await desk.payment_of(late)) == 5_000
    with pytest.raises(FeeNotDue):
        await desk.pay_for(anna, late)

    other = UUID((await desk.bank.send(anna, bo, 100))["transfer_id"])
    page = await desk.pay_for(anna, other)
    await deciding.reject(desk.bank.transfers, other, by=By.of(anna), at=desk.bank.at)
    await desk.hear("families.transfer_rejected")
    await recovering.recover(desk.club.gateway, desk.club.now() + timedelta(minutes=5))
    assert (await desk.show(anna, other)).state == "expired"


async def test_an_act_of_a_family_is_done_when_it_is_paid_and_else_paid_back(
    at: datetime,
) -> None:
    desk = Desk(await make_bank(at))
    groups = Groups(keys=KEYS)
    await activated(
        "home", written("head_pull", fees=[FEE | {"on": "join", "payer": "member"}]), at
    )
    await bound("home", "home", at)
    anna, bo, cy = [await desk.bank.member() for _ in range(3)]
    family = (await groups.do(lambda c, b: forming.form(c, "home", anna, b), at)).id

    async def joining(member: MemberId) -> UUID:
        wish = Newcomer(member=member, role="friend")
        made = await groups.invite(family, wish, by=By.of(anna), at=at)
        accept = Accept(invitation=made.id, channel=wish.channel)
        waits = await groups.do(lambda c, b: paying.perform(c, b, accept, By.of(member)), at)
        assert isinstance(waits, WaitingAct)
        return waits.act_id

    act = await joining(bo)
    page = await desk.pay_for(bo, act)
    assert (page.kind, page.amount) == ("act", Money(5_000, "SEK"))
    assert page.url is not None
    await desk.club.pay(page.url)
    await desk.club.hear()
    assert (await desk.show(bo, act)).outcome == "done"
    async with transaction() as connection:
        assert (await places.groups_of(connection, [bo]))[bo] == [family]

    act = await joining(cy)
    page = await desk.pay_for(cy, act)
    assert page.url is not None
    await groups.do(lambda c, b: paying.withdraw(c, act, b, by=By.of(cy)), at)
    await desk.club.pay(page.url)
    await desk.club.hear()
    assert (await desk.show(cy, act)).state == "returned"
    assert await desk.refunded(await desk.payment_of(act)) == 5_000

    act = await joining(cy)
    page = await desk.pay_for(cy, act)
    assert page.url is not None
    (owed, *_) = await desk.club.memberships.fees(cy, at=desk.club.now())
    assert (owed.fee_id, owed.kind, owed.state) == (act, "act", "open")
    agreed = Agreed(amount_minor=5_000, currency="SEK")
    await groups.fee_paid(act, paid=agreed, by=By.staff("anna"), at=at)
    await desk.hear("families.fee_paid")
    await desk.club.pay(page.url)
    await desk.club.hear()
    seen = await desk.show(cy, act)
    assert (seen.state, seen.outcome) == ("returned", "paid_otherwise")
    assert await desk.refunded(await desk.payment_of(act)) == 5_000


async def test_what_staff_note_as_paid_is_not_paid_twice(at: datetime) -> None:
    desk = await opened(at)
    anna, bo = await desk.bank.member(900), await desk.bank.member()
    fee = Agreed(amount_minor=5_000, currency="SEK")

    async def noted(transfer: UUID) -> None:
        sent = await deciding.fee_paid(
            desk.bank.transfers, transfer, paid=fee, at=desk.bank.at, by=By.staff("anna")
        )
        assert sent.state == "completed"

    closed = UUID((await desk.bank.send(anna, bo, 100))["transfer_id"])
    page = await desk.pay_for(anna, closed)
    assert page.url is not None
    await noted(closed)
    await desk.hear("families.transfer_completed")
    seen = await desk.show(anna, closed)
    assert (seen.state, seen.outcome, seen.url) == ("expired", "paid_otherwise", None)
    await recovering.recover(desk.club.gateway, desk.club.now() + timedelta(minutes=5))
    assert "expired" in (await desk.club.browser.get(urlsplit(page.url).path)).text.lower()

    late = UUID((await desk.bank.send(anna, bo, 200))["transfer_id"])
    page = await desk.pay_for(anna, late)
    assert page.url is not None
    await noted(late)
    await desk.club.pay(page.url)
    for _ in range(2):
        await desk.club.hear()
    seen = await desk.show(anna, late)
    assert (seen.state, seen.outcome) == ("returned", "paid_otherwise")
    assert await desk.refunded(await desk.payment_of(late)) == 5_000
    await desk.hear("families.transfer_completed")
    assert await desk.bank.balance(bo) == 300, "both went on, once each"


async def test_staff_who_come_between_a_payment_and_what_waits_for_it_cost_nobody_twice(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await opened(at)
    anna, bo = await desk.bank.member(900), await desk.bank.member()
    transfer = UUID((await desk.bank.send(anna, bo, 100))["transfer_id"])
    page = await desk.pay_for(anna, transfer)
    assert page.url is not None
    called_down = deciding.fee_paid

    async def just_before(*given: Any, **named: Any) -> Any:
        moment = desk.bank.at + timedelta(seconds=1)
        await called_down(*given, **named | {"at": moment, "by": By.staff("anna")})
        return await called_down(*given, **named)

    monkeypatch.setattr(deciding, "fee_paid", just_before)
    await desk.club.pay(page.url)
    await desk.club.hear()
    monkeypatch.undo()
    assert (await desk.show(anna, transfer)).outcome == "paid_otherwise"
    assert await desk.refunded(await desk.payment_of(transfer)) == 5_000


async def test_what_went_back_pays_for_no_second_attempt_when_it_is_told_of_again(
    at: datetime,
) -> None:
    desk = await opened(at)
    anna, bo = await desk.bank.member(900), await desk.bank.member()
    transfer = UUID((await desk.bank.send(anna, bo, 100))["transfer_id"])
    page = await desk.pay_for(anna, transfer)
    assert page.url is not None
    await members.freeze(bo, actor="staff:anna", at=at)
    await desk.club.pay(page.url)
    assert (await desk.show(anna, transfer)).state == "returned"
    first = await desk.payment_of(transfer)
    await members.unfreeze(bo, actor="staff:anna", at=at)

    again = await desk.pay_for(anna, transfer)
    assert (again.state, again.url != page.url) == ("open", True)
    await desk.club.hear()  # of the first page, later than who paid came back from it
    assert (await desk.show(anna, transfer)).state == "open"
    assert await desk.bank.balance(bo) == 0
    assert again.url is not None
    await desk.club.pay(again.url)
    await desk.club.hear()
    assert (await desk.show(anna, transfer)).outcome == "completed"
    assert await desk.refunded(first) == 5_000
    assert await desk.refunded(await desk.payment_of(transfer)) == 0


async def test_a_member_sees_what_it_owes_and_what_it_has_paid(at: datetime) -> None:
    desk = await opened(at)
    anna, bo = await desk.bank.member(900), await desk.bank.member()
    paid, open_, due = [
        UUID((await desk.bank.send(anna, bo, points))["transfer_id"]) for points in (100, 50, 60)
    ]
    page = await desk.pay_for(anna, paid)
    assert page.url is not None
    await desk.club.pay(page.url)
    await desk.club.hear()
    page = await desk.pay_for(anna, open_)
    seen = await desk.club.memberships.fees(anna, at=desk.club.now())
    assert {one.fee_id: (one.state, one.url) for one in seen} == {
        open_: ("open", page.url),
        due: ("due", None),
        paid: ("done", None),
    }
    assert seen[-1].fee_id == paid
    assert all(one.due_by is not None for one in seen[:2])
    assert await desk.club.memberships.fees(bo, at=desk.club.now()) == ()
