"""`coalition guard cases|case|cashiers|near-duplicates`: what the guards noticed, and decisions."""

from datetime import timedelta
from uuid import UUID

import msgspec
import rich_click as click

from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.ledger.accounts import Kind
from coalition.points.guards import cases as guard_cases
from coalition.points.guards import reports
from coalition.points.guards.cases import CaseState
from server.commands.card import by_option
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
from server.databases import do
from server.house_clock import HouseClock

_CASES = ("id", "rule", "subject", "state", "acts", "opened_at", "last_hit_at", "decided_by")
_HITS = (
    *("outcome", "seen_from", "seen_until", "reached", "most", "acts"),
    *("cashiers", "confirmed_by", "postings"),
)
_CASHIERS = (
    *("partner", "cashier", "issues", "issued_points", "manual_points", "manual_percent"),
    *("redemptions", "redeemed_points", "reversals", "reversal_percent"),
    *("members", "member", "member_percent"),
)
_PAIRS = (
    *("partner", "store", "kind", "member", "amount", "currency"),
    *("first_receipt", "second_receipt", "apart_s", "first", "second"),
)
_note_option = click.option("--note", required=True, help="Why; kept with the case.")
_partner_option = click.option("--partner", "partner_name", help="Only at this partner.")


@click.command()
@click.option(
    "--state",
    type=click.Choice([*(str(state) for state in CaseState), "all"]),
    default="open",
    show_default=True,
    help="Which cases.",
)
@_partner_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition guard cases --data data/demo", "coalition guard cases --state all --json")
def cases(
    context: click.Context, *, state: str, partner_name: str | None, limit: int, as_json: bool
) -> None:
    """List cases, the one last hit first."""

    async def work(_: Settings) -> list[dict[str, object]]:
        partner_no = await _partner_no(partner_name)
        async with transaction() as connection:
            found = await guard_cases.list_cases(
                connection,
                state=None if state == "all" else CaseState(state),
                partner_no=partner_no,
                limit=limit,
            )
        return [msgspec.structs.asdict(one) for one in found]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _CASES))


@click.group()
def case() -> None:
    """Look into one case, decide it, freeze its member."""


@case.command()
@click.argument("case_id", type=click.UUID)
@place_options
@as_json_option
@click.pass_context
@example("coalition guard case show 01a2002b-a045-7632-8982-1587a375b00b --json")
def show(context: click.Context, *, case_id: UUID, as_json: bool) -> None:
    """Show CASE_ID with what passed the number, slot by slot."""

    async def work(_: Settings) -> dict[str, object]:
        async with transaction() as connection:
            found, hits = await guard_cases.show(connection, case_id)
        shown = [msgspec.structs.asdict(hit) for hit in hits]
        return msgspec.structs.asdict(found) | {"hits": shown}

    document = do(place_of(context), work)
    hits = document["hits"]
    assert isinstance(hits, list), "made above"
    rows = [hit | {name: ", ".join(map(str, hit[name])) for name in _HITS[-3:]} for hit in hits]
    title = f"{document['rule']}, {document['subject']}: {document['state']}"
    answer(document, as_json=as_json, table=lambda: table_of(rows, _HITS, title))


@case.command()
@click.argument("case_id", type=click.UUID)
@_note_option
@by_option
@place_options
@click.pass_context
@example(
    "coalition guard case clear 01a2002b-a045-7632-8982-1587a375b00b"
    ' --note "a canteen\'s card" --by anna'
)
def clear(context: click.Context, *, case_id: UUID, note: str, by: str) -> None:
    """Close CASE_ID: there was nothing in it."""
    _decide(context, case_id, CaseState.CLEARED, note, by)
    say("The case is cleared.")


@case.command()
@click.argument("case_id", type=click.UUID)
@_note_option
@by_option
@place_options
@click.pass_context
@example(
    "coalition guard case confirm 01a2002b-a045-7632-8982-1587a375b00b"
    ' --note "own card, admitted" --by anna'
)
def confirm(context: click.Context, *, case_id: UUID, note: str, by: str) -> None:
    """Close CASE_ID: it was what the guard took it for."""
    _decide(context, case_id, CaseState.CONFIRMED, note, by)
    say("The case is confirmed.")


@case.command()
@click.argument("case_id", type=click.UUID)
@click.option("--member", type=click.UUID, help="Whom.  [default: the case's member]")
@by_option
@place_options
@click.pass_context
@example("coalition guard case freeze 01a2002b-a045-7632-8982-1587a375b00b --by anna")
def freeze(context: click.Context, *, case_id: UUID, member: UUID | None, by: str) -> None:
    """Stop the points of the member of CASE_ID until `unfreeze`."""

    async def work(_: Settings) -> UUID:
        at = HouseClock().now()
        return await guard_cases.freeze(case_id, actor=by, at=at, member_id=member)

    say(f"The member {do(place_of(context), work)} is frozen.")


@case.command()
@click.argument("case_id", type=click.UUID)
@click.option("--member", type=click.UUID, help="Whom.  [default: the case's member]")
@by_option
@place_options
@click.pass_context
@example("coalition guard case unfreeze 01a2002b-a045-7632-8982-1587a375b00b --by anna")
def unfreeze(context: click.Context, *, case_id: UUID, member: UUID | None, by: str) -> None:
    """Let the points of the member of CASE_ID move again."""

    async def work(_: Settings) -> UUID:
        at = HouseClock().now()
        return await guard_cases.unfreeze(case_id, actor=by, at=at, member_id=member)

    say(f"The member {do(place_of(context), work)} is active.")


@click.command()
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True)
@_partner_option
@place_options
@as_json_option
@click.pass_context
@example("coalition guard cashiers --days 30 --json")
def cashiers(context: click.Context, *, days: int, partner_name: str | None, as_json: bool) -> None:
    """Report by cashier: points without a purchase, reversals, and points to a single member.

    `member` got the most of the cashier's points, `member_percent` of them: a cashier's own card
    shows itself there. Postings of the last DAYS days that name a cashier are counted.
    """

    async def work(_: Settings) -> list[dict[str, object]]:
        since = HouseClock().now() - timedelta(days=days)
        partner_no = await _partner_no(partner_name)
        async with transaction() as connection:
            found = await reports.by_cashier(connection, since, partner_no=partner_no)
        return await _named([msgspec.structs.asdict(one) for one in found])

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _CASHIERS))


@click.command("near-duplicates")
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True)
@click.option("--minutes", type=click.IntRange(1, 1440), default=10, show_default=True)
@_partner_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition guard near-duplicates --days 7 --minutes 10")
def near_duplicates(
    context: click.Context,
    *,
    days: int,
    minutes: int,
    partner_name: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Report pairs of postings of one member, store and amount within MINUTES, on two receipts."""

    async def work(_: Settings) -> list[dict[str, object]]:
        partner_no = await _partner_no(partner_name)
        async with transaction() as connection:
            found = await reports.nearly_twice(
                connection,
                HouseClock().now() - timedelta(days=days),
                within=timedelta(minutes=minutes),
                partner_no=partner_no,
                limit=limit,
            )
        return await _named([_pair(one) for one in found])

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _PAIRS))


def _pair(one: reports.NearlyTwice) -> dict[str, object]:
    apart_s = int((one.second_at - one.first_at).total_seconds())
    return one._asdict() | {"kind": Kind(one.kind).name.lower(), "apart_s": apart_s}


def _decide(context: click.Context, case_id: UUID, state: CaseState, note: str, by: str) -> None:
    async def work(_: Settings) -> None:
        await guard_cases.decide(case_id, state, actor=by, note=note, at=HouseClock().now())

    do(place_of(context), work)


async def _partner_no(name: str | None) -> int | None:
    return None if name is None else find_partner(await read_catalogue(), name).no


async def _named(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return `rows` with the names of partners and stores in place of their numbers."""
    known = await read_catalogue()
    partners = {partner.no: partner.name for partner in known.partners}
    stores = {store.no: store.code for store in known.stores}
    for row in rows:
        row["partner"] = partners.get(int(str(row.pop("partner_no"))))
        if "store_no" in row:
            store_no = row.pop("store_no")
            row["store"] = None if store_no is None else stores.get(int(str(store_no)))
    return rows
