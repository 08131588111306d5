"""`coalition transfer`: transfers between members, as staff see them and decide of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import msgspec
import rich_click as click
from msgspec import UNSET

from coalition.families.doors import family_admin, transfer_views
from coalition.families.doors.family_admin import RingsAnswer, RingsQuery
from coalition.families.doors.transfer_views import TransferView
from coalition.families.groups.groups import Groups
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.notation import Money
from coalition.families.transfers import deciding
from coalition.families.transfers.transferring import Transfers
from coalition.families.transfers.wishes import TransferAnswer
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from server.commands.card import by_option
from server.commands.options import (
    ACTOR,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = ("transfer_id", "state", "sender", "receiver", "points", "requested_at", "rule_set")
_STEPS = ("at", "state", "by", "reason")
_RINGS = ("members", "points", "times")
_EXAMPLE = "01a2002b-a045-7632-8982-1587a375b00b"

Row = dict[str, object]


@click.group()
def transfer() -> None:
    """Look into transfers, decide of those that wait for the operator, look for rings."""


@transfer.command()
@click.argument("transfer_id", type=click.UUID)
@place_options
@as_json_option
@click.pass_context
@example(f"coalition transfer show {_EXAMPLE} --json")
def show(context: click.Context, *, transfer_id: UUID, as_json: bool) -> None:
    """Show TRANSFER_ID with its steps and whose word it needs."""

    async def work(settings: Settings) -> TransferView:
        groups = Groups(keys=MemberKeys.of(settings))
        return await groups.do(
            lambda connection, book: transfer_views.show(
                connection, transfer_id, book, by=By.staff(ACTOR)
            ),
            HouseClock().now(),
        )

    found = do(place_of(context), work)
    steps = [msgspec.structs.asdict(step) for step in found.steps]
    one = found.transfer
    title = f"{one.points} points from {one.sender} to {one.receiver}: {one.state}"
    answer(found, as_json=as_json, table=lambda: table_of(steps, _STEPS, title))


@transfer.command()
@click.argument("transfer_id", type=click.UUID)
@by_option
@place_options
@as_json_option
@click.pass_context
@example(f"coalition transfer approve {_EXAMPLE} --by anna")
def approve(context: click.Context, *, transfer_id: UUID, by: str, as_json: bool) -> None:
    """Give the operator's word for TRANSFER_ID, which waits for it."""

    async def work(service: Transfers, at: datetime) -> TransferAnswer:
        return await deciding.approve(service, transfer_id, by=By.staff(by), at=at)

    _decide(context, work, as_json=as_json)


@transfer.command()
@click.argument("transfer_id", type=click.UUID)
@click.option("--reason", help="Why; both sides read it.")
@by_option
@place_options
@as_json_option
@click.pass_context
@example(f'coalition transfer reject {_EXAMPLE} --reason "not as agreed" --by anna')
def reject(
    context: click.Context, *, transfer_id: UUID, reason: str | None, by: str, as_json: bool
) -> None:
    """Turn down TRANSFER_ID, which waits; its points are free again."""

    async def work(service: Transfers, at: datetime) -> TransferAnswer:
        who = By.staff(by)
        return await deciding.reject(service, transfer_id, by=who, at=at, reason=reason)

    _decide(context, work, as_json=as_json)


@transfer.command()
@click.argument("transfer_id", type=click.UUID)
@click.option("--reason", help="Why; both sides read it.")
@by_option
@place_options
@as_json_option
@click.pass_context
@example(f"coalition transfer undo {_EXAMPLE} --by anna")
def undo(
    context: click.Context, *, transfer_id: UUID, reason: str | None, by: str, as_json: bool
) -> None:
    """Take TRANSFER_ID back within its time, while its points lie unspent."""

    async def work(service: Transfers, at: datetime) -> TransferAnswer:
        who = By.staff(by)
        return await deciding.undo(service, transfer_id, by=who, at=at, reason=reason)

    _decide(context, work, as_json=as_json)


@transfer.command()
@click.argument("transfer_id", type=click.UUID)
@click.option("--amount", type=click.IntRange(1), required=True, help="In minor units: öre, cents.")
@click.option("--currency", required=True, help="Such as SEK.")
@by_option
@place_options
@as_json_option
@click.pass_context
@example(f"coalition transfer paid {_EXAMPLE} --amount 5000 --currency GBP --by anna")
def paid(
    context: click.Context,
    *,
    transfer_id: UUID,
    amount: int,
    currency: str,
    by: str,
    as_json: bool,
) -> None:
    """Note that the fee of TRANSFER_ID was paid, so that it goes on."""

    async def work(service: Transfers, at: datetime) -> TransferAnswer:
        money = Money(amount_minor=amount, currency=currency)
        return await deciding.fee_paid(service, transfer_id, paid=money, by=By.staff(by), at=at)

    _decide(context, work, as_json=as_json)


@transfer.command()
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True)
@click.option("--least-points", type=click.IntRange(1), default=1, show_default=True)
@click.option("--longest", type=click.IntRange(2, 6), default=4, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition transfer rings --days 90 --json")
def rings(
    context: click.Context, *, days: int, least_points: int, longest: int, as_json: bool
) -> None:
    """Show who sends in rings; with --json also to whom many send, and who sends in haste.

    Honest families send in rings too: nothing is stopped, a person looks.
    """
    asked = RingsQuery(days=days, least_points=least_points, longest=longest)

    async def work(settings: Settings) -> RingsAnswer:
        groups = Groups(keys=MemberKeys.of(settings))
        return await groups.do(
            lambda connection, book: family_admin.report(connection, book, asked),
            HouseClock().now(),
        )

    found = do(place_of(context), work)
    rows: list[Row] = [
        {"members": " → ".join(map(str, one.members)), "points": one.points, "times": one.times}
        for one in found.rings
    ]
    answer(found, as_json=as_json, table=lambda: table_of(rows, _RINGS))


def _decide(
    context: click.Context,
    work: Callable[[Transfers, datetime], Awaitable[TransferAnswer]],
    *,
    as_json: bool,
) -> None:
    async def decided(settings: Settings) -> TransferAnswer:
        clock = HouseClock()
        return await work(Transfers(keys=MemberKeys.of(settings), clock=clock), clock.now())

    done = do(place_of(context), decided)
    told = msgspec.structs.asdict(done)
    row = {name: value for name, value in told.items() if value is not UNSET}
    answer(done, as_json=as_json, table=lambda: table_of([row], _SHOWN))
