"""`coalition membership figures`: what memberships come to in a month."""

from collections.abc import Iterator

import msgspec
import rich_click as click

from billing.figures import kpis, price_changes
from billing.figures.kpis import Figures
from billing.figures.price_changes import CampaignEffect
from billing.plans import catalogue as plan_catalogue
from coalition.federation import catalogue
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.money import Money
from coalition.kernel.settings import Settings
from coalition.ledger.audit import SNAPSHOT
from server import payments
from server.commands.amounts import in_major
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do

_COLUMNS = ("figure", "of", "value")


@click.command()
@click.option(
    "--month",
    metavar="YYYY-MM",
    help="A month of the coalition's zone; without it the present one so far.",
)
@click.option(
    "--within-days",
    type=click.IntRange(1, 366),
    default=price_changes.WITHIN_DAYS,
    show_default=True,
    help="How long after a new price who leaves counts with its campaign.",
)
@place_options
@as_json_option
@click.pass_context
@example("coalition membership figures", "coalition membership figures --month 2026-10 --json")
def figures(context: click.Context, *, month: str | None, within_days: int, as_json: bool) -> None:
    """Show who holds plans, who left, what they bring and spend, and what benefits cost whom.

    Also how each price did, and what each campaign of prices did beside those not reached by it.
    """
    try:
        asked = None if month is None else msgspec.convert(month, kpis.Month)
    except msgspec.ValidationError:
        raise click.BadParameter("write a month as 2026-10", param_hint="--month") from None

    async def work(settings: Settings) -> Figures:
        paying = payments.open_payments(settings, SystemClock())
        try:
            async with transaction(SNAPSHOT) as connection:
                return await kpis.read(
                    connection,
                    asked,
                    plans=await plan_catalogue.load(connection),
                    known=await catalogue.load(connection),
                    at=paying.clock.now(),
                    within_days=within_days,
                )
        finally:
            await paying.close()

    found = do(place_of(context), work)

    def table() -> object:
        rows = [dict(zip(_COLUMNS, line, strict=True)) for line in lines(found)]
        return table_of(rows, _COLUMNS, title=f"Memberships in {found.month}")

    answer(found, as_json=as_json, table=table)  # type: ignore[arg-type]  # a table of rich


def lines(found: Figures) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table: which figure, of what, and its value."""
    for plan in found.plans:
        standing = f"{plan.active} active, {plan.trialing} on trial, {plan.in_grace} in grace"
        standing += f", {plan.shared} share it" if plan.shared else ""
        yield "members", plan.plan, standing
    churn = found.churn
    yield "churn", "the month", _share(churn.lost, churn.begun, churn.percent)
    for recurring in found.recurring:
        yield (
            "monthly, recurring",
            f"{recurring.memberships} memberships",
            _money(recurring.monthly),
        )
    for spend in found.spend:
        yield "spend per member", "entitled", _money(spend.entitled_mean)
        yield "spend per member", "others", _money(spend.others_mean)
    for cost in found.costs:
        paid = _money(Money(cost.total_minor, cost.currency))
        yield "cost of benefits", cost.partner or "the operator", paid
    for margin in found.margins:
        yield "margin", f"{margin.members} members", _money(margin.margin)
        yield "margin per member", f"{margin.members} members", _money(margin.per_member)
    for price in found.prices:
        of = f"{price.plan}, {_money(price.price)} a {price.interval}"
        lost = _share(price.lost, price.begun, price.churn_percent)
        yield "price", of, f"{lost}; {price.changed} changed, {price.joined} joined"
    for campaign in found.campaigns:
        yield from _of_campaign(campaign)


def _of_campaign(one: CampaignEffect) -> Iterator[tuple[str, str, str]]:
    agreed = f"{one.agreed} of {one.must_agree} agreed"
    yield "campaign", one.campaign, f"{one.told.members} told, {agreed}, {one.applied} applied"
    how = f"{one.changed} pay it, {one.kept} the old one, {one.moved} otherwise, {one.gone} none"
    yield f"{one.within_days} days after it", one.campaign, how
    for name, group in (("told", one.told), ("not told", one.others)):
        yield f"left, {name}", one.campaign, _share(group.left, group.members, group.left_percent)
        monthly = f"{_money(group.recurring_before)} to {_money(group.recurring_after)}"
        yield f"monthly, {name}", one.campaign, monthly


def _share(part: int, whole: int, percent: object) -> str:
    return f"{part} of {whole}" + ("" if percent is None else f" ({percent} %)")


def _money(amount: Money | None) -> str:
    return (
        ""
        if amount is None
        else f"{in_major(amount.amount_minor, amount.currency)} {amount.currency}"
    )


def add_to(group: click.Group) -> None:
    """Add the command to `coalition membership`."""
    group.add_command(figures)
