"""Leaving: cancelling in two clicks with one offer that may be skipped, and withdrawing."""

from urllib.parse import quote
from uuid import UUID

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from billing.subscriptions.refusals import UnknownMembership
from billing.subscriptions.views import Receipt, Withdrawal
from coalition.kernel.errors import Refused, TooMany
from coalition.kernel.ids import MemberId
from coalition.oversight.refusals import ReasonNeeded
from member_ui import papers
from member_ui.shop import interval_of, names_of, offers_of
from member_ui.visit import House, NotFromHere, Visit, sent, shown
from pages.rendering import lead_to

_TEXT = ".txt"
_MISTYPED = (UnknownMembership, ReasonNeeded, TooMany)
"""What is said beside the form that it was typed in."""


def routes(house: House) -> list[HTTPRouteHandler]:
    """Return the handlers of leaving, those without signing in among them."""
    return [
        shown(house, "/membership/cancel", _offer),
        sent(house, "/membership/cancel", _cancel),
        sent(house, "/membership/uncancel", _uncancel),
        shown(house, "/membership/receipts/{receipt_id:str}", _receipt),
        sent(house, "/membership/withdraw", _declare),
        sent(house, "/membership/withdraw/confirm", _confirm),
        shown(house, "/cancel", _stranger_cancels, to_members=False),
        sent(house, "/cancel", _cancel_as_stranger, to_members=False),
        shown(house, "/withdraw", _stranger, to_members=False),
        sent(house, "/withdraw", _declare_as_stranger, to_members=False),
        sent(house, "/withdraw/confirm", _confirm_as_stranger, to_members=False),
    ]


async def _offer(visit: Visit) -> Response[bytes]:
    offer = await visit.house.memberships.cancel_offer(visit.member, at=visit.at)
    offers = await offers_of(visit)
    smaller = offer.smaller_price_no
    return visit.page(
        "cancel.html",
        offer=offer,
        interval=None if smaller is None else interval_of(offers, smaller),
        terms=offers.terms,
        names=names_of(offers),
    )


async def _cancel(visit: Visit) -> Response[bytes]:
    reason = visit.form.get("reason") or None
    made = await visit.house.memberships.cancel(
        visit.member, key=visit.key, at=visit.at, reason=reason
    )
    return lead_to(f"/membership/receipts/{made.receipt_id}")


async def _uncancel(visit: Visit) -> Response[bytes]:
    made = await visit.house.memberships.uncancel(visit.member, key=visit.key, at=visit.at)
    return lead_to(f"/membership/receipts/{made.receipt_id}")


async def _receipt(visit: Visit) -> Response[bytes]:
    wanted = str(visit.request.path_params["receipt_id"])
    is_text = wanted.endswith(_TEXT)
    for receipt in await visit.house.memberships.receipts(visit.member):
        if str(receipt.receipt_id) == wanted.removesuffix(_TEXT):
            return await (_keep(visit, receipt) if is_text else _show(visit, receipt))
    return lead_to("/membership")


async def _declare(visit: Visit) -> Response[bytes]:
    declared = await visit.house.memberships.declare_withdrawal(visit.member, at=visit.at)
    return await _to_confirm(visit, declared, "/membership/withdraw/confirm")


async def _confirm(visit: Visit) -> Response[bytes]:
    made = await _confirmed(visit, visit.member, visit.key)
    return lead_to(f"/membership/receipts/{made.receipt_id}")


async def _stranger_cancels(visit: Visit) -> Response[bytes]:
    return await _asked_of_stranger(visit, "cancel_stranger.html")


async def _cancel_as_stranger(visit: Visit) -> Response[bytes]:
    try:
        made = await visit.house.memberships.cancel_as_stranger(
            reference=_reference(visit),
            email=visit.asked("email"),
            at=visit.at,
            reason=visit.form.get("reason") or None,
        )
    except _MISTYPED as refusal:
        return await _asked_of_stranger(visit, "cancel_stranger.html", refusal)
    return await _show(visit, made)


async def _stranger(visit: Visit) -> Response[bytes]:
    return await _asked_of_stranger(visit, "withdraw.html")


async def _declare_as_stranger(visit: Visit) -> Response[bytes]:
    try:
        declared = await visit.house.memberships.declare_withdrawal_as_stranger(
            reference=_reference(visit), email=visit.asked("email"), at=visit.at
        )
    except _MISTYPED as refusal:
        return await _asked_of_stranger(visit, "withdraw.html", refusal)
    return await _to_confirm(visit, declared, "/withdraw/confirm")


async def _confirm_as_stranger(visit: Visit) -> Response[bytes]:
    # Nobody has signed in, so the declaration itself is what makes the act one.
    key = f"withdraw-{_id(visit, 'withdrawal')}"
    return await _show(visit, await _confirmed(visit, None, key))


async def _asked_of_stranger(
    visit: Visit, page: str, refusal: Refused | None = None
) -> Response[bytes]:
    """Ask for the reference and the address; with what was typed, where that was refused."""
    terms = (await offers_of(visit)).terms
    said = None if refusal is None else visit.refused(refusal)
    status = 200 if refusal is None else refusal.status
    return visit.page(page, status=status, terms=terms, said=said, typed=visit.form)


async def _show(visit: Visit, receipt: Receipt) -> Response[bytes]:
    names = names_of(await offers_of(visit))
    kept = "data:text/plain;charset=utf-8," + quote(papers.text_of(visit, receipt, names))
    if visit.session is not None:
        kept = f"/membership/receipts/{receipt.receipt_id}{_TEXT}"
    rows = papers.rows_of(visit, receipt, names)
    called = papers.name_of(receipt)
    return visit.page("receipt.html", receipt=receipt, rows=rows, kept=kept, called=called)


async def _keep(visit: Visit, receipt: Receipt) -> Response[bytes]:
    names = names_of(await offers_of(visit))
    return visit.text(papers.name_of(receipt), papers.text_of(visit, receipt, names))


async def _to_confirm(visit: Visit, declared: Withdrawal, leads_to: str) -> Response[bytes]:
    terms = (await offers_of(visit)).terms
    return visit.page("confirm.html", declared=declared, leads_to=leads_to, terms=terms)


async def _confirmed(visit: Visit, member: MemberId | None, key: str) -> Receipt:
    return await visit.house.memberships.confirm_withdrawal(
        _id(visit, "withdrawal"), member=member, key=key, at=visit.at
    )


def _reference(visit: Visit) -> UUID:
    """Return the reference that was typed; what can be none is one that nobody has."""
    try:
        return UUID(visit.asked("reference"))
    except ValueError as error:
        raise UnknownMembership from error


def _id(visit: Visit, name: str) -> UUID:
    try:
        return UUID(visit.asked(name))
    except ValueError as error:
        raise NotFromHere from error
