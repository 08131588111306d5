"""Where members change what each is in a family, bring points in, leave, separate and close."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID

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
from coalition.families.doors.group_doors import ONE, TAGS, WAITS, check_visible
from coalition.families.doors.group_views import GroupView
from coalition.families.groups import leaving, separating
from coalition.families.groups.contributing import Brought
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.groups import Groups
from coalition.families.groups.leaving import Left
from coalition.families.groups.paying import WaitingAct
from coalition.families.groups.separating import Separation
from coalition.families.groups.wanted import (
    ChangeHead,
    ChangeRight,
    ChangeRole,
    ChangeShare,
    Contribute,
    Leave,
    Nominate,
    Strike,
)
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
    description: str = ""
    status: int = 200
    may_cost: bool = True
    """Whether rules may ask money for it."""


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
        description=f"{one.description} {WAITS if one.may_cost else ''}".strip() or None,
        handle=act,
        owned=check_visible,
        body=one.body,
        answers={one.status: one.answer} | ({202: WaitingAct} if one.may_cost else {}),
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*_OF_GROUP, *one.refusals),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


async def _remove(connection: Connection, book: Book, call: Call) -> object:
    wanted = Leave(group=call.path["group_id"], member=call.path["member_id"], removes=True)
    return await asking.perform(call, wanted, _as_it_is, connection, book)


async def _role(connection: Connection, book: Book, call: Call) -> object:
    wanted = ChangeRole(**_of_place(call), role=call.body.role)
    return await asking.perform(call, wanted, PlaceAnswer.of, connection, book)


async def _share(connection: Connection, book: Book, call: Call) -> object:
    wanted = ChangeShare(**_of_place(call), percent=call.body.percent)
    return await asking.perform(call, wanted, PlaceAnswer.of, connection, book)


async def _right(connection: Connection, book: Book, call: Call) -> object:
    wanted = ChangeRight(**_of_place(call), may_spend=call.body.may_spend)
    return await asking.perform(call, wanted, PlaceAnswer.of, connection, book)


async def _head(connection: Connection, book: Book, call: Call) -> object:
    wanted = ChangeHead(group=call.path["group_id"], successor=call.body.member_id)

    async def told(changed: OpenGroup) -> GroupView:
        return await group_views.show(connection, changed.id, book, by=by_of(call.caller))

    return await asking.perform(call, wanted, told, connection, book)


async def _leave(connection: Connection, book: Book, call: Call) -> object:
    body: LeaveBody = call.body
    wanted = Leave(
        group=call.path["group_id"],
        member=body.member_id or member_of(call.caller),
        successor=body.successor,
        pays_in_points=body.pay_fee_in_points,
    )
    return await asking.perform(call, wanted, _as_it_is, connection, book)


async def _contribute(connection: Connection, book: Book, call: Call) -> object:
    body: ContributionBody = call.body
    member = body.member_id or member_of(call.caller)
    wanted = Contribute(group=call.path["group_id"], member=member, points=body.points)
    return await asking.perform(call, wanted, _as_it_is, connection, book)


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


async def _name(connection: Connection, book: Book, call: Call) -> object:
    body: NomineeBody = call.body
    wanted = Nominate(
        group=call.path["group_id"], words=body.name, pays_in_points=body.pay_fee_in_points
    )
    return await asking.perform(call, wanted, PlaceAnswer.of, connection, book)


async def _strike(connection: Connection, book: Book, call: Call) -> object:
    no = call.path["no"]
    wanted = Strike(group=call.path["group_id"], no=no)
    return await asking.perform(call, wanted, lambda _: StruckAnswer(no), connection, book)


def _of_place(call: Call) -> dict[str, UUID]:
    return {"group": call.path["group_id"], "member": call.path["member_id"]}


def _as_it_is(done: object) -> object:
    return done


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
        may_cost=False,
    ),
    _Act(
        "settle",
        _settle,
        "Say how a separation is to end",
        Separation,
        SettleBody,
        (NotSeparating, HeirNeeded),
        "Wanted by the head and by the member, it ends so.",
        may_cost=False,
    ),
    _Act(
        "close",
        _close,
        "Close the family, as the head",
        ClosedAnswer,
        refusals=(HeirNeeded,),
        may_cost=False,
    ),
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
