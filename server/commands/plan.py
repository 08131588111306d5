"""`coalition plan`: what is sold as paid membership; two persons put it on sale."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import rich_click as click

from billing.plans import catalogue, checking, registering, words
from billing.plans.catalogue import Plan, Plans
from billing.plans.countries import CountryDocument
from billing.plans.documents import PlanDocument
from billing.plans.registering import PreparedPlan, PreparedSaleEnd
from billing.subscriptions import selling
from coalition.federation.catalogue import Catalogue
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.oversight.approvals import Approval
from coalition.oversight.refusals import UnknownApproval
from coalition.points.bonuses.checking import Known
from server import documents, payments
from server.commands.known import read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.price_campaign import campaign
from server.commands.second_person import Row, SecondPerson, Signature, prepared_by_option
from server.databases import do
from server.documents import BadDocumentError, Problem
from server.exits import WRONG_INPUT, Stopped
from server.house_clock import HouseClock

_INSTANTS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]
_COLUMNS = ("plan", "version", "state", "name", "prices", "trial_days", "valid_from")
_TERMS = (
    "country",
    "zone",
    "withdrawal_days",
    "trial_end_notice_days",
    "renewal_notice_days",
    "version",
)

_from_option = click.option(
    "--from",
    "begins",
    type=click.DateTime(_INSTANTS),
    help="From when (UTC).  [default: when it is approved]",
)


@click.group()
def plan() -> None:
    """List, show, check, propose and approve plans of paid membership; bring them to Stripe."""


@plan.command("list")
@click.option("--all", "with_all", is_flag=True, help="Also versions that are sold no longer.")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan list", "coalition plan list --all --json")
def list_plans(context: click.Context, *, with_all: bool, as_json: bool) -> None:
    """List the plans that are sold now or will be."""

    async def work(_: Settings) -> list[Row]:
        at = HouseClock().now()
        rows = [_row(one, at) for one in (await _plans()).plans]
        return [row for row in rows if with_all or row["state"] != "ended"]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _COLUMNS))


@plan.command()
@click.argument("code")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan show plus", "coalition plan show plus --json")
def show(context: click.Context, *, code: str, as_json: bool) -> None:
    """Say what the last version of the plan CODE gives; --json: its document."""

    async def work(_: Settings) -> tuple[Row, Plan, dict[str, str]]:
        found = (await _plans()).by_code(code)
        agreed = await read_catalogue()
        names = {str(partner.no): partner.name for partner in agreed.partners}
        return _row(found, HouseClock().now()), found, names

    row, found, names = do(place_of(context), work)
    whole = row | {"document": msgspec.to_builtins(found.document)}
    answer(whole, as_json=as_json, table=lambda: _said(row, found, names))


@plan.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition plan check plus.yaml")
def check(context: click.Context, *, files: tuple[str, ...], as_json: bool) -> None:
    """Say whether each FILE (YAML or JSON) is a plan, and if not, everything that is wrong.

    Partners are those of the coalition; where nobody named one and there is none, nothing is said
    of them. Nothing is written.
    """

    async def work(_: Settings) -> list[Row]:
        known = Known.of(await read_catalogue())
        return _problem_rows(files, known)

    place = place_of(context)
    rows = _problem_rows(files, None) if place.is_nowhere else do(place, work)
    good = "The plan is right." if len(files) == 1 else f"All {len(files)} plans are right."
    answer(
        {"ok": not rows, "problems": rows},
        as_json=as_json,
        table=lambda: table_of(rows, ("file", "line", "key", "text")) if rows else good,
    )
    if rows:
        context.exit(WRONG_INPUT)


@plan.command()
@example("coalition plan schema > plan.schema.json")
def schema() -> None:
    """Print the JSON Schema of a file with a plan."""
    written = msgspec.json.schema(PlanDocument)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(written), indent=2).decode() + "\n")


@plan.command()
@place_options
@as_json_option
@click.pass_context
@example("coalition plan countries")
def countries(context: click.Context, *, as_json: bool) -> None:
    """List the terms of countries: the shipped ones, and those of COALITION_COUNTRIES over them."""
    with place_of(context).opened() as settings:
        found = payments.countries_of(settings).all()
    rows = [_terms(one) for one in found]
    items = [msgspec.to_builtins(one) for one in found]
    answer({"items": items}, as_json=as_json, table=lambda: table_of(rows, _TERMS))


@plan.command()
@click.argument("file")
@_from_option
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example("coalition plan propose plus.yaml --prepared-by anna")
def propose(
    context: click.Context,
    *,
    file: str,
    begins: datetime | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose the plan in FILE for a second person to approve.

    Under a code that there is it is a further version: who has an earlier one keeps it, with its
    price.
    """

    async def prepare(at: datetime) -> UUID:
        known = Known.of(await read_catalogue())
        document, problems = _judged(file, known)
        if document is None or problems:
            said = "\n".join(str(problem) for problem in problems)
            text = f"{file} is no plan, so nothing was done:\n{said}"
            raise Stopped(text, exit_code=WRONG_INPUT)
        return await registering.prepare(
            document, valid_from=_utc(begins), prepared_by=prepared_by, at=at
        )

    _SECOND.propose(context, prepare, as_json=as_json)


@plan.command("end")
@click.argument("code")
@_from_option
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example("coalition plan end plus --from 2027-01-01 --prepared-by anna")
def end_sale(
    context: click.Context,
    *,
    code: str,
    begins: datetime | None,
    prepared_by: str,
    as_json: bool,
) -> None:
    """Propose that the plan CODE is sold no more; who has it keeps it."""

    async def prepare(at: datetime) -> UUID:
        return await registering.prepare_sale_end(
            code, ends_at=_utc(begins), prepared_by=prepared_by, at=at
        )

    _SECOND.propose(context, prepare, as_json=as_json)


@plan.command()
@click.option("--afresh", is_flag=True, help="Bring all again, for another account of Stripe.")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan sync")
def sync(context: click.Context, *, afresh: bool, as_json: bool) -> None:
    """Bring to Stripe what it lacks of plans and prices; interrupted, it goes on where it ended.

    The worker does so every ten minutes, and an order brings its own price.
    """

    async def work(settings: Settings) -> selling.Brought:
        paying = payments.open_payments(settings, SystemClock())
        try:
            return await selling.bring(paying.gateway, at=paying.clock.now(), afresh=afresh)
        finally:
            await paying.close()

    brought = do(place_of(context), work)
    answer(
        brought._asdict(),
        as_json=as_json,
        table=lambda: f"New at Stripe: {brought.products} products, {brought.prices} prices.",
    )


async def _plans() -> Plans:
    async with transaction() as connection:
        return await catalogue.load(connection)


def _judged(file: str, known: Known | None) -> tuple[PlanDocument | None, tuple[Problem, ...]]:
    """Return the plan in a file, and everything that is wrong with it."""
    path = Path(file)
    if not path.is_file():
        raise Stopped(f"there is no file {file}", exit_code=WRONG_INPUT)
    try:
        node = documents.read_file(path)
        document = documents.convert(node, PlanDocument)
    except BadDocumentError as bad:
        return None, bad.problems
    found = checking.complaints(document, known)
    return document, tuple(sorted(node.problem(where, text) for where, text in found))


def _problem_rows(files: Sequence[str], known: Known | None) -> list[Row]:
    return [
        {"file": file, **msgspec.structs.asdict(problem)}
        for file in files
        for problem in _judged(file, known)[1]
    ]


def _row(one: Plan, at: datetime) -> Row:
    prices = [
        f"{price.money.amount_minor} {price.money.currency}/{price.interval}"
        + (f" ({price.eligibility})" if price.eligibility else "")
        for price in one.prices
    ]
    return {
        "plan": one.code,
        "version": one.version,
        "state": _state(one, at),
        "name": one.document.name,
        "prices": ", ".join(prices),
        "trial_days": one.document.trial_days,
        "valid_from": one.valid_from,
        "valid_until": one.valid_until,
        "prepared_by": one.prepared_by,
        "approved_by": one.approved_by,
    }


def _state(one: Plan, at: datetime) -> str:
    if one.is_sold(at):
        return "sold"
    return "to come" if at < one.valid_from and one.valid_until != one.valid_from else "ended"


def _said(row: Row, one: Plan, names: dict[str, str]) -> str:
    gives = [f"  {sentence}" for sentence in words.sentences(one.document, "en", names)]
    head = f"{row['plan']}, version {row['version']} ({row['state']}): {row['name']}"
    return "\n".join([head, f"  {row['prices']}", *gives])


def _terms(one: CountryDocument) -> Row:
    return {
        "country": one.country,
        "zone": one.timezone,
        "withdrawal_days": one.withdrawal_days,
        "trial_end_notice_days": one.trial_end_notice_days,
        "renewal_notice_days": one.renewal_notice_days,
        "version": one.disclosure_version,
    }


def _described(_: Catalogue, one: Approval) -> Row:
    if one.kind == registering.SALE_END:
        end = msgspec.json.decode(one.payload, type=PreparedSaleEnd)
        from_when: object = end.ends_at or "on approval"
        return {"act": "end of sale", "plan": end.plan, "name": None, "from": from_when}
    wanted = msgspec.json.decode(one.payload, type=PreparedPlan)
    return {
        "act": "sale",
        "plan": wanted.document.code,
        "name": wanted.document.name,
        "from": wanted.valid_from or "on approval",
        "document": msgspec.to_builtins(wanted.document),
    }


async def _approve(by: Signature) -> Row:
    signer, at = by.approved_by, by.at
    try:
        kept = await registering.approve(by.approval_id, approved_by=signer, at=at)
    except UnknownApproval:
        kept = await registering.approve_sale_end(by.approval_id, approved_by=signer, at=at)
    return _row(kept, at)


def _utc(begins: datetime | None) -> datetime | None:
    return None if begins is None else begins.replace(tzinfo=UTC)


_SECOND = SecondPerson(
    kind=registering.PLAN,
    further_kinds=(registering.SALE_END,),
    command="plan",
    approves="Put on sale, or end, what was proposed under APPROVAL_ID, as another person than who"
    " proposed it.",
    describe=_described,
    approve=_approve,
    waiting_columns=("approval_id", "act", "plan", "name", "from", "prepared_by", "expires_at"),
    done_columns=("plan", "version", "state", "prices", "valid_from", "prepared_by", "approved_by"),
)
_SECOND.add_to(plan)
plan.add_command(campaign)
