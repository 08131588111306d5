"""`coalition rules propose|waiting|approve|reject|retire`: rules change by two persons."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import rich_click as click

from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from coalition.points.bonuses import store
from coalition.points.bonuses.store import KeptRule, PreparedRule
from server.commands.known import read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.commands.proposal import PersonName
from server.commands.rule_files import file_argument, right
from server.databases import do

_SHOWN = ("approval_id", "code", "name", "act", "valid_from", "valid_until", "prepared_by",
          "expires_at")  # fmt: skip
_INSTANTS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]


@click.command()
@file_argument
@click.option("--prepared-by", type=PersonName(), required=True, help="Who proposes it.")
@place_options
@as_json_option
@click.pass_context
@example("coalition rules propose weekend-fruit.yaml --prepared-by anna")
def propose(context: click.Context, *, file: Path, prepared_by: str, as_json: bool) -> None:
    """Propose the rule in FILE, or a further version of it, for a second person to approve."""

    async def work(_: Settings) -> dict[str, object]:
        at = SystemClock().now()
        document = right(file, await read_catalogue())
        return await _prepared(await store.prepare(document, prepared_by=prepared_by, at=at), at)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


@click.command()
@click.argument("code")
@click.option(
    "--from",
    "when",
    type=click.DateTime(_INSTANTS),
    help="From when it holds no longer (UTC).  [default: when it is approved]",
)
@click.option("--prepared-by", type=PersonName(), required=True, help="Who proposes it.")
@place_options
@as_json_option
@click.pass_context
@example("coalition rules retire weekend-fruit --prepared-by anna")
def retire(
    context: click.Context, *, code: str, when: datetime | None, prepared_by: str, as_json: bool
) -> None:
    """Propose that the rule CODE holds no longer; what was earned by it stays."""

    async def work(_: Settings) -> dict[str, object]:
        at = SystemClock().now()
        ends = when.replace(tzinfo=UTC) if when else None
        approval_id = await store.prepare_retirement(
            code, when=ends, prepared_by=prepared_by, at=at
        )
        return await _prepared(approval_id, at)

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _SHOWN))


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition rules waiting --json")
def waiting(context: click.Context, *, as_json: bool) -> None:
    """List what was proposed and waits for its second person."""

    async def work(_: Settings) -> list[dict[str, object]]:
        rows = await approvals.waiting(at=SystemClock().now(), kind=store.KIND)
        return [_row(one) for one in rows]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


@click.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--approved-by", type=PersonName(), required=True, help="Who approves it.")
@place_options
@as_json_option
@click.pass_context
@example("coalition rules approve 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --approved-by bertil")
def approve(context: click.Context, *, approval_id: UUID, approved_by: str, as_json: bool) -> None:
    """Activate what was proposed under APPROVAL_ID, as another person than who proposed it."""

    async def work(_: Settings) -> KeptRule:
        return await store.activate(approval_id, approved_by=approved_by, at=SystemClock().now())

    kept = do(place_of(context), work)
    columns = ("no", "code", "version", "valid_from", "valid_until", "prepared_by", "approved_by")
    rows = [msgspec.structs.asdict(kept)]
    answer(kept, as_json=as_json, table=lambda: table_of(rows, columns))


@click.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--rejected-by", type=PersonName(), required=True, help="Who says no.")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@place_options
@click.pass_context
@example(
    "coalition rules reject 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --rejected-by bertil"
    ' --reason "the fund cannot bear it"'
)
def reject(context: click.Context, *, approval_id: UUID, rejected_by: str, reason: str) -> None:
    """Let what was proposed under APPROVAL_ID never hold; who proposed it may take it back so."""

    async def work(_: Settings) -> None:
        await approvals.reject(
            approval_id,
            rejected_by=rejected_by,
            reason=reason,
            at=SystemClock().now(),
            kind=store.KIND,
        )

    do(place_of(context), work)
    say("The proposal is rejected.")


async def _prepared(approval_id: UUID, at: datetime) -> dict[str, object]:
    rows = await approvals.waiting(at=at, kind=store.KIND)
    (prepared,) = (one for one in rows if one.id == approval_id)
    return _row(prepared)


def _row(approval: Approval) -> dict[str, object]:
    """Return what a second person must see."""
    wanted = msgspec.json.decode(approval.payload, type=PreparedRule)
    return {
        "approval_id": approval.id,
        "code": wanted.document.code,
        "name": wanted.document.name,
        "act": "retire" if wanted.retires else "activate",
        "valid_from": wanted.valid_from or "on approval",
        "valid_until": wanted.valid_until,
        "prepared_by": approval.prepared_by,
        "prepared_at": approval.prepared_at,
        "expires_at": approval.expires_at,
        "document": msgspec.to_builtins(wanted.document),
    }
