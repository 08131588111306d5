"""Where members change what each is in a family, bring points in, leave, separate and close."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from litestar.handlers import ASGIRouteHandler

from coalition.families.doors import asking, group_views
from coalition.families.doors.asking import OF_WRITES, by_of, member_of
from coalition.families.doors.group_bodies import (
    ClosedAnswer,
    ContributionBody,
    HeadBody,
    LeaveBody,
    NomineeBody,
    PlaceAnswer,
    RightBody,
    RoleBody,
    SeparateBody,
    SettleBody,
    ShareBody,
    StruckAnswer,
)
from coalition.families.doors.group_doors import ONE, TAGS, check_visible
from coalition.families.doors.group_views import GroupView
from coalition.families.groups import contributing, leaving, place_changes, separating
from coalition.families.groups.contributing import Brought
from coalition.families.groups.groups import Groups
from coalition.families.groups.leaving import Left
from coalition.families.groups.place_changes import HowAsked
from coalition.families.groups.separating import Separation
from coalition.families.kin.group_refusals import (
    FrozenByGuardian,
    GroupIsClosed,
    GroupIsSeparating,
    GroupRefused,
    HeadMustHandOver,
    HeadOnly,
    HeirNeeded,
    InvalidNominee,
    InvalidRole,
    NoPot,
    NotAnAdult,
    NotInGroup,
    NotSeparating,
    NotYourself,
    RightNotInQuestion,
    UnknownGroup,
)
from coalition.families.kin.transfer_refusals import NoRules
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.kernel.identity import MEMBER_SCOPE
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger.refusals import NotEnoughPoints

_OF_GROUP: tuple[type[Refused], ...] = (
    *OF_WRITES,
    *(UnknownGroup, NotInGroup, HeadOnly, NotYourself, NoRules),
    *(GroupIsClosed, GroupIsSeparating, GroupRefused),
)

Work = Callable[[Connection, Book, Call], Awaitable[object]]


class _Act(NamedTuple):
    """One thing to do in a family: its last words of address, what does it, and what it takes."""

    word: str
    work: Work
    summary: str
    answer: type
    body: type | None = None
    refusals: tuple[type[Refused], ...] = ()
    description: str | None = None
    status: int = 200


def routes(door: Door, groups: Groups) -> list[ASGIRouteHandler]:
    """Return the handlers of what is done in a family."""
    return [hot_route(door, f"{ONE}/{one.word}", _endpoint(groups, one)) for one in _ACTS]


def _endpoint(groups: Groups, one: _Act) -> HotEndpoint:
    async def act(call: Call) -> Answer:
        named = "/".join(str(value) for value in call.path.values())
        return await asking.act(
            groups,
            call,
            f"families/{one.word}?{named}",
            one.status,
            lambda connection, book: one.work(connection, book, call),
        )

    return HotEndpoint(
        method="POST",
        summary=one.summary,
        description=one.description,
        handle=act,
        owned=check_visible,
        body=one.body,
        answers={one.status: one.answer},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*_OF_GROUP, *one.refusals),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


async def _remove(connection: Connection, book: Book, call: Call) -> Left:
    return await leaving.leave(
        connection, call.path["group_id"], call.path["member_id"], book, by=by_of(call.caller)
    )


async def _role(connection: Connection, book: Book, call: Call) -> PlaceAnswer:
    body: RoleBody = call.body
    group, member = call.path["group_id"], call.path["member_id"]
    return PlaceAnswer.of(
        await place_changes.change_role(
            connection, group, member, body.role, book, by=by_of(call.caller)
        )
    )


async def _share(connection: Connection, book: Book, call: Call) -> PlaceAnswer:
    body: ShareBody = call.body
    group, member = call.path["group_id"], call.path["member_id"]
    return PlaceAnswer.of(
        await place_changes.change_share(
            connection, group, member, body.percent, book, by=by_of(call.caller)
        )
    )


async def _right(connection: Connection, book: Book, call: Call) -> PlaceAnswer:
    body: RightBody = call.body
    group, member = call.path["group_id"], call.path["member_id"]
    return PlaceAnswer.of(
        await place_changes.change_right(
            connection, group, member, book, by=by_of(call.caller), may_spend=body.may_spend
        )
    )


async def _head(connection: Connection, book: Book, call: Call) -> GroupView:
    body: HeadBody = call.body
    group, by = call.path["group_id"], by_of(call.caller)
    await place_changes.change_head(connection, group, body.member_id, book, by=by)
    return await group_views.show(connection, group, book, by=by)


async def _leave(connection: Connection, book: Book, call: Call) -> Left:
    body: LeaveBody = call.body
    return await leaving.leave(
        connection,
        call.path["group_id"],
        body.member_id or member_of(call.caller),
        book,
        by=by_of(call.caller),
        successor=body.successor,
        pays_in_points=body.pay_fee_in_points,
    )


async def _contribute(connection: Connection, book: Book, call: Call) -> Brought:
    body: ContributionBody = call.body
    member = body.member_id or member_of(call.caller)
    return await contributing.contribute(
        connection, call.path["group_id"], member, body.points, book, by=by_of(call.caller)
    )


async def _separate(connection: Connection, book: Book, call: Call) -> Separation:
    body: SeparateBody = call.body
    member = body.member_id or member_of(call.caller)
    return await separating.begin(
        connection, call.path["group_id"], member, book, by=by_of(call.caller)
    )


async def _settle(connection: Connection, book: Book, call: Call) -> Separation:
    body: SettleBody = call.body
    return await separating.want(
        connection, call.path["group_id"], body.outcome, book, by=by_of(call.caller)
    )


async def _close(connection: Connection, book: Book, call: Call) -> ClosedAnswer:
    group = call.path["group_id"]
    closed = await leaving.close(connection, group, book, by=by_of(call.caller))
    return ClosedAnswer(group, closed.row.state, closed.row.closed_at)


async def _name(connection: Connection, book: Book, call: Call) -> PlaceAnswer:
    body: NomineeBody = call.body
    asked = HowAsked(pays_in_points=body.pay_fee_in_points)
    group, by = call.path["group_id"], by_of(call.caller)
    return PlaceAnswer.of(
        await place_changes.name(connection, group, body.name, book, by=by, asked=asked)
    )


async def _strike(connection: Connection, book: Book, call: Call) -> StruckAnswer:
    group, no = call.path["group_id"], call.path["no"]
    await place_changes.strike(connection, group, no, book, by=by_of(call.caller))
    return StruckAnswer(no)


_MEMBER = "members/{member_id:uuid}"

_ACTS = (
    _Act(
        f"{_MEMBER}/remove",
        _remove,
        "Remove a member, as the head",
        Left,
        refusals=(HeadMustHandOver,),
        description="It takes out what the rules let it take out by leaving.",
    ),
    _Act(
        f"{_MEMBER}/role",
        _role,
        "Say what a member is to the head, as the head",
        PlaceAnswer,
        RoleBody,
        (InvalidRole,),
    ),
    _Act(
        f"{_MEMBER}/share",
        _share,
        "Choose which share of your earnings, or a ward's, goes in",
        PlaceAnswer,
        ShareBody,
    ),
    _Act(
        f"{_MEMBER}/right",
        _right,
        "Take from a member the right to spend what all have, or give it, as the head",
        PlaceAnswer,
        RightBody,
        (RightNotInQuestion,),
    ),
    _Act(
        "head", _head, "Hand the family over to another adult", GroupView, HeadBody, (NotAnAdult,)
    ),
    _Act(
        "leave",
        _leave,
        "Leave, or let a ward leave",
        Left,
        LeaveBody,
        (HeadMustHandOver, NotAnAdult),
        "A head names its `successor`; one who is alone closes the family by leaving.",
    ),
    _Act(
        "contributions",
        _contribute,
        "Bring points in",
        Brought,
        ContributionBody,
        (NoPot, FrozenByGuardian, NotEnoughPoints),
        status=201,
    ),
    _Act(
        "separate",
        _separate,
        "Stop a family until it is settled whether a member leaves",
        Separation,
        SeparateBody,
        description="Nothing moves into it or out of it meanwhile.",
    ),
    _Act(
        "settle",
        _settle,
        "Say how a separation is to end",
        Separation,
        SettleBody,
        (NotSeparating, HeirNeeded),
        "Wanted by the head and by the member, it ends so.",
    ),
    _Act("close", _close, "Close the family, as the head", ClosedAnswer, refusals=(HeirNeeded,)),
    _Act(
        "nominees",
        _name,
        "Name somebody for whom you spend, who is no member",
        PlaceAnswer,
        NomineeBody,
        (InvalidNominee,),
        status=201,
    ),
    _Act("nominees/{no:int}/strike", _strike, "Let a nominee be none any more", StruckAnswer),
)
