"""`coalition guardian`: who guards which minors, as staff note it."""

from uuid import UUID

import rich_click as click

from coalition.families.kin import guardians
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
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

_MINOR = "0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11"
_GUARDIAN = "3f0c5b52-6d5b-4a86-9f0b-2f2a0f4f7a11"

by_option = click.option("--by", required=True, metavar="NAME", help="Who of the staff notes it.")


@click.group()
def guardian() -> None:
    """Note who guards a minor: a guardian accepts, approves, and may stop its spending."""


@guardian.command()
@click.argument("minor", type=click.UUID)
@click.argument("guardian_id", metavar="GUARDIAN", type=click.UUID)
@by_option
@click.option("--source", default="staff", show_default=True, help="How it is known.")
@place_options
@as_json_option
@click.pass_context
@example(f"coalition guardian appoint {_MINOR} {_GUARDIAN} --by anna")
def appoint(
    context: click.Context,
    *,
    minor: UUID,
    guardian_id: UUID,
    by: str,
    source: str,
    as_json: bool,
) -> None:
    """Let the member GUARDIAN guard the member MINOR from now on; repeating it changes nothing."""

    async def work(settings: Settings) -> None:
        await guardians.appoint(
            minor,
            guardian_id,
            source=source,
            actor=f"staff:{by}",
            keys=MemberKeys.of(settings),
            at=HouseClock().now(),
        )

    do(place_of(context), work)
    said = f"{guardian_id} guards {minor}."
    answer({"minor": minor, "guardian": guardian_id}, as_json=as_json, table=lambda: said)


@guardian.command()
@click.argument("minor", type=click.UUID)
@click.argument("guardian_id", metavar="GUARDIAN", type=click.UUID)
@by_option
@place_options
@as_json_option
@click.pass_context
@example(f"coalition guardian dismiss {_MINOR} {_GUARDIAN} --by anna")
def dismiss(
    context: click.Context, *, minor: UUID, guardian_id: UUID, by: str, as_json: bool
) -> None:
    """End the guardianship of GUARDIAN over MINOR, and with it what the guardian has stopped."""

    async def work(_: Settings) -> None:
        await guardians.dismiss(minor, guardian_id, actor=f"staff:{by}", at=HouseClock().now())

    do(place_of(context), work)
    said = f"{guardian_id} guards {minor} no more."
    answer({"minor": minor, "guardian": guardian_id}, as_json=as_json, table=lambda: said)


@guardian.command("list")
@click.argument("minor", type=click.UUID)
@place_options
@as_json_option
@click.pass_context
@example(f"coalition guardian list {_MINOR} --json")
def list_guardians(context: click.Context, *, minor: UUID, as_json: bool) -> None:
    """List who guards MINOR, the first first."""

    async def work(_: Settings) -> list[dict[str, object]]:
        async with transaction() as connection:
            found = await guardians.guardians_of(connection, [minor])
        return [{"guardian": one} for one in found[minor]]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, ("guardian",)))
