"""`coalition membership cancel|uncancel`: what staff do for a member who calls or writes."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
import rich_click as click

from billing.subscriptions.desk import ending
from billing.subscriptions.desk.ending import Asked
from billing.subscriptions.house import House
from billing.subscriptions.views import Receipt
from coalition.kernel.clock import SystemClock
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from server import payments
from server.commands.known import find_member
from server.commands.options import (
    Command,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import PersonName
from server.databases import do

_RECEIPT = ("kind", "membership_id", "plan", "at", "ends_at")


def _signed(command: Command) -> Command:
    """Add who does it, why, and under which key."""
    for option in (
        click.option("--key", help="The same key is the same act, however often; else a new one."),
        click.option("--by", type=PersonName(), required=True, help="Who does it."),
        click.option("--reason", required=True, help="Why; it is kept in the audit log."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("member")
@click.option("--at-once", is_flag=True, help="End it now; else it ends with what is paid.")
@_signed
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition membership cancel asa@exempel.example --reason "she called" --by anna',
    'coalition membership cancel asa@exempel.example --at-once --reason "she moves" --by anna',
)
def cancel(
    context: click.Context,
    *,
    member: str,
    at_once: bool,
    reason: str,
    by: str,
    key: str | None,
    as_json: bool,
) -> None:
    """Cancel the membership of MEMBER: an id, a card, an e-mail address or a phone.

    It ends with what is paid, or at once. Nothing is given back: `coalition membership refund`.
    """
    asked = Asked(by, reason, key or random_id().hex)

    async def act(house: House, found: MemberId, at: datetime) -> Receipt:
        return await ending.cancel(house, found, asked, at_once=at_once, at=at)

    _do(context, member, act, as_json=as_json)


@click.command()
@click.argument("member")
@_signed
@place_options
@as_json_option
@click.pass_context
@example('coalition membership uncancel asa@exempel.example --reason "she stays" --by anna')
def uncancel(
    context: click.Context,
    *,
    member: str,
    reason: str,
    by: str,
    key: str | None,
    as_json: bool,
) -> None:
    """Let the cancelled membership of MEMBER go on, while it has not ended."""
    asked = Asked(by, reason, key or random_id().hex)

    async def act(house: House, found: MemberId, at: datetime) -> Receipt:
        return await ending.uncancel(house, found, asked, at=at)

    _do(context, member, act, as_json=as_json)


def add_to(membership: click.Group) -> None:
    """Bring the commands under `coalition membership`."""
    for command in (cancel, uncancel):
        membership.add_command(command)


def _do(
    context: click.Context,
    member: str,
    act: Callable[[House, MemberId, datetime], Awaitable[Receipt]],
    *,
    as_json: bool,
) -> None:
    async def work(settings: Settings) -> Receipt:
        found = await find_member(member, MemberKeys.of(settings))
        paying = payments.open_payments(settings, SystemClock())
        try:
            return await act(paying.memberships.house, found, paying.clock.now())
        finally:
            await paying.close()

    row = msgspec.to_builtins(do(place_of(context), work))
    answer(row, as_json=as_json, table=lambda: table_of([row], _RECEIPT))
