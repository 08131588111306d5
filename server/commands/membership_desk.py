"""`coalition membership cancel|uncancel|payments|refund`: what staff do for a member who calls."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import msgspec
import rich_click as click

from billing.subscriptions.desk import ending, refunding, rules
from billing.subscriptions.desk.ending import Asked
from billing.subscriptions.desk.refunding import Wanted
from billing.subscriptions.desk.rules import PaymentOfMember
from billing.subscriptions.house import House
from billing.subscriptions.views import Receipt
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.money import Money
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from server import payments
from server.commands import membership_grants
from server.commands.amounts import in_major, in_minor
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
from server.commands.second_person import PersonName, Row, prepared_by_option
from server.databases import do
from server.exits import WRONG_INPUT, Stopped

Done = TypeVar("Done")

_PAYMENT = ("payment", "invoice", "paid_at", "amount", "left", "went_back", "is_disputed")
_PROPOSED = ("approval_id", "act", "member_id", "payment", "amount", "reason")
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


@click.command("payments")
@click.argument("member")
@place_options
@as_json_option
@click.pass_context
@example("coalition membership payments asa@exempel.example")
def list_payments(context: click.Context, *, member: str, as_json: bool) -> None:
    """List what MEMBER has paid for memberships, and what of it is left to go back."""

    async def work(settings: Settings) -> list[PaymentOfMember]:
        found = await find_member(member, MemberKeys.of(settings))
        async with transaction() as connection:
            return await refunding.payments(connection, found, payments.now(settings))

    rows = do(place_of(context), work)
    shown = [msgspec.structs.asdict(one) | _in_words(one) for one in rows]
    items = {"items": [msgspec.to_builtins(one) for one in rows]}
    answer(items, as_json=as_json, table=lambda: table_of(shown, _PAYMENT))


@click.command()
@click.argument("member")
@click.option("--amount", type=Decimal, help="In the payment's currency; else all that is left.")
@click.option("--payment", help="Of which payment; else the latest of which something is left.")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition membership refund asa@exempel.example --reason "a complaint" --prepared-by anna',
    "coalition membership refund asa@exempel.example --amount 20.00"
    ' --reason "a complaint" --prepared-by anna',
)
def refund(
    context: click.Context,
    *,
    member: str,
    amount: Decimal | None,
    payment: str | None,
    reason: str,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that money goes back that MEMBER has paid; `coalition membership approve` does it.

    A payment that goes back whole gives nothing any more. What renews goes on doing so: cancel it
    as well where it should not.
    """

    async def propose(house: House, found: MemberId, at: datetime) -> Row:
        await refunding.look(house, found, at=at)
        async with transaction() as connection:
            paid = await refunding.payments(connection, found, at)
        one = rules.chosen(paid, payment)
        minor = None if amount is None else in_minor(amount, one.amount.currency)
        if minor is not None and minor < 1:
            raise Stopped("The amount is above zero", exit_code=WRONG_INPUT)
        wanted = Wanted(found, reason, one.payment, minor)
        made = await refunding.prepare(wanted, prepared_by=prepared_by, at=at)
        async with transaction() as connection:
            prepared = await refunding.prepared(connection, made)
        assert prepared is not None, "it was prepared just now"
        return {"approval_id": made} | membership_grants.of_refund(prepared)

    row = _at_stripe(context, member, propose)
    answer(row, as_json=as_json, table=lambda: table_of([row], _PROPOSED))


def add_to(membership: click.Group) -> None:
    """Bring the commands under `coalition membership`."""
    for command in (cancel, uncancel, list_payments, refund):
        membership.add_command(command)


def _in_words(one: PaymentOfMember) -> Row:
    back = [f"{_worded(each.amount)} {each.state}" for each in one.refunds]
    return {
        "amount": _worded(one.amount),
        "left": _worded(one.left),
        "went_back": ", ".join(back),
    }


def _worded(money: Money) -> str:
    return f"{in_major(money.amount_minor, money.currency)} {money.currency}"


def _do(
    context: click.Context,
    member: str,
    act: Callable[[House, MemberId, datetime], Awaitable[Receipt]],
    *,
    as_json: bool,
) -> None:
    row = msgspec.to_builtins(_at_stripe(context, member, act))
    answer(row, as_json=as_json, table=lambda: table_of([row], _RECEIPT))


def _at_stripe(
    context: click.Context,
    member: str,
    act: Callable[[House, MemberId, datetime], Awaitable[Done]],
) -> Done:
    """Do what asks Stripe about a member, at the time of the house."""

    async def work(settings: Settings) -> Done:
        found = await find_member(member, MemberKeys.of(settings))
        paying = payments.open_payments(settings, SystemClock())
        try:
            return await act(paying.memberships.house, found, paying.clock.now())
        finally:
            await paying.close()

    return do(place_of(context), work)
