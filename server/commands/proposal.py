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
from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
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
from server.commands.terms import changed_terms_options, shown_terms
from server.databases import do

_SHOWN = ("approval_id", "partner", "valid_from", "changes", "prepared_by", "expires_at")


class PersonName(click.ParamType[str]):
    """A person's name for the audit log; however it is spaced or capitalised, it is one person."""

    name = "name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the actor of that name."""
        folded = " ".join(str(value).split()).casefold().removeprefix("staff:")
        if not 1 <= len(folded) <= 100 or not folded.isprintable():
            self.fail(f"{value!r} is no name of 1 to 100 printable characters", param, ctx)
        return f"staff:{folded}"


@click.command()
@click.argument("partner_name", metavar="PARTNER")
@click.option(
    "--valid-from",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help="The first day of the new version, today or later.",
)
@click.option("--prepared-by", type=PersonName(), required=True, help="Who proposes it.")
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

    async def work(_: Settings) -> dict[str, object]:
        at = SystemClock().now()
        known = await read_catalogue()
        found = find_partner(known, partner_name)
        day = valid_from.date()
        wanted = dict(changes)
        if point_currency is not None:
            wanted["point_currency_no"] = known.currency(point_currency).no
        approval_id = await contracts.prepare(
            partner_no=found.no,
            terms=_changed(_before(known, found.no, day), wanted),
            valid_from=day,
            prepared_by=prepared_by,
            at=at,
        )
        rows = await approvals.waiting(at=at, kind=contracts.KIND)
        (prepared,) = (one for one in rows if one.id == approval_id)
        return _row(known, prepared)

    _answer_rows(do(place_of(context), work), as_json=as_json)


@click.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition partner contract waiting --json")
def waiting(context: click.Context, *, as_json: bool) -> None:
    """List proposed versions that wait for their second person, with what they would change."""

    async def work(_: Settings) -> list[dict[str, object]]:
        known = await read_catalogue()
        rows = await approvals.waiting(at=SystemClock().now(), kind=contracts.KIND)
        return [_row(known, one) for one in rows]

    _answer_rows(do(place_of(context), work), as_json=as_json)


@click.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--approved-by", type=PersonName(), required=True, help="Who signs it.")
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition partner contract approve 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --approved-by bertil"
)
def approve(context: click.Context, *, approval_id: UUID, approved_by: str, as_json: bool) -> None:
    """Sign what was proposed under APPROVAL_ID, as another person than who proposed it."""

    async def work(_: Settings) -> Contract:
        return await contracts.sign(approval_id, approved_by=approved_by, at=SystemClock().now())

    signed = shown_terms(do(place_of(context), work))
    rows = [{"term": name, "agreed": value} for name, value in signed.items()]
    answer(signed, as_json=as_json, table=lambda: table_of(rows, ("term", "agreed")))


@click.command()
@click.argument("approval_id", type=click.UUID)
@click.option("--rejected-by", type=PersonName(), required=True, help="Who says no.")
@click.option("--reason", required=True, help="Why; it is kept in the audit log.")
@place_options
@click.pass_context
@example(
    "coalition partner contract reject 0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11 --rejected-by bertil"
    ' --reason "the price is that of last year"'
)
def reject(context: click.Context, *, approval_id: UUID, rejected_by: str, reason: str) -> None:
    """Let what was proposed under APPROVAL_ID never hold; who proposed it may take it back so."""

    async def work(_: Settings) -> None:
        await approvals.reject(
            approval_id,
            rejected_by=rejected_by,
            reason=reason,
            at=SystemClock().now(),
            kind=contracts.KIND,
        )

    do(place_of(context), work)
    say("The proposal is rejected.")


def _before(known: Catalogue, partner_no: int, day: date) -> Contract:
    """Return the version that holds just before `day`, or the first where none does."""
    versions = sorted(known.contracts_of(partner_no), key=lambda one: one.valid_from)
    return next((one for one in reversed(versions) if one.valid_from < day), versions[0])


def _changed(contract: Contract, changes: Mapping[str, object]) -> ContractTerms:
    plain = {name: getattr(contract, name) for name in ContractTerms.__struct_fields__}
    return ContractTerms(**{**plain, **changes})


def _row(known: Catalogue, approval: Approval) -> dict[str, object]:
    """Return what a second person must see of a proposed version."""
    wanted = msgspec.json.decode(approval.payload, type=PreparedContract)
    before = shown_terms(_before(known, wanted.partner_no, wanted.valid_from))
    terms = shown_terms(wanted.terms)
    changes = {
        name: {"from": before[name], "to": value}
        for name, value in terms.items()
        if value != before[name]
    }
    return {
        "approval_id": approval.id,
        "partner": known.partner(wanted.partner_no).name,
        "valid_from": wanted.valid_from,
        "timezone": wanted.timezone,
        "prepared_by": approval.prepared_by,
        "prepared_at": approval.prepared_at,
        "expires_at": approval.expires_at,
        "changes": changes,
        "terms": terms,
    }


def _answer_rows(found: dict[str, object] | list[dict[str, object]], *, as_json: bool) -> None:
    rows = found if isinstance(found, list) else [found]
    shown = [row | {"changes": _as_text(row["changes"])} for row in rows]
    document = {"items": found} if isinstance(found, list) else found
    answer(document, as_json=as_json, table=lambda: table_of(shown, _SHOWN))


def _as_text(changes: object) -> str:
    assert isinstance(changes, dict), "a row has its changes by name"
    return "; ".join(f"{name}: {one['from']} -> {one['to']}" for name, one in changes.items())
