"""`coalition member login`: a one-time code by which a member sets its password."""

from uuid import UUID

import rich_click as click

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import queries
from coalition.members.contacts import ContactKind
from coalition.members.locking import lock_open
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened
from server import people
from server.commands.card import by_option
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = ("member_id", "code", "ends_at")


@click.command()
@click.argument("member_id", type=click.UUID)
@click.option("--email", help="By which address to sign in.  [default: the one that is kept]")
@by_option
@place_options
@as_json_option
@click.pass_context
@example("coalition member login 8cf51be2-9d72-458f-a1d0-370077b9240b --by anna --json")
def login(
    context: click.Context, *, member_id: UUID, email: str | None, by: str, as_json: bool
) -> None:
    """Give MEMBER_ID a code to set a password with, once, within seven days.

    It is shown this once. Give it to the person alone, whose identity you have made sure of: who
    has it can sign in as the member.
    """

    async def work(settings: Settings) -> dict[str, object]:
        member = MemberId(member_id)
        kept = await _address(member, settings)
        address = email or kept
        if address is None:
            raise click.UsageError("no e-mail address is kept of this member; name one by --email")
        code = await people.sign_ins(settings).give_code(
            member, address, actor=by, at=HouseClock().now()
        )
        return {"member_id": member, "code": code.code, "ends_at": code.ends_at}

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


async def _address(member: MemberId, settings: Settings) -> str | None:
    """Return the first e-mail address that is kept of a member, who is one still."""
    async with transaction() as connection:
        await lock_open(connection, [member])
        stored = await queries.read(connection, member)
    if stored is None or stored.sealed is None:
        return None
    data, _ = opened(stored, member_id=member, keys=MemberKeys.of(settings))
    emails = [value for kind, value in data.contacts() if kind is ContactKind.EMAIL]
    return emails[0] if emails else None
