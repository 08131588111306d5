"""`coalition member consent grant|withdraw|show`: what a member agreed to, as told to the staff."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import rich_click as click

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import consents
from coalition.members.consents import Channel, Given, PurposeText, VersionText
from coalition.members.disclosure import partner_name
from server.commands.card import by_option
from server.commands.known import find_partner, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = (
    *("purpose", "channel", "recipient", "granted", "text_version", "given_at"),
    *("source", "through", "note"),
)

Command = TypeVar("Command", bound=Callable[..., Any])  # Any: whatever options a command has


class _Checked(click.ParamType[str]):
    """A text that fits the field of the same name at the till."""

    def __init__(self, name: str, kind: object) -> None:
        self.name = name
        self._kind = kind

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            return str(msgspec.convert(value, self._kind))
        except msgspec.ValidationError as error:
            self.fail(str(error), param, ctx)


def _word_options(command: Command) -> Command:
    """Give `command` the options that say what a member said."""
    for option in (
        click.option("--note", help="What else to know; erased with the member."),
        click.option("--with", "recipient", metavar="PARTNER", help="With `sharing`: with whom."),
        click.option(
            "--text-version",
            type=_Checked("version", VersionText),
            required=True,
            help="The version of the text that the member was shown.",
        ),
        click.option(
            "--channel",
            type=click.Choice([channel.value for channel in Channel]),
            help="How, where the purpose needs a channel.",
        ),
        click.option(
            "--purpose",
            type=_Checked("purpose", PurposeText),
            required=True,
            help="What for: marketing, profiling, sharing or one of your own.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def consent() -> None:
    """Write down and show what a member agreed to."""


@consent.command()
@click.argument("member_id", type=click.UUID)
@_word_options
@by_option
@place_options
@click.pass_context
@example(
    "coalition member consent grant 8cf51be2-9d72-458f-a1d0-370077b9240b"
    " --purpose marketing --channel email --text-version 2026-11.sv --by anna"
)
def grant(context: click.Context, /, **word: Any) -> None:  # Any: the options above
    """Write down that MEMBER_ID agrees."""
    _give(context, granted=True, **word)
    say("The consent is written down.")


@consent.command()
@click.argument("member_id", type=click.UUID)
@_word_options
@by_option
@place_options
@click.pass_context
@example(
    "coalition member consent withdraw 8cf51be2-9d72-458f-a1d0-370077b9240b"
    " --purpose marketing --channel email --text-version 2026-11.sv --by anna"
)
def withdraw(context: click.Context, /, **word: Any) -> None:  # Any: the options above
    """Write down that MEMBER_ID does not, or no longer, agree."""
    _give(context, granted=False, **word)
    say("The withdrawal is written down.")


@consent.command()
@click.argument("member_id", type=click.UUID)
@place_options
@as_json_option
@click.pass_context
@example("coalition member consent show 8cf51be2-9d72-458f-a1d0-370077b9240b")
def show(context: click.Context, *, member_id: UUID, as_json: bool) -> None:
    """Show every word of MEMBER_ID, the earliest first; the last on a purpose and channel holds."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        async with transaction() as connection:
            words = await consents.history(connection, MemberId(member_id))
        return [
            msgspec.structs.asdict(word)
            | {
                "recipient": partner_name(known, word.recipient_no),
                "through": partner_name(known, word.through_partner_no),
            }
            for word in words
        ]

    rows = do(place_of(context), work)
    shown = [{name: row[name] for name in _SHOWN} for row in rows]
    answer({"items": shown}, as_json=as_json, table=lambda: table_of(shown, _SHOWN))


def _give(
    context: click.Context,
    *,
    granted: bool,
    member_id: UUID,
    purpose: str,
    channel: str | None,
    text_version: str,
    recipient: str | None,
    note: str | None,
    by: str,
) -> None:
    async def work(_: Settings) -> None:
        recipient_no = None
        if recipient is not None:
            recipient_no = find_partner(await read_catalogue(), recipient).no
        given = Given(
            purpose=purpose,
            channel=None if channel is None else Channel(channel),
            granted=granted,
            text_version=text_version,
        )
        await consents.give_by_staff(
            MemberId(member_id),
            given,
            recipient_no=recipient_no,
            note=note,
            actor=by,
            at=HouseClock().now(),
        )

    do(place_of(context), work)
