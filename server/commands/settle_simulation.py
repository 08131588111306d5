"""`coalition settle simulate`: what past months would have come to under another contract."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from coalition.federation.catalogue import Catalogue
from coalition.kernel.settings import Settings
from partners.settlement import simulating
from partners.settlement.simulating import (
    STEPS,
    AccountChange,
    LineChange,
    PartyChange,
    Simulation,
    Tell,
)
from server.commands.amounts import in_major, plain
from server.commands.known import find_partner, party_name, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.proposal import version_before, with_changes
from server.commands.second_person import Row
from server.commands.terms import changed_terms_options
from server.databases import do
from server.house_clock import HouseClock

_LINES = (
    *("period", "kind", "origin", "points", "was", "was_vat", "would_be", "would_be_vat"),
    *("more", "currency"),
)
_PARTIES = ("party", "was", "would_be", "more", "currency")
_MONTH = click.DateTime(["%Y-%m"])


@click.command()
@click.argument("partner_name", metavar="PARTNER")
@click.option("--from", "first", type=_MONTH, required=True, help="The first month, as 2026-08.")
@click.option("--to", "last", type=_MONTH, help="The last month.  [default: the first]")
@changed_terms_options
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition settle simulate "Corner Shop" --from 2026-08 --to 2026-10'
    " --mode issuer_on_redemption --issue-price 0.012"
)
def simulate(
    context: click.Context,
    *,
    partner_name: str,
    first: datetime,
    last: datetime | None,
    changes: Mapping[str, object],
    as_json: bool,
) -> None:
    """Replay past months of PARTNER (its name, number or id) under a draft of its contract.

    What is not given stays as it was in the last month. The draft holds for all that happened in
    the months, and for points issued earlier under a version that was in force then. Periods stay
    as they were; adjustments of money by hand are left out. Nothing is written.
    """
    end = (last or first).date()

    async def work(_: Settings) -> Row:
        known = await read_catalogue()
        partner = find_partner(known, partner_name)
        held = version_before(known, partner.no, _month_after(end))
        with _progress() as tell:
            found = await simulating.simulate(
                partner.no,
                with_changes(held, changes),
                first=first.date(),
                last=end,
                at=HouseClock().now(),
                tell=tell,
            )
        return _document(known, found)

    document = do(place_of(context), work)
    lines, parties = document["lines"], [*_rows(document["parties"]), *_rows(document["accounts"])]
    answer(document, as_json=as_json, table=lambda: table_of(_rows(lines), _LINES))
    if not as_json:
        answer(None, as_json=False, table=lambda: table_of(parties, _PARTIES))


def _rows(value: object) -> list[Row]:
    assert isinstance(value, list), "rows of the document"
    return value


def _month_after(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


@contextmanager
def _progress() -> Iterator[Tell]:
    """Show on standard error how much of what was posted has been priced."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Parts", total=STEPS)
        yield lambda: progress.advance(task)


def _document(known: Catalogue, found: Simulation) -> Row:
    return {
        "partner": known.partner(found.partner_no).name,
        "periods": [period.name for period in found.periods],
        "lines": [_line_row(line) for line in found.lines],
        "parties": [_party_row(known, one) for one in found.parties],
        "accounts": [_account_row(one) for one in found.accounts],
    }


def _line_row(line: LineChange) -> Row:
    return {
        "period": line.period,
        "kind": line.kind.name.lower(),
        "origin": line.origin if line.origin != line.period else None,
        "points": line.points,
        "was": in_major(line.was_minor, line.currency),
        "was_vat": in_major(line.was_vat_minor, line.currency),
        "would_be": in_major(line.would_be_minor, line.currency),
        "would_be_vat": in_major(line.would_be_vat_minor, line.currency),
        "more": in_major(line.more_minor, line.currency),
        "more_minor": line.more_minor,
        "currency": line.currency,
    }


def _party_row(known: Catalogue, one: PartyChange) -> Row:
    """Return what a party pays, VAT included."""
    return {
        "party": f"{party_name(known, one.partner_no)} pays",
        "was": in_major(one.was_minor, one.currency),
        "would_be": in_major(one.would_be_minor, one.currency),
        "more": in_major(one.more_minor, one.currency),
        "more_minor": one.more_minor,
        "currency": one.currency,
    }


def _account_row(one: AccountChange) -> Row:
    """Return what comes into an account of the operator, exactly."""
    return {
        "party": f"operator's {one.account.name.lower()} gets",
        "was": plain(one.was),
        "would_be": plain(one.would_be),
        "more": plain(one.more),
        "currency": one.currency,
    }
