"""`coalition member standing grant|end|show`: tier, plan, segments and flags of one member."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import standings
from coalition.members.standings import Fact, StandingKind
from coalition.oversight import audit_log
from server.commands.card import by_option
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

_SHOWN = ("kind", "value", "held", "valid_from", "valid_until", "source", "made_at")
_KINDS = click.Choice([kind.value for kind in StandingKind])
_INSTANTS = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def standing() -> None:
    """Say what a member is to the coalition, and for how long."""


@standing.command()
@click.argument("member_id", type=click.UUID)
@click.argument("kind", type=_KINDS)
@click.argument("value")
@click.option("--from", "since", type=_INSTANTS, help="From when on (UTC).  [default: now]")
@click.option("--until", type=_INSTANTS, help="Until when (UTC).  [default: for good]")
@by_option
@place_options
@click.pass_context
@example(
    "coalition member standing grant 8cf51be2-9d72-458f-a1d0-370077b9240b tier gold"
    " --until 2027-12-31 --by anna"
)
def grant(
    context: click.Context,
    *,
    member_id: UUID,
    kind: str,
    value: str,
    since: datetime | None,
    until: datetime | None,
    by: str,
) -> None:
    """Let MEMBER_ID be VALUE: of KIND tier or plan one counts at a time, the one granted last."""
    at = HouseClock().now()
    fact = Fact(
        member_id=MemberId(member_id),
        kind=StandingKind(kind),
        value=value,
        valid_from=at if since is None else since.replace(tzinfo=UTC),
        valid_until=None if until is None else until.replace(tzinfo=UTC),
        source=by,
        made_at=at,
    )
    _write(context, fact, "member_standing.granted")
    say("The standing is granted.")


@standing.command()
@click.argument("member_id", type=click.UUID)
@click.argument("kind", type=_KINDS)
@click.argument("value")
@by_option
@place_options
@click.pass_context
@example("coalition member standing end 8cf51be2-9d72-458f-a1d0-370077b9240b tier gold --by anna")
def end(context: click.Context, *, member_id: UUID, kind: str, value: str, by: str) -> None:
    """Let MEMBER_ID no longer be VALUE, from now on."""
    at = HouseClock().now()
    fact = Fact(
        member_id=MemberId(member_id),
        kind=StandingKind(kind),
        value=value,
        held=False,
        valid_from=at,
        valid_until=None,
        source=by,
        made_at=at,
    )
    _write(context, fact, "member_standing.ended")
    say("The standing has ended.")


@standing.command()
@click.argument("member_id", type=click.UUID)
@place_options
@as_json_option
@click.pass_context
@example("coalition member standing show 8cf51be2-9d72-458f-a1d0-370077b9240b --json")
def show(context: click.Context, *, member_id: UUID, as_json: bool) -> None:
    """Show what MEMBER_ID is now, and every fact about it in the order they were written down."""
    member = MemberId(member_id)

    async def work(_: Settings) -> tuple[standings.Standings, list[Fact]]:
        async with transaction() as connection:
            found = await standings.read(connection, [member], HouseClock().now())
            facts = await standings.history(connection, member)
            return found.get(member, standings.Standings()), facts

    now, facts = do(place_of(context), work)
    rows = [{name: getattr(fact, name) for name in _SHOWN} for fact in facts]
    document = {
        "tier": now.tier,
        "plan": now.plan,
        "segments": sorted(now.segments),
        "flags": sorted(now.flags),
        "facts": rows,
    }
    answer(document, as_json=as_json, table=lambda: table_of(rows, _SHOWN, title=_told(now)))


def _told(now: standings.Standings) -> str:
    """Return in words what a member is."""
    held = [
        *(f"{name} {value}" for name, value in (("tier", now.tier), ("plan", now.plan)) if value),
        *(f"segment {value}" for value in sorted(now.segments)),
        *(f"flag {value}" for value in sorted(now.flags)),
    ]
    return "Now: " + (", ".join(held) or "nothing")


def _write(context: click.Context, fact: Fact, action: str) -> None:
    async def work(_: Settings) -> None:
        async with transaction() as connection:
            await standings.add(connection, [fact])
            await _record(connection, fact, action)

    do(place_of(context), work)


async def _record(connection: Connection, fact: Fact, action: str) -> None:
    facts = {name: getattr(fact, name) for name in ("kind", "value", "valid_from", "valid_until")}
    await audit_log.record(
        connection,
        actor=fact.source,
        action=action,
        subject=f"member:{fact.member_id}",
        facts=msgspec.to_builtins(facts),
        at=fact.made_at,
    )
