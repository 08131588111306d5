"""`coalition member`: one member, found by what a till would present, and its later days."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol
from uuid import UUID

import rich_click as click

from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, bucket_of
from coalition.kernel.settings import Settings
from coalition.ledger import posting
from coalition.members import closing, service
from coalition.members.contacts import ContactKind
from coalition.members.refusals import UnknownMember
from coalition.members.sealing import MemberKeys
from server import people
from server.commands.card import by_option, card
from server.commands.consent import consent
from server.commands.member_login import login
from server.commands.merge import merge
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.commands.privacy import erase, erasures, export
from server.commands.standing import standing
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = ("member_id", "state", "balance", "postings", "known_to")

_READ = """
SELECT member.state,
       (SELECT count(*) FROM posting WHERE posting.bucket = $1 AND posting.holder = $2) AS postings,
       (SELECT coalesce(array_agg(partner.name ORDER BY partner.no), '{}')
        FROM partner_member JOIN partner ON partner.no = partner_member.partner_no
        WHERE partner_member.bucket = $1 AND partner_member.member_id = $2) AS known_to
FROM member WHERE member.bucket = $1 AND member.id = $2
"""


@click.group()
def member() -> None:
    """Look members up and tend to them. Who they are stays sealed but for `export`."""


member.add_command(card)
member.add_command(consent)
member.add_command(login)
member.add_command(standing)
member.add_command(merge)
member.add_command(export)
member.add_command(erase)
member.add_command(erasures)


class _Change(Protocol):
    def __call__(self, member_id: MemberId, /, *, actor: str, at: datetime) -> Awaitable[None]: ...


@member.command()
@click.option("--id", "member_id", type=click.UUID, help="The member's id.")
@click.option("--card", help="A loyalty card.")
@click.option("--email", help="An e-mail address.")
@click.option("--phone", help="A phone number, beginning with + and the country.")
@place_options
@as_json_option
@click.pass_context
@example("coalition member show --card HOUSE00400 --data data/demo --json")
def show(
    context: click.Context,
    *,
    member_id: UUID | None,
    card: str | None,
    email: str | None,
    phone: str | None,
    as_json: bool,
) -> None:
    """Show the state and the points of one member, named by exactly one of the options."""
    named = {ContactKind.CARD: card, ContactKind.EMAIL: email, ContactKind.PHONE: phone}
    given = {kind: value for kind, value in named.items() if value is not None}
    if len(given) + (member_id is not None) != 1:
        raise click.UsageError("give exactly one of --id, --card, --email and --phone")

    async def work(settings: Settings) -> dict[str, object]:
        found = MemberId(member_id) if member_id is not None else None
        for kind, value in given.items():
            found = await service.find(kind, value, keys=MemberKeys.of(settings))
        assert found is not None, "one of the options was given"
        return await _read(found)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


@member.command()
@click.argument("member_id", type=click.UUID)
@by_option
@place_options
@click.pass_context
@example("coalition member freeze 8cf51be2-9d72-458f-a1d0-370077b9240b --by anna")
def freeze(context: click.Context, *, member_id: UUID, by: str) -> None:
    """Stop the points of MEMBER_ID until `unfreeze`."""
    _change(context, service.freeze, member_id, by)
    say("The member is frozen.")


@member.command()
@click.argument("member_id", type=click.UUID)
@by_option
@place_options
@click.pass_context
@example("coalition member unfreeze 8cf51be2-9d72-458f-a1d0-370077b9240b --by anna")
def unfreeze(context: click.Context, *, member_id: UUID, by: str) -> None:
    """Let the points of MEMBER_ID, who is frozen, move again."""
    _change(context, service.unfreeze, member_id, by)
    say("The member is active.")


@member.command()
@click.argument("member_id", type=click.UUID)
@by_option
@click.option("--forfeit-points", is_flag=True, help="Give up the points that are left.")
@click.option("--write-off-debt", is_flag=True, help="Let the points that are owed go.")
@place_options
@click.pass_context
@example("coalition member close 8cf51be2-9d72-458f-a1d0-370077b9240b --by anna --forfeit-points")
def close(
    context: click.Context,
    *,
    member_id: UUID,
    by: str,
    forfeit_points: bool,
    write_off_debt: bool,
) -> None:
    """End the membership of MEMBER_ID for good; cards and addresses are free for others."""

    async def work(settings: Settings) -> closing.Closed:
        return await closing.close(
            MemberId(member_id),
            actor=by,
            at=HouseClock().now(),
            forfeit_points=forfeit_points,
            write_off_debt=write_off_debt,
            leavers=people.leavers(MemberKeys.of(settings)),
        )

    closed = do(place_of(context), work)
    say("The member is closed.")
    if closed.forfeited_points:
        say(f"{closed.forfeited_points} points are forfeited.")
    if closed.written_off_points:
        say(f"{closed.written_off_points} points are no longer owed.")


def _change(context: click.Context, change: _Change, member_id: UUID, actor: str) -> None:
    async def work(_: Settings) -> None:
        await change(MemberId(member_id), actor=actor, at=HouseClock().now())

    do(place_of(context), work)


async def _read(member_id: MemberId) -> dict[str, object]:
    async with transaction() as connection:
        row = await connection.fetchrow(_READ, bucket_of(member_id), member_id)
        if row is None:
            raise UnknownMember
        known = await catalogue.load(connection)
        at = HouseClock().now()
        balances = await posting.balances(
            connection,
            [member_id],
            currency_no=known.coalition.point_currency_no,
            today=at.astimezone(known.zone).date(),
            suspended=known.suspended_at(at),
        )
    return {"member_id": member_id, "balance": balances.get(member_id, 0), **dict(row)}
