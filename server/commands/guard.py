"""`coalition guard`: the fraud guards of the till, as rules that two persons change."""

import sys
from datetime import datetime
from typing import BinaryIO
from uuid import UUID

import msgspec
import rich_click as click

from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.oversight.approvals import Approval
from coalition.points.guards import documents, queries, rulebook
from coalition.points.guards.documents import GuardRule
from coalition.points.guards.rulebook import Retirement
from server.commands import guard_cases
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.commands.second_person import PersonName
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = ("name", "version", "mode", "measure", "subject", "window", "most", "more", "active_from")
_VERSIONS = (*_SHOWN, "retired_at", "proposed_by", "approved_by")
_WAITING = ("approval_id", "act", "guard", "prepared_by", "expires_at", "document")


@click.group()
def guard() -> None:
    """Guard the till against fraud: rules, the cases that they open, and reports.

    A rule reports only, unless its document says `confirm`, `refuse` or `freeze`.
    """


guard.add_command(guard_cases.cases)
guard.add_command(guard_cases.case)
guard.add_command(guard_cases.cashiers)
guard.add_command(guard_cases.near_duplicates)


@guard.command("list")
@click.option("--retired", is_flag=True, help="Versions that have ended as well.")
@place_options
@as_json_option
@click.pass_context
@example("coalition guard list --data data/demo", "coalition guard list --retired --json")
def list_rules(context: click.Context, *, retired: bool, as_json: bool) -> None:
    """List the active guard rules."""

    async def work(_: Settings) -> list[dict[str, object]]:
        async with transaction() as connection:
            found = await queries.read_rules(connection, retired=retired)
        return [_row(rule) for rule in found]

    rows = do(place_of(context), work)
    shown = _VERSIONS[:-2] if retired else _SHOWN
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, shown))


@guard.command()
@click.argument("name")
@place_options
@as_json_option
@click.pass_context
@example("coalition guard show large-redemption --json")
def show(context: click.Context, *, name: str, as_json: bool) -> None:
    """Show every version of the guard NAME, with who proposed and who approved it."""

    async def work(_: Settings) -> list[dict[str, object]]:
        async with transaction() as connection:
            return [_row(rule) for rule in await rulebook.versions(connection, name)]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _VERSIONS))


@guard.command()
@as_json_option
@example("coalition guard schema > guard.schema.json")
def schema(*, as_json: bool) -> None:
    """Print the JSON Schema of a guard rule."""
    del as_json  # it is JSON in any case
    written = msgspec.json.format(msgspec.json.encode(documents.schema()), indent=2)
    sys.stdout.write(written.decode() + "\n")


@guard.command()
@click.argument("file", type=click.File("rb"))
@click.option("--by", type=PersonName(), required=True, help="Who proposes it.")
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition guard propose large.json --by anna",
    'echo \'{"name":"large-redemption","measure":"points_of_one_redemption","subject":["member"],'
    '"most":20000,"mode":"confirm"}\' | coalition guard propose - --by anna',
)
def propose(context: click.Context, *, file: BinaryIO, by: str, as_json: bool) -> None:
    """Propose the guard rule in FILE (JSON; `-` is standard input).

    One of a known name is another version of it. It is active when a second person approves it.
    """
    document = documents.parse(file.read())

    async def work(_: Settings) -> dict[str, object]:
        at = HouseClock().now()
        approval = await rulebook.propose(document, prepared_by=by, at=at)
        return await _waiting_row(approval, at)

    _answer_waiting([do(place_of(context), work)], as_json=as_json)


@guard.command()
@click.argument("name")
@click.option("--by", type=PersonName(), required=True, help="Who proposes it.")
@place_options
@as_json_option
@click.pass_context
@example("coalition guard retire member-many-stores-day --by anna")
def retire(context: click.Context, *, name: str, by: str, as_json: bool) -> None:
    """Propose that the guard NAME ends; it does when a second person approves it."""

    async def work(_: Settings) -> dict[str, object]:
        at = HouseClock().now()
        approval = await rulebook.propose_retirement(name, prepared_by=by, at=at)
        return await _waiting_row(approval, at)

    _answer_waiting([do(place_of(context), work)], as_json=as_json)


@guard.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition guard waiting --json")
def waiting(context: click.Context, *, as_json: bool) -> None:
    """List what waits for its second person."""

    async def work(_: Settings) -> list[dict[str, object]]:
        return [_proposal(one) for one in await rulebook.waiting(HouseClock().now())]

    _answer_waiting(do(place_of(context), work), as_json=as_json)


@guard.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--by", type=PersonName(), required=True, help="Who approves it.")
@place_options
@as_json_option
@click.pass_context
@example("coalition guard approve 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --by bertil")
def approve(context: click.Context, *, approval_id: UUID, by: str, as_json: bool) -> None:
    """Approve APPROVAL_ID as another person than who proposed it; every till knows it at once."""

    async def work(_: Settings) -> GuardRule | Retirement:
        return await rulebook.approve(approval_id, approved_by=by, at=HouseClock().now())

    done = do(place_of(context), work)
    if isinstance(done, Retirement):
        row: dict[str, object] = {"name": done.name, "retired": True}
    else:
        row = _row(done)
    columns = [name for name in (*_VERSIONS, "retired") if name in row]
    answer(row, as_json=as_json, table=lambda: table_of([row], columns))


@guard.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--by", type=PersonName(), required=True, help="Who rejects it.")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
@place_options
@click.pass_context
@example('coalition guard reject 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --by anna --reason "too low"')
def reject(context: click.Context, *, approval_id: UUID, by: str, reason: str) -> None:
    """Decide that what was proposed under APPROVAL_ID is not done."""

    async def work(_: Settings) -> None:
        at = HouseClock().now()
        await rulebook.reject(approval_id, rejected_by=by, reason=reason, at=at)

    do(place_of(context), work)
    say("The proposal is rejected.")


def _row(rule: GuardRule) -> dict[str, object]:
    document = rule.document
    more = {
        name: value
        for name in ("partner", "points_from", "points_to", "at_least")
        if (value := getattr(document, name)) is not None
    }
    return {
        "no": rule.no,
        "name": document.name,
        "version": rule.version,
        "mode": document.mode,
        "measure": document.measure,
        "subject": " × ".join(document.subject),
        "window": None if document.window is None else document.window.text,
        "most": document.most,
        "more": ", ".join(f"{name} {value}" for name, value in more.items()),
        "active_from": rule.active_from,
        "retired_at": rule.retired_at,
        "proposed_by": rule.proposed_by,
        "approved_by": rule.approved_by,
        "document": document,
    }


async def _waiting_row(approval_id: UUID, at: datetime) -> dict[str, object]:
    (prepared,) = (one for one in await rulebook.waiting(at) if one.id == approval_id)
    return _proposal(prepared)


def _proposal(one: Approval) -> dict[str, object]:
    return {
        "approval_id": one.id,
        "act": "activate" if one.kind == rulebook.ACTIVATE else "retire",
        "guard": one.subject.removeprefix("guard:"),
        "prepared_by": one.prepared_by,
        "expires_at": one.expires_at,
        "document": msgspec.Raw(one.payload.encode()),
    }


def _answer_waiting(rows: list[dict[str, object]], *, as_json: bool) -> None:
    shown = [row | {"document": _one_line(row["document"])} for row in rows]
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(shown, _WAITING))


def _one_line(document: object) -> str:
    return msgspec.json.encode(document).decode()
