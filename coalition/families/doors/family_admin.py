"""Where the operator's staff see families and transfers, decide, and look for rings.

Under /v1/admin, by clients with the scopes `families:read` and `families:decide`. What staff do in
a group, or to a transfer, stands under the client's name.
"""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.families.doors import act_doors, asking, kin_admin
from coalition.families.doors.group_doors import look_at_group
from coalition.families.doors.group_views import GroupView
from coalition.families.doors.transfer_doors import (
    approving,
    decision,
    look_at_transfer,
    rejecting,
    undoing,
)
from coalition.families.doors.transfer_views import TransferView
from coalition.families.groups.groups import Groups
from coalition.families.kin.group_refusals import (
    UnknownGroup,
)
from coalition.families.kin.transfer_refusals import NoRules, UnknownTransfer
from coalition.families.transfers import watching
from coalition.families.transfers.judging import Book
from coalition.families.transfers.transferring import Transfers
from coalition.federation.refusals import UnknownPointCurrency
from coalition.kernel.database import Connection
from coalition.kernel.web.fields import Body, CodeText
from coalition.kernel.web.hot import Call, Door, HotEndpoint, hot_route

READ, DECIDE = "families:read", "families:decide"
TAGS = ("families of all",)
_EITHER = (READ, DECIDE)

_LATEST = """
SELECT id AS group_id, kind, head, state, formed_at,
       (SELECT count(*) FROM group_member
        WHERE group_member.bucket = family_group.bucket AND group_member.group_id = family_group.id
          AND left_at IS NULL)::int4 AS members
FROM family_group
WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR state = $2)
ORDER BY formed_at DESC, id DESC LIMIT $3
"""


class FamiliesQuery(Body, frozen=True, kw_only=True):
    """Which families are wanted."""

    kind: CodeText | None = None
    state: CodeText | None = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most")] = 100


class FamilyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A family in a list."""

    group_id: UUID
    kind: str
    head: UUID
    state: str
    formed_at: datetime
    members: int


class FamilyRows(msgspec.Struct, frozen=True):
    """Families, those that were formed last first."""

    items: list[FamilyRow]


class RingsQuery(Body, frozen=True, kw_only=True):
    """Which rings are looked for."""

    days: Annotated[int, Meta(ge=1, le=366, description="How far back")] = 30
    least_points: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 1
    longest: Annotated[int, Meta(ge=2, le=6, description="Members of a ring at most")] = 4
    least_senders: Annotated[int, Meta(ge=2, le=1000)] = 5
    least_times: Annotated[int, Meta(ge=2, le=1000)] = 5
    point_currency: CodeText | None = None


class RingRow(msgspec.Struct, frozen=True):
    """Members each of whom sent to the next, and the last to the first."""

    members: tuple[UUID, ...]
    points: int
    times: int


class GathererRow(msgspec.Struct, frozen=True):
    """A member to whom many different members sent."""

    member_id: UUID
    senders: int
    points: int
    times: int


class HastyRow(msgspec.Struct, frozen=True):
    """A member that asked for many transfers within one hour."""

    member_id: UUID
    times: int
    points: int
    began: datetime


class RingsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What looks strange; nothing of it is stopped, since honest families do it too.

    `is_complete` is false where there was too much to look through all of it.
    """

    since: datetime
    rings: list[RingRow]
    is_complete: bool
    gatherers: list[GathererRow]
    hasty: list[HastyRow]


def routes(door: Door, transfers: Transfers, groups: Groups) -> list[ASGIRouteHandler]:
    """Return the handlers of staff who see to families."""
    one = "/v1/admin/transfers/{transfer_id:uuid}"
    return [
        hot_route(door, "/v1/admin/families", _list(groups)),
        hot_route(door, "/v1/admin/families/{group_id:uuid}", _show(groups)),
        hot_route(door, "/v1/admin/transfer-rings", _rings(groups)),
        hot_route(door, one, _show_transfer(groups)),
        hot_route(
            door,
            f"{one}/approve",
            decision(
                groups,
                "approve",
                approving(transfers),
                summary="Give the operator's word for a transfer that waits for it",
                scope=DECIDE,
                with_reason=False,
                tags=TAGS,
            ),
        ),
        hot_route(
            door,
            f"{one}/reject",
            decision(
                groups,
                "reject",
                rejecting(transfers),
                summary="Turn down a transfer that waits",
                scope=DECIDE,
                tags=TAGS,
            ),
        ),
        hot_route(
            door,
            f"{one}/undo",
            decision(
                groups,
                "undo",
                undoing(transfers),
                summary="Take a transfer back within its time",
                scope=DECIDE,
                tags=TAGS,
            ),
        ),
        *kin_admin.routes(door, groups),
        *act_doors.admin_routes(door, transfers, groups),
    ]


async def latest(
    connection: Connection, *, kind: str | None, state: str | None, limit: int
) -> list[FamilyRow]:
    """Return the families that were formed last."""
    rows = await connection.fetch(_LATEST, kind, state, limit)
    return [msgspec.convert(dict(row), FamilyRow) for row in rows]


async def report(connection: Connection, book: Book, asked: RingsQuery) -> RingsAnswer:
    """Return what looks strange of the transfers of the last days."""
    since = book.at - timedelta(days=asked.days)
    currency_no = book.terms.catalogue.currency_no(asked.point_currency)
    found = await watching.ring_report(
        connection,
        since=since,
        currency_no=currency_no,
        least_points=asked.least_points,
        longest=asked.longest,
    )
    gatherers = await watching.gatherers(
        connection, since=since, currency_no=currency_no, least_senders=asked.least_senders
    )
    hasty = await watching.hasty(
        connection, since=since, currency_no=currency_no, least_times=asked.least_times
    )
    return RingsAnswer(
        since=since,
        rings=[RingRow(*ring) for ring in found.rings],
        is_complete=found.is_complete,
        gatherers=[GathererRow(*one) for one in gatherers],
        hasty=[HastyRow(*one) for one in hasty],
    )


def _list(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, _: Book, call: Call) -> FamilyRows:
        asked: FamiliesQuery = call.query
        return FamilyRows(
            await latest(connection, kind=asked.kind, state=asked.state, limit=asked.limit)
        )

    summary = "Families, those formed last first"
    return asking.looking(
        groups, look, FamilyRows, summary, query=FamiliesQuery, scope=_EITHER, tags=TAGS
    )


def _show(groups: Groups) -> HotEndpoint:
    refusals = (UnknownGroup, NoRules)
    summary = "A family with everything in it"
    return asking.looking(
        groups, look_at_group, GroupView, summary, refusals=refusals, scope=_EITHER, tags=TAGS
    )


def _show_transfer(groups: Groups) -> HotEndpoint:
    refusals = (UnknownTransfer,)
    summary = "A transfer with its steps and who took them"
    return asking.looking(
        groups, look_at_transfer, TransferView, summary, refusals=refusals, scope=_EITHER, tags=TAGS
    )


def _rings(groups: Groups) -> HotEndpoint:
    return asking.looking(
        groups,
        lambda connection, book, call: report(connection, book, call.query),
        RingsAnswer,
        "Who sends in rings, to whom many send, and who sends in haste",
        query=RingsQuery,
        refusals=(UnknownPointCurrency,),
        scope=_EITHER,
        tags=TAGS,
    )
