"""`coalition earning simulate`: what a draft would give for a basket, or would have given."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import rich_click as click
from msgspec import Meta

from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.points import replaying
from coalition.points import terms as business
from coalition.points.bonuses import store
from coalition.points.bonuses.compiled import OPERATOR
from coalition.points.bonuses.evaluation import Basket, Evaluation, Line, evaluate
from coalition.points.terms import Terms
from server.commands.earning_files import files_argument, right
from server.commands.known import find_partner
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do
from server.exits import WRONG_INPUT, Stopped
from server.house_clock import HouseClock

_REPLAYED = ("partner", "purchases", "without_lines", "points", "would_be", "more")
_DAY = ["%Y-%m-%d"]


class GivenLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a basket on the command line."""

    amount_minor: Annotated[int, Meta(ge=0)]
    category: str | None = None
    sku: str | None = None
    quantity: Annotated[int, Meta(ge=1)] = 1


class GivenBasket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A basket on the command line; without `occurred_at` it is bought now."""

    partner: str
    currency: str | None = None
    amount_minor: Annotated[int, Meta(ge=0)] = 0
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    store: str | None = None
    lines: tuple[GivenLine, ...] = ()
    measures: dict[str, int] = {}
    tier: str | None = None
    plan: str | None = None
    segments: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


@click.command()
@files_argument
@click.option("--basket", metavar="JSON", help="Explain this basket instead of past purchases.")
@click.option(
    "--from", "begin", type=click.DateTime(_DAY), help="The first day.  [default: 90 days back]"
)
@click.option("--until", "end", type=click.DateTime(_DAY), help="The last day.  [default: today]")
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition earning simulate weekend-fruit.yaml --from 2026-10-01 --until 2026-10-31",
    "coalition earning simulate weekend-fruit.yaml"
    ' --basket \'{"partner": "Corner Shop", "amount_minor": 6000}\'',
)
def simulate(
    context: click.Context,
    *,
    files: tuple[Path, ...],
    basket: str | None,
    begin: datetime | None,
    end: datetime | None,
    as_json: bool,
) -> None:
    """Say what purchases would have earned with the rules in FILE beside those kept.

    A rule in a FILE takes the place of the kept one of its code and holds at all times. Caps begin
    from nothing, and categories count where tills sent lines. Nothing is written.
    """
    given = _given(basket) if basket is not None else None

    async def work(_: Settings) -> dict[str, object]:
        at = HouseClock().now()
        async with transaction() as connection:
            terms = await business.load(connection)
            kept = await store.versions(connection)
            documents = [right(path, terms.catalogue) for path in files]
            since = datetime(1970, 1, 1, tzinfo=UTC)
            rules = replaying.drafted(terms, kept, documents, since)
            if given is not None:
                return _explained(evaluate(rules, _basket(given, terms, at), {}), terms)
            first, last = _span(terms, begin, end, at)
            found = await replaying.replay(connection, terms, rules, begin=first, end=last)
            return _replayed(found, terms, first, last)

    document = do(place_of(context), work)
    if given is not None:
        rows = document["reasons"]
        assert isinstance(rows, list), "the evaluation made it"
        answer(document, as_json=as_json, table=lambda: table_of(rows, ("rule", "points", "text")))
        return
    answer(document, as_json=as_json, table=lambda: table_of(_rows(document), _REPLAYED))


def _given(text: str) -> GivenBasket:
    try:
        return msgspec.json.decode(text, type=GivenBasket)
    except msgspec.DecodeError as wrong:
        raise click.BadParameter(f"this is no basket: {wrong}", param_hint="--basket") from None


def _basket(given: GivenBasket, terms: Terms, at: datetime) -> Basket:
    partner = find_partner(terms.catalogue, given.partner)
    if given.store is not None:
        terms.catalogue.store(partner.no, given.store)
    occurred_at = given.occurred_at or at
    contract = terms.catalogue.contract_at(partner.no, occurred_at)
    return Basket(
        partner_no=partner.no,
        occurred_at=occurred_at,
        local=_local(occurred_at, terms),
        currency=given.currency or contract.currency,
        amount_minor=given.amount_minor,
        store=given.store,
        lines=tuple(
            Line(no, line.amount_minor, line.category, line.sku, line.quantity)
            for no, line in enumerate(given.lines, start=1)
        ),
        measures=given.measures,
        tier=given.tier,
        plan=given.plan,
        segments=given.segments,
        flags=given.flags,
    )


def _explained(evaluation: Evaluation, terms: Terms) -> dict[str, object]:
    return {
        "points": evaluation.points,
        "reasons": [msgspec.to_builtins(reason) for reason in evaluation.reasons],
        "shares": [
            {"rule_no": share.rule_no, "funder": _payer(share.funder_no, terms),
             "points": share.points}
            for share in evaluation.shares
        ],
    }  # fmt: skip


def _span(
    terms: Terms, begin: datetime | None, end: datetime | None, at: datetime
) -> tuple[datetime, datetime]:
    """Return the first and the end of the last day, by default the 90 days up to now."""
    zone = terms.catalogue.zone
    try:
        last = end.replace(tzinfo=zone) + timedelta(days=1) if end is not None else at
        first = begin.replace(tzinfo=zone) if begin is not None else last - timedelta(days=90)
        return first.astimezone(UTC), last.astimezone(UTC)
    except OverflowError:
        raise _where_time_ends() from None


def _local(instant: datetime, terms: Terms) -> datetime:
    try:
        return instant.astimezone(terms.catalogue.zone)
    except OverflowError:
        raise _where_time_ends() from None


def _where_time_ends() -> Stopped:
    return Stopped("the calendar ends there; name a day nearer to today", exit_code=WRONG_INPUT)


def _replayed(
    found: replaying.Replay, terms: Terms, first: datetime, last: datetime
) -> dict[str, object]:
    partners = [
        {
            "partner": terms.catalogue.partner(no).name,
            "purchases": one.purchases,
            "without_lines": one.without_lines,
            "points": one.points,
            "would_be": one.would_be,
            "more": one.more,
        }
        for no, one in sorted(found.partners.items())
    ]
    return {
        "from": first,
        "until": last,
        "partners": partners,
        "rules": dict(found.rules),
        "funders": {_payer(no, terms): points for no, points in sorted(found.funders.items())},
    }


def _rows(document: dict[str, object]) -> list[dict[str, object]]:
    partners = document["partners"]
    assert isinstance(partners, list), "the replay made it"
    whole = {name: sum(row[name] for row in partners) for name in _REPLAYED[1:]}
    return [*partners, {"partner": "all", **whole}]


def _payer(funder_no: int, terms: Terms) -> str:
    return "operator" if funder_no == OPERATOR else terms.catalogue.partner(funder_no).name
