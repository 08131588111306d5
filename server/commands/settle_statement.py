"""`coalition settle statement`: what a partner pays and receives, as frozen or as it stands now."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from partners.settlement import credit, line_sources, statements
from partners.settlement.kinds import OPERATOR
from partners.settlement.rules import Line, Total
from partners.settlement.statements import Statement
from server.commands import settle_charges
from server.commands.amounts import in_major, plain
from server.commands.known import find_party, party_name, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.commands.second_person import Row
from server.commands.settle_credit import CREDIT_COLUMNS, credit_row
from server.databases import do
from server.exits import WRONG_INPUT, Stopped
from server.house_clock import HouseClock
from server.place import Place

_LINE = (
    *("line", "kind", "version", "origin", "points", "charges", "exact", "amount"),
    *("vat_code", "vat_rate", "vat"),
)
_LIVE = ("period", "state", "amount", "vat", "net", "currency", "prior_period")


@click.command()
@click.argument("partner_name", metavar="PARTNER")
@click.option("--period", help="Such as 2026-10, 2026-10-H1, 2026-W41.  [default: the running one]")
@click.option("--live", is_flag=True, help="All that is not closed, and what it comes to together.")
@click.option("--lines", "line_no", type=click.IntRange(1), help="The postings behind this line.")
@click.option("--after", help="With --lines: the page after the one that ended with this.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example(
    'coalition settle statement "Corner Shop" --period 2026-10',
    'coalition settle statement "Corner Shop" --live',
    'coalition settle statement "Corner Shop" --period 2026-10 --lines 2 --limit 50',
)
def statement(
    context: click.Context,
    *,
    partner_name: str,
    period: str | None,
    live: bool,
    line_no: int | None,
    after: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show a statement of PARTNER (its name, number or id, or "operator").

    A closed one is as it was frozen. Any other is made from the books now, with what still waits
    for a drain. Positive is what the partner pays, negative what it receives.
    Behind a line stand the postings that a drain has booked; behind fees of a whole period, none.
    """
    place = place_of(context)
    if live:
        _show_live(place, partner_name, as_json=as_json)
    elif line_no is None:
        _show(place, partner_name, period, as_json=as_json)
    else:

        async def work(_: Settings) -> Row:
            found = await _found(partner_name, period, HouseClock().now())
            page = settle_charges.Page(after, limit)
            return await settle_charges.behind(found, _line_of(found, line_no), page)

        settle_charges.show(do(place, work), as_json=as_json)


async def _found(partner_name: str, period: str | None, at: datetime) -> Statement:
    partner_no = find_party(await read_catalogue(), partner_name)
    if period is None:
        return (await statements.live(partner_no, at)).statements[-1]
    return await statements.read(partner_no, period, at)


def _line_of(found: Statement, no: int) -> Line:
    for line in found.lines:
        if line.no == no:
            return line
    message = f"the statement has {len(found.lines)} lines, and none with the number {no}"
    raise Stopped(message, exit_code=WRONG_INPUT)


def _show(place: Place, partner_name: str, period: str | None, *, as_json: bool) -> None:
    async def work(_: Settings) -> Row:
        found = await _found(partner_name, period, HouseClock().now())
        return _row(await read_catalogue(), found, await _origins(found))

    row = do(place, work)
    lines = row["lines"]
    assert isinstance(lines, list), "rows of lines"
    if not as_json:
        answer(None, as_json=False, table=lambda: _title(row))
    answer(row, as_json=as_json, table=lambda: table_of(lines, _columns(lines)))
    if not as_json:
        answer(None, as_json=False, table=lambda: _in_words(row))


def _show_live(place: Place, partner_name: str, *, as_json: bool) -> None:
    async def work(_: Settings) -> Row:
        known = await read_catalogue()
        at = HouseClock().now()
        partner_no = find_party(known, partner_name)
        live = await statements.live(partner_no, at)
        async with transaction() as connection:
            credited = await credit.standing(connection, partner_no, at)
        made = [_row(known, one, await _origins(one)) for one in live.statements]
        return {
            "at": live.at,
            "unsettled_postings": live.unsettled_postings,
            "unpriced_since": live.unpriced_since,
            "net_minor": live.net_minor,
            "credit": None if credited is None else credit_row(known, credited),
            "statements": made,
            "summary": [_summary(one, total) for one in live.statements for total in one.totals],
        }

    row = do(place, work)
    summary, net = row.pop("summary"), row["net_minor"]
    assert isinstance(summary, list), "rows by period"
    assert isinstance(net, dict), "amounts by currency"
    answer(row, as_json=as_json, table=lambda: table_of(summary, _LIVE))
    if not as_json:
        sums = [f"{in_major(amount, currency)} {currency}" for currency, amount in net.items()]
        words = f"In all {', '.join(sums) or 'nothing'}; {_told_waiting(row)}."
        answer(None, as_json=False, table=lambda: words)
        held = row["credit"]
        if isinstance(held, dict):
            answer(None, as_json=False, table=lambda: table_of([held], CREDIT_COLUMNS))


def _told_waiting(row: Row) -> str:
    if row["unpriced_since"]:
        return f"NOT counted is what waits for a drain, since {row['unpriced_since']}"
    return f"{row['unsettled_postings']} postings wait for a drain, and are counted"


async def _origins(found: Statement) -> dict[int, str]:
    """Return the names of the earlier periods that lines belong to."""
    wanted = [line.origin_no for line in found.lines if line.prior_period]
    async with transaction() as connection:
        return await line_sources.period_names(connection, found.head.period.partner_no, wanted)


def _row(known: Catalogue, found: Statement, origins: Mapping[int, str]) -> Row:
    head = found.head
    return {
        "partner": party_name(known, head.period.partner_no),
        "period": head.period.name,
        "from": head.period.starts_at,
        "until": head.period.ends_at,
        "cut_off_at": head.period.cut_off_at,
        "state": head.state,
        "statement_id": head.id,
        "number": head.number,
        "sealed_at": head.sealed_at,
        "closed_at": head.closed_at,
        "closed_by": head.closed_by,
        "approved_by": head.approved_by,
        "charges": head.charges,
        "unpriced_since": found.unpriced_since,
        "digest": head.digest.hex() if head.digest else None,
        "lines": [_line_row(known, line, origins) for line in found.lines],
        "totals": [_total_row(one) for one in found.totals],
        "prior_period": [_total_row(one) for one in found.prior_period],
    }


def _line_row(known: Catalogue, line: Line, origins: Mapping[int, str]) -> Row:
    is_operators = line.contract_no == OPERATOR
    return {
        "line": line.no,
        "kind": line.kind.name.lower(),
        "version": None if is_operators else known.contract(line.contract_no).version,
        "origin": origins.get(line.origin_no),
        "points": line.points,
        "charges": line.charges,
        "exact": plain(line.exact),
        "amount": in_major(line.amount_minor, line.currency),
        "amount_minor": line.amount_minor,
        "currency": line.currency,
        "vat_code": line.vat_code,
        "vat_rate": f"{line.vat_rate.normalize():f}",
        "vat": in_major(line.vat_minor, line.currency),
        "vat_minor": line.vat_minor,
    }


def _total_row(total: Total) -> Row:
    return {
        "currency": total.currency,
        "amount": in_major(total.amount_minor, total.currency),
        "amount_minor": total.amount_minor,
        "vat": in_major(total.vat_minor, total.currency),
        "vat_minor": total.vat_minor,
        "net": in_major(total.net_minor, total.currency),
        "net_minor": total.net_minor,
        "points_funded": total.points_funded,
        "points_redeemed": total.points_redeemed,
    }


def _summary(found: Statement, total: Total) -> Row:
    prior = [one.net_minor for one in found.prior_period if one.currency == total.currency]
    return {
        "period": found.head.period.name,
        "state": found.head.state,
        **_total_row(total),
        "prior_period": in_major(prior[0], total.currency) if prior else None,
    }


def _columns(lines: Sequence[Row]) -> tuple[str, ...]:
    """Return the columns of a statement's table: with the currency where there are several."""
    several = len({line["currency"] for line in lines}) > 1
    return (*_LINE, "currency") if several else _LINE


def _title(row: Row) -> str:
    number = f", number {row['number']}" if row["number"] else ""
    return f"{row['partner']}, {row['period']}: {row['state']}{number}"


def _in_words(row: Row) -> str:
    """Return what the statement comes to, a sentence for each currency."""
    totals = row["totals"]
    assert isinstance(totals, list), "rows by currency"
    sentences = [
        f"{one['amount']} and VAT {one['vat']}: {row['partner']} "
        f"{'pays' if one['net_minor'] >= 0 else 'receives'} {one['net'].lstrip('-')} "
        f"{one['currency']}, for {one['points_funded']} points paid for and "
        f"{one['points_redeemed']} redeemed."
        for one in totals
    ]
    if row["unpriced_since"]:
        sentences.append(f"NOT counted is what waits for a drain, since {row['unpriced_since']}.")
    return "\n".join(sentences) or "Nothing was charged."
