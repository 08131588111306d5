"""Staff serve a member on the command line: payments, a refund by two persons, and the end."""

from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from billing.plans.countries import shipped
from billing.subscriptions import selling
from billing.subscriptions.views import Order
from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from server import payments
from server.databases import do
from server.place import Place
from tests.billing.memberships.world import VISA
from tests.billing.plans.written import on_sale, plan
from tests.server.processes import Ended, within

ASA = "asa@exempel.example"


def membership(data: Path, *words: str) -> Ended:
    return within("membership", *words, "--data", data)


def _has_paid(data: Path) -> None:
    """Let a member have ordered a plan in the sandbox of the directory."""

    async def work(settings: Settings) -> None:
        paying = payments.open_payments(settings, SystemClock())
        at, sandbox = paying.clock.now(), paying.sandbox
        assert sandbox is not None
        sold = await on_sale(plan(), at)
        await selling.bring(paying.gateway, at=at)
        wanted = Enrolment(email=ASA, country="SE")
        enrolled = await service.enrol(wanted, partner_no=1, keys=MemberKeys.of(settings), at=at)
        order = Order(
            price_no=next(one.no for one in sold.prices if one.interval == "month"),
            country="SE",
            language="en",
            disclosure_version=shipped().of("SE").disclosure_version,
        )
        member = enrolled.member_id
        opened = await paying.memberships.checkout(member, order, key="k", at=at)
        form = {"action": "pay", "number": VISA, "expiry": "12 / 34", "cvc": "123"}
        transport = httpx.ASGITransport(app=cast("Any", sandbox.application))
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as browser:
            await browser.post(urlsplit(opened.url).path, data=form)
        await paying.memberships.returned(member, opened.checkout_id, at=paying.clock.now())
        await paying.close()

    do(Place(environ={}, data=data), work)


def test_staff_give_back_cancel_restore_and_end_for_a_member(data: Path) -> None:
    _has_paid(data)
    (paid,) = membership(data, "payments", ASA, "--json").document["items"]
    assert (paid["left"], paid["is_disputed"]) == (paid["amount"], False)
    why, signed = ("--reason", "a complaint"), ("--prepared-by", "Anna")
    too_much = membership(data, "refund", ASA, "--amount", "1000", *why, *signed)
    assert "amount_above_left" in too_much.err
    assert membership(data, "refund", ASA, "--amount", "0", *why, *signed).status == 2
    made = membership(data, "refund", ASA, "--amount", "9.00", *why, *signed, "--json").document
    assert (made["act"], made["amount"], made["payment"]) == ("refund", "9.00 SEK", paid["payment"])
    (waits,) = membership(data, "waiting", "--json").document["items"]
    assert waits["approval_id"] == made["approval_id"]
    own = membership(data, "approve", made["approval_id"], "--approved-by", "anna")
    assert "second_person_needed" in own.err
    done = membership(data, "approve", made["approval_id"], "--approved-by", "bertil", "--json")
    assert (done.document["amount"], done.document["state"]) == ("9.00 SEK", "active")
    left = paid["left"]["amount_minor"] - 900
    (paid,) = membership(data, "payments", ASA, "--json").document["items"]
    assert paid["left"]["amount_minor"] == left

    why, by = ("--reason", "she called"), ("--by", "anna")
    first = membership(data, "cancel", ASA, *why, *by, "--key", "k", "--json").document
    again = membership(data, "cancel", ASA, *why, *by, "--key", "k", "--json").document
    assert (first["kind"], again) == ("cancelled", first)
    assert "already_cancelled" in membership(data, "cancel", ASA, *why, *by).err
    assert "uncancelled" in membership(data, "uncancel", ASA, *why, *by).out
    assert membership(data, "cancel", ASA, "--at-once", *why, *by).status == 0
    assert "already_ended" in membership(data, "cancel", ASA, *why, *by).err
