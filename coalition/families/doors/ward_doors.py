"""Where guardians see their wards, stop what they spend and send, and let them go on."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol
from uuid import UUID

from litestar.handlers import ASGIRouteHandler

from coalition.families.doors import asking
from coalition.families.doors.asking import OF_WRITES, member_of
from coalition.families.doors.group_bodies import WardAnswer, WardList
from coalition.families.groups.groups import Groups
from coalition.families.kin import guardians
from coalition.families.kin.group_refusals import UnknownGuardian
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route

_TAGS = ("wards",)


class _Change(Protocol):
    def __call__(self, minor: UUID, guardian: UUID, /, *, at: datetime) -> Awaitable[None]: ...


def routes(door: Door, groups: Groups) -> list[ASGIRouteHandler]:
    """Return the handlers of wards."""
    one = "/v1/wards/{member_id:uuid}"
    stop = _changing(
        groups,
        "stop",
        guardians.stop,
        summary="Let a ward spend and send nothing until you say so",
        is_stopped=True,
    )
    go_on = _changing(
        groups,
        "go-on",
        guardians.let_go_on,
        summary="Let a ward spend and send again, where you have stopped it",
        is_stopped=False,
    )
    return [
        hot_route(door, "/v1/wards", _list(groups)),
        hot_route(door, f"{one}/stop", stop),
        hot_route(door, f"{one}/go-on", go_on),
    ]


def _list(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, _: Book, call: Call) -> WardList:
        return WardList(await guardians.wards_of(connection, member_of(call.caller)))

    return asking.looking(groups, look, WardList, "Whom you guard", tags=_TAGS)


def _changing(
    groups: Groups, word: str, change: _Change, *, summary: str, is_stopped: bool
) -> HotEndpoint:
    async def act(call: Call) -> Answer:
        ward, guardian = call.path["member_id"], member_of(call.caller)

        async def work(connection: Connection, book: Book) -> WardAnswer:
            del connection
            await change(ward, guardian, at=book.at)
            return WardAnswer(ward, is_stopped)

        return await asking.act(groups, call, f"wards/{ward}/{word}", 200, work)

    return HotEndpoint(
        method="POST",
        summary=summary,
        description="The ward goes on earning. Another guardian's word stands.",
        handle=act,
        answers={200: WardAnswer},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*OF_WRITES, UnknownGuardian),
        tags=_TAGS,
        answer_headers=REPLAY_HEADER,
    )
