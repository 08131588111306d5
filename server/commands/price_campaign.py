"""`coalition plan campaign`: members of an earlier version come to the price on sale."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
import rich_click as click

from billing.plans import catalogue
from billing.subscriptions.campaigns import proposing, reach, rows, running, steering
from billing.subscriptions.campaigns.documents import (
    Campaign,
    CampaignDocument,
    Move,
    PreparedCampaign,
)
from billing.subscriptions.campaigns.reach import DryRun
from coalition.federation.catalogue import Catalogue
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.oversight.approvals import Approval
from server import documents, payments
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import (
    PersonName,
    Row,
    SecondPerson,
    Signature,
    prepared_by_option,
)
from server.databases import do
from server.documents import BadDocumentError
from server.exits import WRONG_INPUT, Stopped
from server.house_clock import HouseClock

_COLUMNS = ("campaign", "plan", "prices", "applies_from", "state", "approved_by")
_STATES = ("told", "scheduled", "ending", "done", "kept", "left")
_TOLD = (
    *("member_id", "subscription", "country", "told_at", "applies_at", "wants_consent"),
    *("agreed_at", "state", "reason"),
)
_STANDS = ("state", "reason", "wants_consent", "has_agreed", "members")


@click.group()
def campaign() -> None:
    """Raise (or lower) what members of an earlier version of a plan pay, as two persons agree."""


@campaign.command("list")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan campaign list")
def list_campaigns(context: click.Context, *, as_json: bool) -> None:
    """List all campaigns."""

    async def work(_: Settings) -> list[Row]:
        async with transaction() as connection:
            return [_row(one) for one in await rows.campaigns(connection)]

    found = do(place_of(context), work)
    answer({"items": found}, as_json=as_json, table=lambda: table_of(found, _COLUMNS))


@campaign.command()
@click.argument("file")
@prepared_by_option
@place_options
@as_json_option
@click.pass_context
@example("coalition plan campaign propose rise.yaml --prepared-by anna")
def propose(context: click.Context, *, file: str, prepared_by: str, as_json: bool) -> None:
    """Propose the campaign in FILE for a second person to approve; try `dry-run` first."""
    document = _read(file)
    with place_of(context).opened() as settings:
        countries = payments.countries_of(settings)

    async def prepare(at: datetime) -> UUID:
        return await proposing.prepare(
            document, countries=countries, prepared_by=prepared_by, at=at
        )

    _SECOND.propose(context, prepare, as_json=as_json)


@campaign.command("dry-run")
@click.argument("what", metavar="FILE|CODE")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan campaign dry-run rise.yaml", "coalition plan campaign dry-run rise --json")
def dry_run(context: click.Context, *, what: str, as_json: bool) -> None:
    """Say whom a campaign would reach now: a FILE, or one that was approved, by its CODE.

    How many by country, who must agree, how much more a month (in minor units), and who is left
    out, by reason. Nothing is written.
    """
    meant = _read(what) if Path(what).is_file() else what

    async def work(settings: Settings) -> DryRun:
        at = HouseClock().now()
        countries = payments.countries_of(settings)
        return await reach.dry_run(await _meant(meant, at), countries, at=at)

    found = do(place_of(context), work)
    answer(msgspec.to_builtins(found), as_json=as_json, table=lambda: _said(found))


@campaign.command()
@click.argument("code", required=False)
@place_options
@as_json_option
@click.pass_context
@example("coalition plan campaign run", "coalition plan campaign run rise --json")
def run(context: click.Context, *, code: str | None, as_json: bool) -> None:
    """Go on with all campaigns, or with CODE, now; the worker does so every ten minutes.

    It may be ended at any time and run again: nobody is told twice, and each pays the price that
    was promised, once.
    """

    async def work(settings: Settings) -> running.Progress:
        paying = payments.open_payments(settings, SystemClock())
        try:
            if code is not None:
                await _known(code)
            house = paying.memberships.house
            return await running.run(house, at=paying.clock.now(), code=code)
        finally:
            await paying.close()

    done = do(place_of(context), work)
    row: Row = msgspec.to_builtins(done)
    answer(row, as_json=as_json, table=lambda: table_of([row], list(row)))


@campaign.command()
@click.argument("code")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan campaign status rise")
def status(context: click.Context, *, code: str, as_json: bool) -> None:
    """Say how many members of the campaign CODE stand how, and why."""

    async def work(_: Settings) -> list[Row]:
        found = await _known(code)
        async with transaction() as connection:
            return [dict(row) for row in await rows.counts(connection, found.no)]

    found = do(place_of(context), work)
    answer({"items": found}, as_json=as_json, table=lambda: table_of(found, _STANDS))


@campaign.command()
@click.argument("code")
@click.option("--by", "by", type=PersonName(), required=True, help="Who stops it.")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan campaign stop rise --by anna")
def stop(context: click.Context, *, code: str, by: str, as_json: bool) -> None:
    """Let the campaign CODE go no further, at once; what is scheduled at Stripe stays."""

    async def work(_: Settings) -> Row:
        return _row(await steering.stop(code, by=by, at=HouseClock().now()))

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _COLUMNS))


@campaign.command()
@click.argument("code")
@click.option("--by", "by", type=PersonName(), required=True, help="Who lets it rest.")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan campaign pause rise --by anna")
def pause(context: click.Context, *, code: str, by: str, as_json: bool) -> None:
    """Let the campaign CODE rest, at once, until `resume`; what is scheduled at Stripe comes.

    Nobody is told and no price is scheduled meanwhile; who was told can agree.
    """

    async def work(_: Settings) -> Row:
        return _row(await steering.pause(code, by=by, at=HouseClock().now()))

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _COLUMNS))


@campaign.command()
@click.argument("code")
@click.option("--by", "by", type=PersonName(), required=True, help="Who lets it go on.")
@place_options
@as_json_option
@click.pass_context
@example("coalition plan campaign resume rise --by anna")
def resume(context: click.Context, *, code: str, by: str, as_json: bool) -> None:
    """Let the campaign CODE, which rests, go on where it was."""

    async def work(_: Settings) -> Row:
        return _row(await steering.resume(code, by=by, at=HouseClock().now()))

    row = do(place_of(context), work)
    answer(row, as_json=as_json, table=lambda: table_of([row], _COLUMNS))


@campaign.command()
@click.argument("code")
@click.option("--state", type=click.Choice(_STATES), help="Of one state alone.")
@click.option("--agreed/--not-agreed", "has_agreed", default=None, help="Who has agreed, or not.")
@click.option("--must-agree", is_flag=True, help="Only who has to agree.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition plan campaign members rise --agreed",
    "coalition plan campaign members rise --must-agree --not-agreed --json",
)
def members(
    context: click.Context,
    *,
    code: str,
    state: str | None,
    has_agreed: bool | None,
    must_agree: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List what members were told in the campaign CODE, who has agreed, and how each stands."""
    wanted = rows.Wanted(state, has_agreed, wants_consent=must_agree or None)

    async def work(_: Settings) -> list[Row]:
        found = await _known(code)
        async with transaction() as connection:
            shown = await rows.members(connection, found.no, wanted, after=None, most=limit)
        return [{name: getattr(one, name) for name in _TOLD} for one in shown]

    found = do(place_of(context), work)
    answer({"items": found}, as_json=as_json, table=lambda: table_of(found, _TOLD))


def _read(file: str) -> CampaignDocument:
    path = Path(file)
    if not path.is_file():
        raise Stopped(f"there is no file {file}", exit_code=WRONG_INPUT)
    try:
        return documents.convert(documents.read_file(path), CampaignDocument)
    except BadDocumentError as bad:
        said = "\n".join(str(problem) for problem in bad.problems)
        text = f"{file} is no campaign, so nothing was done:\n{said}"
        raise Stopped(text, exit_code=WRONG_INPUT) from bad


async def _meant(what: CampaignDocument | str, at: datetime) -> Campaign:
    if isinstance(what, str):
        return await _known(what)
    async with transaction() as connection:
        return proposing.tried(await catalogue.load(connection), what, at)


async def _known(code: str) -> Campaign:
    async with transaction() as connection:
        return await steering.known(connection, code)


def _row(one: Campaign) -> Row:
    return {
        "campaign": one.code,
        "plan": one.document.plan,
        "prices": _prices(one.moves),
        "applies_from": one.document.applies_from,
        "state": one.standing,
        "prepared_by": one.prepared_by,
        "approved_by": one.approved_by,
        "made_at": one.made_at,
        "document": msgspec.to_builtins(one.document),
    }


def _prices(moves: Sequence[Move]) -> str:
    return ", ".join(
        f"{one.from_minor} -> {one.to_minor} {one.currency}/{one.interval}" for one in moves
    )


def _said(found: DryRun) -> str:
    lines = [f"{found.told} would be told now, {found.already_told} were told before."]
    lines += [
        f"  {one.country}: {one.members} from {one.from_minor} to {one.to_minor} {one.currency} a"
        f" {one.interval}, {one.must_agree} must agree, {one.more_a_month} more a month"
        for one in found.groups
    ]
    lines += [f"  left out, {reason}: {count}" for reason, count in found.left_out.items()]
    return "\n".join(lines)


def _described(_: Catalogue, one: Approval) -> Row:
    wanted = msgspec.json.decode(one.payload, type=PreparedCampaign)
    return {
        "campaign": wanted.document.code,
        "plan": wanted.document.plan,
        "prices": _prices(wanted.moves),
        "document": msgspec.to_builtins(wanted.document),
    }


async def _approve(by: Signature) -> Row:
    return _row(await proposing.approve(by.approval_id, approved_by=by.approved_by, at=by.at))


_SECOND = SecondPerson(
    kind=proposing.CAMPAIGN,
    command="plan campaign",
    approves="Let the campaign that was proposed under APPROVAL_ID begin, as another person than"
    " who proposed it.",
    describe=_described,
    approve=_approve,
    waiting_columns=("approval_id", "campaign", "plan", "prices", "prepared_by", "expires_at"),
    done_columns=("campaign", "plan", "prices", "state", "prepared_by", "approved_by"),
)
_SECOND.add_to(campaign)
