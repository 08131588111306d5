"""Where members form families, see them, invite, and let others in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar.handlers import ASGIRouteHandler

from coalition.families.doors import asking, finding, group_views
from coalition.families.doors.asking import OF_WRITES, by_of, member_of
from coalition.families.doors.finding import OF_FINDING
from coalition.families.doors.group_bodies import (
    AcceptBody,
    AcceptedAnswer,
    ExitQuery,
    FormBody,
    GroupList,
    InvitationList,
    NewcomerBody,
    PlaceAnswer,
)
from coalition.families.doors.group_views import GroupView
from coalition.families.groups import gathering, invitation_rows, invitations
from coalition.families.groups.departing import ExitView
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.groups import Groups
from coalition.families.groups.invitation_rows import Invitation
from coalition.families.groups.paying import WaitingAct
from coalition.families.groups.wanted import Accept, Form, TakeAlong
from coalition.families.kin import guardians
from coalition.families.kin.group_refusals import (
    AlreadyInGroup,
    GroupIsClosed,
    GroupIsSeparating,
    GroupRefused,
    GuardianNeeded,
    GuardianOnly,
    HeadOnly,
    InvalidRelationship,
    InvalidRole,
    InvitationNeeded,
    InvitationNotOpen,
    NotInGroup,
    NotYourself,
    UnknownGroup,
    UnknownInvitation,
)
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import NoRules
from coalition.families.transfers.judging import Book
from coalition.federation.refusals import UnknownPointCurrency
from coalition.kernel.database import Connection, transaction
from coalition.kernel.identity import MEMBER_SCOPE, Caller
from coalition.kernel.ids import random_id
from coalition.kernel.web.hot import REPLAY_HEADER, Answer, Call, Door, HotEndpoint, hot_route
from coalition.members.sealing import MemberKeys

TAGS = ("families",)
ONE = "/v1/families/{group_id:uuid}"
WAITS = "202: it waits until the `fee` is paid."

_OF_JOINING = (
    *(GroupIsClosed, GroupIsSeparating, GroupRefused, NoRules),
    *(InvalidRole, InvalidRelationship),
)


def routes(door: Door, groups: Groups, keys: MemberKeys) -> list[ASGIRouteHandler]:
    """Return the handlers of families and of invitations into them."""
    invitation = "/v1/invitations/{invitation_id:uuid}"
    return [
        hot_route(door, "/v1/families", _form(groups), _list(groups)),
        hot_route(door, ONE, _show(groups)),
        hot_route(door, f"{ONE}/exit", _exit(groups)),
        hot_route(door, f"{ONE}/invitations", _invite(groups, keys)),
        hot_route(door, f"{ONE}/members", _take_along(groups, keys)),
        hot_route(door, "/v1/invitations", _invited(groups)),
        hot_route(door, f"{invitation}/accept", _accept(groups)),
        hot_route(door, f"{invitation}/decline", _decline(groups)),
        hot_route(door, f"{invitation}/withdraw", _withdraw(groups)),
    ]


async def check_visible(caller: Caller, path: Mapping[str, Any]) -> None:
    """Refuse a family to which whoever asks does not belong, nor a ward of its."""
    async with transaction() as connection:
        await group_views.check_seen(connection, path["group_id"], by_of(caller))


def _form(groups: Groups) -> HotEndpoint:
    async def form(call: Call) -> Answer:
        body: FormBody = call.body
        by = By.of(member_of(call.caller))

        async def work(connection: Connection, book: Book) -> object:
            wanted = Form(kind=body.kind, group=random_id(), point_currency=body.point_currency)
            return await asking.perform(
                call,
                wanted,
                lambda formed: group_views.show(connection, formed.id, book, by=by),
                connection,
                book,
            )

        return await asking.act(groups, call, "families", 201, work)

    return HotEndpoint(
        method="POST",
        summary="Form a family, as its head",
        description=(
            f"Others come in by invitation. A refusal by rules names every failure. {WAITS}"
        ),
        handle=form,
        body=FormBody,
        answers={201: GroupView, 202: WaitingAct},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*OF_WRITES, NoRules, GroupRefused, UnknownPointCurrency),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _list(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, book: Book, call: Call) -> GroupList:
        return GroupList(await group_views.groups_of(connection, member_of(call.caller), book))

    return asking.looking(groups, look, GroupList, "The families to which you belong", tags=TAGS)


async def look_at_group(connection: Connection, book: Book, call: Call) -> GroupView:
    """Return the family that a path names, as whoever asks may see it."""
    by = by_of(call.caller)
    return await group_views.show(connection, call.path["group_id"], book, by=by)


def _show(groups: Groups) -> HotEndpoint:
    return asking.looking(
        groups,
        look_at_group,
        GroupView,
        "A family, as its rules let you see it",
        description="`points` are null where you may not see them. A guardian sees its ward's.",
        refusals=(UnknownGroup,),
        tags=TAGS,
    )


def _exit(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, book: Book, call: Call) -> ExitView:
        asked: ExitQuery = call.query
        member = asked.member or member_of(call.caller)
        return await group_views.would_take_out(
            connection, call.path["group_id"], member, book, by=by_of(call.caller)
        )

    return asking.looking(
        groups,
        look,
        ExitView,
        "What you, or a ward, would take out by leaving now",
        description="Planned as leaving plans it. A head may ask it of any member.",
        owned=check_visible,
        query=ExitQuery,
        refusals=(UnknownGroup, NotInGroup, NotYourself),
        tags=TAGS,
    )


def _newcomer(member: UUID, body: NewcomerBody) -> Newcomer:
    return Newcomer(
        member=member,
        role=body.role,
        future_percent=body.future_percent,
        relationship=body.relationship,
    )


def _invite(groups: Groups, keys: MemberKeys) -> HotEndpoint:
    async def invite(call: Call) -> Answer:
        group, by = call.path["group_id"], by_of(call.caller)
        await _check_head(groups, call)
        newcomer = _newcomer(await finding.find(call, call.body, keys), call.body)

        async def work(connection: Connection, book: Book) -> Invitation:
            del connection
            return await groups.invite(group, newcomer, by=by, at=book.at)

        return await asking.act(groups, call, f"families/{group}/invitations", 201, work)

    return HotEndpoint(
        method="POST",
        summary="Invite somebody, as the head",
        description=(
            "By id, card, e-mail address or phone number, of which exactly one is given. Whether "
            "who is invited may join is judged when it accepts. Under rules that ask for nobody's "
            "word it has joined at once. Who is invited already has the same invitation again."
        ),
        handle=invite,
        owned=check_visible,
        body=NewcomerBody,
        answers={201: Invitation},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(
            *(*OF_WRITES, *OF_FINDING, *_OF_JOINING),
            *(UnknownGroup, HeadOnly, AlreadyInGroup),
        ),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


def _take_along(groups: Groups, keys: MemberKeys) -> HotEndpoint:
    async def take(call: Call) -> Answer:
        group = call.path["group_id"]
        await _check_head(groups, call)
        newcomer = _newcomer(await finding.find(call, call.body, keys), call.body)

        async def work(connection: Connection, book: Book) -> object:
            wanted = TakeAlong(group=group, newcomer=newcomer)
            return await asking.perform(call, wanted, PlaceAnswer.of, connection, book)

        return await asking.act(groups, call, f"families/{group}/members", 201, work)

    return HotEndpoint(
        method="POST",
        summary="Take a child along without an invitation, as its guardian and the head",
        handle=take,
        owned=check_visible,
        body=NewcomerBody,
        answers={201: PlaceAnswer, 202: WaitingAct},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(
            *(*OF_WRITES, *OF_FINDING, *_OF_JOINING),
            *(UnknownGroup, HeadOnly, InvitationNeeded),
        ),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


async def _check_head(groups: Groups, call: Call) -> None:
    """Refuse who has nobody to let in, before it learns who is a member."""
    group, by = call.path["group_id"], by_of(call.caller)

    async def work(connection: Connection, book: Book) -> None:
        (await gathering.look(connection, group, book)).check_head(by)

    await asking.read(groups, call, work, writes=True)


def _invited(groups: Groups) -> HotEndpoint:
    async def look(connection: Connection, book: Book, call: Call) -> InvitationList:
        member = member_of(call.caller)
        wards = [one.minor for one in await guardians.wards_of(connection, member)]
        return InvitationList(await invitation_rows.open_of(connection, [member, *wards], book.at))

    summary = "Invitations to you and to your wards that can still be accepted"
    return asking.looking(groups, look, InvitationList, summary, tags=TAGS)


def _accept(groups: Groups) -> HotEndpoint:
    async def accept(call: Call) -> Answer:
        body: AcceptBody = call.body
        invitation = call.path["invitation_id"]
        wanted = Accept(invitation=invitation, future_percent=body.future_percent)

        async def work(connection: Connection, book: Book) -> object:
            return await asking.perform(call, wanted, AcceptedAnswer.of, connection, book)

        return await asking.act(groups, call, f"invitations/{invitation}/accept", 200, work)

    return HotEndpoint(
        method="POST",
        summary="Accept an invitation, your own or a ward's",
        description=(
            f"With the last word needed it is the joining, judged by the rules then. {WAITS}"
        ),
        handle=accept,
        owned=check_invited,
        body=AcceptBody,
        answers={200: AcceptedAnswer, 202: WaitingAct},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(
            *(*OF_WRITES, *_OF_JOINING, UnknownInvitation, UnknownGroup),
            *(InvitationNotOpen, GuardianOnly, GuardianNeeded, NotYourself),
        ),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )


async def check_invited(caller: Caller, path: Mapping[str, Any]) -> None:
    """Refuse an invitation that is neither the caller's, nor a ward's, nor of its making."""
    async with transaction() as connection:
        known = await invitation_rows.read(connection, path["invitation_id"])
        guarding = await guardians.guardians_of(connection, [known.member_id])
    concerned = {known.member_id, known.invited_by, *guarding[known.member_id]}
    if caller.member_id not in concerned:
        raise UnknownInvitation


def _decline(groups: Groups) -> HotEndpoint:
    async def decline(call: Call) -> Answer:
        invitation, by = call.path["invitation_id"], by_of(call.caller)
        return await asking.act(
            groups,
            call,
            f"invitations/{invitation}/decline",
            200,
            lambda c, b: invitations.decline(c, invitation, b, by=by),
        )

    return _ending(decline, "Decline an invitation, your own or a ward's")


def _withdraw(groups: Groups) -> HotEndpoint:
    async def withdraw(call: Call) -> Answer:
        invitation, by = call.path["invitation_id"], by_of(call.caller)
        return await asking.act(
            groups,
            call,
            f"invitations/{invitation}/withdraw",
            200,
            lambda c, b: invitations.withdraw(c, invitation, b, by=by),
        )

    return _ending(withdraw, "Take an invitation back, as the head")


def _ending(handle: Any, summary: str) -> HotEndpoint:  # Any: what a hot endpoint does
    return HotEndpoint(
        method="POST",
        summary=summary,
        handle=handle,
        answers={200: Invitation},
        scope=MEMBER_SCOPE,
        idempotent=True,
        refusals=(*OF_WRITES, UnknownInvitation, InvitationNotOpen, NoRules),
        tags=TAGS,
        answer_headers=REPLAY_HEADER,
    )
