"""`coalition earning propose|waiting|approve|reject|retire`: rules change by two persons."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.oversight.approvals import Approval
from coalition.points.bonuses import store
from coalition.points.bonuses.store import PreparedRule
from server.commands.earning_files import file_argument, right
from server.commands.known import read_catalogue
from server.commands.options import as_json_option, example, place_options
from server.commands.second_person import Row, SecondPerson, Signature, prepared_by_option

_INSTANTS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]


@click.command()
@file_argument
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example("coalition earning propose weekend-fruit.yaml --prepared-by anna")
def propose(context: click.Context, *, file: Path, prepared_by: str, as_json: bool) -> None:
    """Propose the rule in FILE, or a further version of it, for a second person to approve."""

    async def prepare(at: datetime) -> UUID:
        document = right(file, await read_catalogue())
        return await store.prepare(document, prepared_by=prepared_by, at=at)

    _SECOND.propose(context, prepare, as_json=as_json)


@click.command()
@click.argument("code")
@click.option(
    "--from",
    "when",
    type=click.DateTime(_INSTANTS),
    help="From when it holds no longer (UTC).  [default: when it is approved]",
)
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example("coalition earning retire weekend-fruit --prepared-by anna")
def retire(
    context: click.Context, *, code: str, when: datetime | None, prepared_by: str, as_json: bool
) -> None:
    """Propose that the rule CODE holds no longer; what was earned by it stays."""

    async def prepare(at: datetime) -> UUID:
        ends = when.replace(tzinfo=UTC) if when else None
        return await store.prepare_retirement(code, when=ends, prepared_by=prepared_by, at=at)

    _SECOND.propose(context, prepare, as_json=as_json)


def add_to(group: click.Group) -> None:
    """Give `group` the commands by which rules change."""
    group.add_command(propose)
    group.add_command(retire)
    _SECOND.add_to(group)


def _described(_: Catalogue, one: Approval) -> Row:
    wanted = msgspec.json.decode(one.payload, type=PreparedRule)
    return {
        "code": wanted.document.code,
        "name": wanted.document.name,
        "act": "retire" if wanted.retires else "activate",
        "valid_from": wanted.valid_from or "on approval",
        "valid_until": wanted.valid_until,
        "document": msgspec.to_builtins(wanted.document),
    }


async def _approve(by: Signature) -> Row:
    kept = await store.activate(by.approval_id, approved_by=by.approved_by, at=by.at)
    return msgspec.structs.asdict(kept)


_SECOND = SecondPerson(
    kind=store.KIND,
    command="earning",
    approves="Activate what was proposed under APPROVAL_ID, as another person than who proposed"
    " it.",
    describe=_described,
    approve=_approve,
    waiting_columns=(
        "approval_id", "code", "name", "act", "valid_from", "valid_until", "prepared_by",
        "expires_at",
    ),
    done_columns=(
        "no", "code", "version", "valid_from", "valid_until", "prepared_by", "approved_by",
    ),
)  # fmt: skip
