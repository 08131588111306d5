"""`coalition rules propose|bind|waiting|approve|activate|reject`: two persons change rule sets."""

import copy
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.families.rule_sets import registering
from coalition.families.rule_sets.documents import brief
from coalition.families.rule_sets.registering import PreparedBinding, PreparedRuleSet
from coalition.federation.catalogue import Catalogue
from coalition.oversight.approvals import Approval
from coalition.oversight.refusals import UnknownApproval
from server.commands.known import read_catalogue
from server.commands.options import as_json_option, example, place_options
from server.commands.rule_set_files import name_of, right, source_argument
from server.commands.second_person import Row, SecondPerson, Signature, prepared_by_option

_INSTANTS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]
_NOTHING = "nothing"

from_option = click.option(
    "--from",
    "begins",
    type=click.DateTime(_INSTANTS),
    help="From when it holds (UTC).  [default: when it is approved]",
)


@click.command()
@source_argument
@click.option("--name", help="What it is called.  [default: the preset's or the file's name]")
@from_option
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition rules propose hilton --prepared-by anna",
    "coalition rules propose household.yaml --from 2027-01-01 --prepared-by anna",
)
def propose(
    context: click.Context,
    *,
    source: str,
    name: str | None,
    begins: datetime | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose the rule set in FILE, or PRESET, for a second person to approve.

    Under the name of one that there is it is a further version of that.
    """

    async def prepare(at: datetime) -> UUID:
        return await registering.prepare(
            name_of(source, name),
            right(source, await read_catalogue()),
            valid_from=_utc(begins),
            prepared_by=prepared_by,
            at=at,
        )

    _SECOND.propose(context, prepare, as_json=as_json)


@click.command()
@click.argument("kind")
@click.argument("name", metavar=f"NAME|{_NOTHING}")
@from_option
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition rules bind p2p hilton --prepared-by anna",
    "coalition rules bind household nothing --prepared-by anna",
)
def bind(
    context: click.Context,
    *,
    kind: str,
    name: str,
    begins: datetime | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that KIND runs under the rule set NAME: `p2p`, or groups of that kind.

    Under `nothing` such acts are refused. Groups that there are keep the rule set they formed
    under.
    """

    async def prepare(at: datetime) -> UUID:
        return await registering.prepare_binding(
            kind,
            None if name == _NOTHING else name,
            valid_from=_utc(begins),
            prepared_by=prepared_by,
            at=at,
        )

    _SECOND.propose(context, prepare, as_json=as_json)


def add_to(group: click.Group) -> None:
    """Give `group` the commands by which rule sets change; `activate` is `approve`."""
    group.add_command(propose)
    group.add_command(bind)
    _SECOND.add_to(group)
    activate = copy.copy(group.commands["approve"])
    activate.name = "activate"
    activate.help = (activate.help or "").replace("rules approve", "rules activate")
    group.add_command(activate)


def _described(_: Catalogue, one: Approval) -> Row:
    if one.kind == registering.BINDING:
        binding = msgspec.json.decode(one.payload, type=PreparedBinding)
        return {
            "act": "bind",
            "kind": binding.kind,
            "rule_set": binding.rule_set or _NOTHING,
            "title": None,
            "valid_from": binding.valid_from or "on approval",
        }
    wanted = msgspec.json.decode(one.payload, type=PreparedRuleSet)
    return {
        "act": "activate",
        "kind": None,
        "rule_set": wanted.name,
        "title": wanted.document.title,
        "valid_from": wanted.valid_from or "on approval",
        "document": brief(wanted.document),
    }


async def _approve(by: Signature) -> Row:
    signer, at = by.approved_by, by.at
    try:
        kept = await registering.approve(by.approval_id, approved_by=signer, at=at)
    except UnknownApproval:
        bound = await registering.approve_binding(by.approval_id, approved_by=signer, at=at)
        row = msgspec.structs.asdict(bound)
        return row | {"act": "bound", "version": None, "rule_set": bound.rule_set or _NOTHING}
    row = msgspec.structs.asdict(kept) | {"document": brief(kept.document)}
    return row | {"act": "activated", "rule_set": kept.name, "kind": None}


def _utc(begins: datetime | None) -> datetime | None:
    return None if begins is None else begins.replace(tzinfo=UTC)


_SECOND = SecondPerson(
    kind=registering.RULE_SET,
    further_kinds=(registering.BINDING,),
    command="rules",
    approves="Activate or bind what was proposed under APPROVAL_ID, as another person than who"
    " proposed it.",
    describe=_described,
    approve=_approve,
    waiting_columns=(
        "approval_id", "act", "rule_set", "kind", "title", "valid_from", "prepared_by",
        "expires_at",
    ),
    done_columns=(
        "act", "rule_set", "version", "kind", "valid_from", "prepared_by", "approved_by",
    ),
)  # fmt: skip
