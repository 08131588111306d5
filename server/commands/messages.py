"""`coalition messages`: what members were told, in which language, and sending e-mails again."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.messages import tongues, watching
from coalition.messages.wording import LANGUAGES
from server import payments
from server.commands.card import by_option
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import PersonName
from server.databases import do
from server.house_clock import HouseClock

_COLUMNS = ("message_id", "said_at", "kind", "subject", "email", "attempts", "error", "read_at")


@click.group()
def messages() -> None:
    """List what members were told, send e-mails again, and say in which language."""


@messages.command("list")
@click.option("--member", type=click.UUID, required=True, help="The member's id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition messages list --member 0197f2a4-7c1e-4c0e-8a52-0d6a1f6c9b11")
def listed(context: click.Context, *, member: UUID, limit: int, as_json: bool) -> None:
    """List the messages of a member, the latest first; what they say only the member reads.

    `email` is none (nobody to send it to), waiting, sent or failed; `error` holds the codes of the
    mail server's answer.
    """

    async def work(_: Settings) -> list[dict[str, object]]:
        async with transaction() as connection:
            found = await watching.of_member(connection, MemberId(member), most=limit)
        return [msgspec.structs.asdict(one) for one in found]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _COLUMNS))


@messages.command()
@click.argument("message_id", metavar="[MESSAGE]", type=click.UUID, required=False)
@click.option(
    "--failed-since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]),
    help="Instead of one MESSAGE: all that have failed since then (UTC).",
)
@by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition messages retry 0197f2a4-7c1e-7c0e-8a52-0d6a1f6c9b11 --by anna",
    "coalition messages retry --failed-since 2026-11-22 --by anna",
)
def retry(
    context: click.Context,
    *,
    message_id: UUID | None,
    failed_since: datetime | None,
    by: str,
    as_json: bool,
) -> None:
    """Let the e-mail of MESSAGE be sent again, within a minute, whatever became of it."""
    if (message_id is None) == (failed_since is None):
        raise click.UsageError("Name one MESSAGE, or --failed-since")

    async def work(settings: Settings) -> int:
        at = payments.now(settings)
        if message_id is not None:
            return int(await watching.send_again(message_id, actor=by, at=at))
        assert failed_since is not None, "one of both is given"
        since = failed_since.replace(tzinfo=UTC)
        return await watching.send_failed_again(since=since, actor=by, at=at)

    count = do(place_of(context), work)
    answer({"messages": count}, as_json=as_json, table=lambda: f"{count} to be sent again")


@messages.command()
@click.argument("language", metavar="[LANGUAGE]", type=click.Choice(LANGUAGES), required=False)
@click.option("--by", type=PersonName(), help="Who sets it; kept in the audit log.")
@place_options
@as_json_option
@click.pass_context
@example("coalition messages language", "coalition messages language sv --by anna")
def language(
    context: click.Context, *, language: str | None, by: str | None, as_json: bool
) -> None:
    """Show what the coalition speaks, or let it speak LANGUAGE (en, sv or nb) from now on.

    Members who have chosen no language, and of whom no order names one, are written to in it, and
    pages are in it for browsers that ask for none of these. What was said stays as it is.
    """
    if (language is None) != (by is None):
        raise click.UsageError("A LANGUAGE is set --by somebody")

    async def work(_: Settings) -> str:
        if language is not None and by is not None:
            await tongues.speak(language, actor=by, at=HouseClock().now())
        async with transaction() as connection:
            return await catalogue.language(connection)

    spoken = do(place_of(context), work)
    text = f"The coalition speaks {spoken} to whom nobody knows to want another language."
    answer({"language": spoken}, as_json=as_json, table=lambda: text)
