"""Where members see what of theirs waits for its fee, and staff note that a fee was paid."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from litestar.handlers import ASGIRouteHandler

from coalition.families.doors import asking
from coalition.families.doors.asking import OF_WRITES, by_of, member_of
from coalition.families.groups import paying
from coalition.families.groups.groups import Groups
from coalition.families.groups.paying import WaitingAct
from coalition.families.kin.group_refusals import UnknownAct
from coalition.families.kin.transfer_refusals import FeeNotDue, UnknownTransfer
from coalition.families.rule_sets.notation import Money
from coalition.families.transfers import deciding
from coalition.families.transfers.judging import Book
from coalition.families.transfers.transferring import Transfers
from coalition.families.transfers.wishes import TransferAnswer
from coalition.kernel.database import Connection, transaction
from coalition.kernel.idempotency import KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.identity import MEMBER_SCOPE, Caller
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import NotEnoughPoints

DECIDE = "families:decide"
_TAGS, _OF_ALL = ("families",), ("families of all",)

Result = TypeVar("Result")


class ActList(msgspec.Struct, frozen=True):
    """What you asked for or would pay, the latest first; a hundred at most."""

    items: list[WaitingAct]


class PaidBody(Body, frozen=True, kw_only=True):
    """What was paid; it is the whole fee."""

    amount: Money


def routes(door: Door, groups: Groups) -> list[ASGIRouteHandler]:
    """Return the handlers by which members see to acts that wait for their fee."""
    one = "/v1/family-acts/{act_id:uuid}"
    return [
        hot_route(door, "/v1/family-acts", _list(groups)),
        hot_route(door, one, _show(groups)),
        hot_route(door, f"{one}/withdraw", _withdraw(groups)),
    ]


def admin_routes(door: Door, transfers: Transfers, groups: Groups) -> list[ASGIRouteHandler]:
    """Return the handlers by which staff note that a fee was paid."""

    async def act_paid(connection: Connection, book: Book, call: Call) -> WaitingAct:
        act, by = call.path["act_id"], by_of(call.caller)
        return await paying.fee_paid(connection, act, book, paid=call.body.amount, by=by)

    async def transfer_paid(connection: Connection, book: Book, call: Call) -> TransferAnswer:
        del connection
        transfer = call.path["transfer_id"]
        return await deciding.fee_paid(
            transfers, transfer, paid=call.body.amount, at=book.at, by=by_of(call.caller)
        )

    act = _paid(groups, act_paid, "an act in a family", WaitingAct, (UnknownAct,))
    transfer = _paid(
        groups, transfer_paid, "a transfer", TransferAnswer, (UnknownTransfer, NotEnoughPoints)
    )
    return [
        hot_route(door, "/v1/admin/family-acts/{act_id:uuid}/paid", act),
        hot_route(door, "/v1/admin/transfers/{transfer_id:uuid}/paid", transfer),
    ]


async def check_seen(caller: Caller, path: Mapping[str, Any]) -> None:
    """Refuse an act that whoever asks has nothing to do with."""
    async with transaction() as connection:
        await paying.show(connection, path["act_id"], by=by_of(caller))


def _list(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, _: Book, call: Call) -> ActList:
        return ActList(await paying.of_member(connection, member_of(call.caller)))

    summary = "What of yours in families waits for its fee, or did"
    return asking.looking(groups, look, ActList, summary, tags=_TAGS)


def _show(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, _: Book, call: Call) -> WaitingAct:
        return await paying.show(connection, call.path["act_id"], by=by_of(call.caller))

    summary = "One act: whether it waits for its fee, is done, or could not be done any more"
    return asking.looking(groups, look, WaitingAct, summary, refusals=(UnknownAct,), tags=_TAGS)


def _withdraw(groups: Groups) -> HotEndpoint:
    async def withdraw(call: Call) -> Answer:
        act, by = call.path["act_id"], by_of(call.caller)
        return await asking.act(
            groups,
            call,
            f"family-acts/{act}/withdraw",
            200,
            lambda c, b: paying.withdraw(c, act, b, by=by),
            waits=False,
        )

    return HotEndpoint(
        method="POST",
        summary="Take back what waits for its fee",
        handle=withdraw,
        owned=check_seen,
        answers={200: WaitingAct},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*OF_WRITES, UnknownAct, FeeNotDue),
        tags=_TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _paid(
    groups: Groups,
    work: Callable[[Connection, Book, Call], Awaitable[Result]],
    what: str,
    answer: type[Result],
    refusals: tuple[type[UnknownAct | UnknownTransfer | NotEnoughPoints], ...],
) -> HotEndpoint:
    async def paid(call: Call) -> Answer:
        address = "paid?" + "/".join(str(value) for value in call.path.values())
        return await asking.act(
            groups, call, address, 200, lambda c, b: work(c, b, call), waits=False
        )

    return HotEndpoint(
        method="POST",
        summary=f"Note that the fee of {what} was paid, so that it goes on",
        description="Where payments are not collected by billing. Said again it changes nothing.",
        handle=paid,
        body=PaidBody,
        answers={200: answer},
        scope=DECIDE,
        idempotent=True,
        refusals=(KeyReused, RequestInProgress, FeeNotDue, *refusals),
        tags=_OF_ALL,
        answer_headers=REPLAY_HEADER,
    )
