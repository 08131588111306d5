"""`coalition partner contract propose|waiting|approve|reject`: a later version, by two persons."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

import msgspec
import rich_click as click

from coalition.federation import contracts
from coalition.federation.catalogue import Catalogue
from coalition.federation.contracts import PreparedContract
from coalition.federation.terms import Contract, ContractTerms
from coalition.oversight.approvals import Approval
from server.commands.known import find_partner, read_catalogue
from server.commands.options import as_json_option, example, place_options
from server.commands.second_person import Row, SecondPerson, Signature, prepared_by_option
from server.commands.settlement_terms import in_minor_units
from server.commands.terms import changed_terms_options, shown_terms


@click.command()
@click.argument("partner_name", metavar="PARTNER")
@click.option(
    "--valid-from",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help="The first day of the new version, today or later.",
)
@prepared_by_option
@changed_terms_options
@click.option("--point-currency", help="In which points it issues: the coalition's or its own.")
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition partner contract propose "Corner Shop" --valid-from 2027-01-01'
    " --issue-price 0.013 --prepared-by anna"
)
def propose(
    context: click.Context,
    *,
    partner_name: str,
    valid_from: datetime,
    prepared_by: str,
    changes: Mapping[str, object],
    point_currency: str | None,
    as_json: bool,
) -> None:
    """Propose a further version of the contract of PARTNER (its name, number or id).

    What is not given stays as it is before that day. It holds when a second person approves it.
    """

    async def prepare(at: datetime) -> UUID:
        known = await read_catalogue()
        found = find_partner(known, partner_name)
        day = valid_from.date()
        wanted = dict(changes)
        if point_currency is not None:
            wanted["point_currency_no"] = known.currency(point_currency).no
        return await contracts.prepare(
            partner_no=found.no,
            terms=with_changes(version_before(known, found.no, day), wanted),
            valid_from=day,
            prepared_by=prepared_by,
            at=at,
        )

    _SECOND.propose(context, prepare, as_json=as_json)


def add_to(group: click.Group) -> None:
    """Give `group` the commands by which a contract changes."""
    group.add_command(propose)
    _SECOND.add_to(group)


def version_before(known: Catalogue, partner_no: int, day: date) -> Contract:
    """Return the version that holds just before `day`, or the first where none does."""
    versions = sorted(known.contracts_of(partner_no), key=lambda one: one.valid_from)
    return next((one for one in reversed(versions) if one.valid_from < day), versions[0])


def with_changes(contract: Contract, changes: Mapping[str, object]) -> ContractTerms:
    """Return the terms of `contract` with the `changes` that options said."""
    plain = {name: getattr(contract, name) for name in ContractTerms.__struct_fields__}
    changed = {**plain, **changes}
    return ContractTerms(**in_minor_units(changed, changed["currency"]))


def _described(known: Catalogue, one: Approval) -> Row:
    wanted = msgspec.json.decode(one.payload, type=PreparedContract)
    before = shown_terms(version_before(known, wanted.partner_no, wanted.valid_from))
    terms = shown_terms(wanted.terms)
    changes = {
        name: {"from": before[name], "to": value}
        for name, value in terms.items()
        if value != before[name]
    }
    return {
        "partner": known.partner(wanted.partner_no).name,
        "valid_from": wanted.valid_from,
        "timezone": wanted.timezone,
        "changes": changes,
        "terms": terms,
    }


def _in_cells(row: Row) -> Row:
    changes = row["changes"]
    assert isinstance(changes, dict), "a row has its changes by name"
    told = [f"{name}: {one['from']} -> {one['to']}" for name, one in changes.items()]
    return row | {"changes": "; ".join(told)}


async def _approve(by: Signature) -> Row:
    return shown_terms(await contracts.sign(by.approval_id, approved_by=by.approved_by, at=by.at))


_SECOND = SecondPerson(
    kind=contracts.KIND,
    command="partner contract",
    approves="Sign what was proposed under APPROVAL_ID, as another person than who proposed it.",
    describe=_described,
    approve=_approve,
    waiting_columns=(
        "approval_id", "partner", "valid_from", "changes", "prepared_by", "expires_at",
    ),
    in_cells=_in_cells,
)  # fmt: skip
