"""`coalition membership show|grant|take-back|approve`: how members stand, and what is given."""

from typing import Any

import msgspec
import rich_click as click

from billing.subscriptions import granting, reading, register
from billing.subscriptions.desk import refunding
from billing.subscriptions.desk.refunding import PreparedRefund
from billing.subscriptions.granting import PreparedGrant, PreparedGrantEnd
from billing.subscriptions.house import House
from billing.subscriptions.views import MembershipView
from coalition.federation.catalogue import Catalogue
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from coalition.oversight.approvals import Approval
from server import payments
from server.commands.amounts import in_major
from server.commands.known import find_member, find_partner, party_name, read_catalogue
from server.commands.options import answer, as_json_option, example, place_of, place_options
from server.commands.options import table_of as table
from server.commands.second_person import (
    Row,
    SecondPerson,
    Signature,
    of_its_kind,
    prepared_by_option,
)
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = ("state", "plan", "ground", "entitled_until", "renews_at", "ends_at")


@click.command()
@click.argument("member")
@place_options
@as_json_option
@click.pass_context
@example("coalition membership show asa@exempel.example")
def show(context: click.Context, *, member: str, as_json: bool) -> None:
    """Show how the membership of MEMBER stands: an id, a card, an e-mail address or a phone."""

    async def work(settings: Settings) -> MembershipView:
        found = await find_member(member, MemberKeys.of(settings))
        paying = payments.open_payments(settings, SystemClock())
        try:
            house: House = paying.memberships.house
            return await reading.view(house, found, at=paying.clock.now())
        finally:
            await paying.close()

    row = msgspec.to_builtins(do(place_of(context), work))
    answer(row, as_json=as_json, table=lambda: table([row], _SHOWN))


@click.command()
@click.argument("member")
@click.argument("plan")
@click.option("--months", type=click.IntRange(1, 36), required=True, help="For how long.")
@click.option("--sponsor", metavar="PARTNER", help="Who pays it; without, the operator gives it.")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition membership grant asa@exempel.example plus --months 3"
    ' --reason "a complaint" --prepared-by anna'
)
def grant(
    context: click.Context,
    *,
    member: str,
    plan: str,
    months: int,
    sponsor: str | None,
    reason: str,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that MEMBER has the PLAN for some months without paying; they follow what it has."""

    async def prepare(settings: Settings) -> Row:
        at = HouseClock().now()
        known = await read_catalogue()
        wanted = PreparedGrant(
            member_id=await find_member(member, MemberKeys.of(settings)),
            ground="comped" if sponsor is None else "sponsored",
            plan=plan,
            months=months,
            reason=reason,
            partner_no=None if sponsor is None else find_partner(known, sponsor).no,
        )
        made = await granting.prepare(wanted, prepared_by=prepared_by, at=at)
        return {"approval_id": made} | _of_grant(known, wanted)

    _propose(context, prepare, as_json=as_json)


@click.command("take-back")
@click.argument("member")
@click.argument("source")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition membership take-back asa@exempel.example 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11"
    ' --reason "granted by mistake" --prepared-by anna'
)
def take_back(
    context: click.Context,
    *,
    member: str,
    source: str,
    reason: str,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that what MEMBER was given from SOURCE ends at once.

    SOURCE is the id under which it was approved, `partner:N:` before it where a partner pays, or
    `gift:` and the id of a gift.
    """

    async def prepare(settings: Settings) -> Row:
        wanted = PreparedGrantEnd(
            member_id=await find_member(member, MemberKeys.of(settings)),
            source=source,
            reason=reason,
        )
        made = await granting.prepare_end(wanted, prepared_by=prepared_by, at=HouseClock().now())
        return {"approval_id": made} | _of_end(wanted)

    _propose(context, prepare, as_json=as_json)


def add_to(group: click.Group) -> None:
    """Give `group` the commands about single memberships."""
    for command in (show, grant, take_back):
        group.add_command(command)
    _SECOND.add_to(group)


def _propose(context: click.Context, prepare: Any, *, as_json: bool) -> None:  # Any: a coroutine
    row: Row = do(place_of(context), prepare)
    answer(row, as_json=as_json, table=lambda: table([row], tuple(row)))


def _of_grant(known: Catalogue, wanted: PreparedGrant) -> Row:
    payer = None if wanted.partner_no is None else party_name(known, wanted.partner_no)
    return {
        "act": "grant",
        "member_id": wanted.member_id,
        "plan": wanted.plan,
        "months": wanted.months,
        "sponsor": payer,
        "source": None,
        "payment": None,
        "amount": None,
        "reason": wanted.reason,
    }


def _of_end(wanted: PreparedGrantEnd) -> Row:
    return {
        "act": "take back",
        "member_id": wanted.member_id,
        "plan": None,
        "months": None,
        "sponsor": None,
        "source": wanted.source,
        "payment": None,
        "amount": None,
        "reason": wanted.reason,
    }


def of_refund(wanted: PreparedRefund) -> Row:
    """Return what a proposed refund would do, as it is shown among other proposals."""
    return {
        "act": "refund",
        "member_id": wanted.member_id,
        "plan": None,
        "months": None,
        "sponsor": None,
        "source": None,
        "payment": wanted.payment,
        "amount": _amount(wanted),
        "reason": wanted.reason,
    }


def _amount(wanted: PreparedRefund) -> str:
    return f"{in_major(wanted.amount_minor, wanted.currency)} {wanted.currency}"


def _described(known: Catalogue, one: Approval) -> Row:
    if one.kind == refunding.REFUND:
        return of_refund(msgspec.json.decode(one.payload, type=PreparedRefund))
    if one.kind == granting.GRANT_END:
        return _of_end(msgspec.json.decode(one.payload, type=PreparedGrantEnd))
    return _of_grant(known, msgspec.json.decode(one.payload, type=PreparedGrant))


async def _approve(by: Signature) -> Row:
    async def of(kind: str) -> Row:
        if kind == refunding.REFUND:
            return await _refunded(by)
        done = await granting.approve(
            by.approval_id, kind=kind, approved_by=by.approved_by, at=by.at
        )
        return {
            "act": "grant" if kind == granting.GRANT else "take back",
            "member_id": done.member_id,
            "membership_id": done.id,
            "state": done.state.value,
            "ground": done.ground,
            "entitled_until": done.entitled_until,
        }

    return await of_its_kind(_SECOND.kinds, of)


async def _refunded(by: Signature) -> Row:
    paying = payments.open_payments(by.settings, SystemClock())
    try:
        house: House = paying.memberships.house
        done = await refunding.approve(
            house, by.approval_id, approved_by=by.approved_by, at=paying.clock.now()
        )
        async with transaction() as connection:
            now = await register.by_id(connection, done.membership_id)
    finally:
        await paying.close()
    assert now is not None, "memberships are never deleted"
    return {
        "act": "refund",
        "member_id": done.member_id,
        "membership_id": done.membership_id,
        "state": now.state.value,
        "ground": now.ground,
        "entitled_until": now.entitled_until,
        "payment": done.payment,
        "amount": _amount(done),
    }


_SECOND = SecondPerson(
    kind=granting.GRANT,
    further_kinds=(granting.GRANT_END, refunding.REFUND),
    command="membership",
    approves="Do what was proposed under APPROVAL_ID, as another person than who proposed it.",
    describe=_described,
    approve=_approve,
    waiting_columns=(
        "approval_id", "act", "member_id", "plan", "months", "sponsor", "source", "payment",
        "amount", "reason", "prepared_by", "expires_at",
    ),
    done_columns=(
        "act", "member_id", "membership_id", "state", "ground", "entitled_until", "amount",
    ),
)  # fmt: skip
