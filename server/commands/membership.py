"""`coalition membership`: what comes from Stripe, if all is here, and how members stand."""

import msgspec
import rich_click as click

from billing.gateway import inbox
from billing.subscriptions import arrivals, reconciling
from billing.subscriptions.reconciling import Report
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from server import payments
from server.commands import (
    membership_books,
    membership_desk,
    membership_figures,
    membership_grants,
    membership_notices,
    membership_unexplained,
)
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

_EVENTS = ("id", "kind", "target", "received_at", "attempts", "failure", "due_at", "handled_at")
_DRIFTS = ("subscription", "member_id", "differences")


@click.group()
def membership() -> None:
    """Show and grant memberships; see what comes from Stripe, and compare everything with it."""


membership_grants.add_to(membership)
membership_figures.add_to(membership)
membership_notices.add_to(membership)
membership_unexplained.add_to(membership)
membership_books.add_to(membership)
membership_desk.add_to(membership)


@membership.command()
@click.option("--failed", is_flag=True, help="Only those that failed and are not handled.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition membership events --failed", "coalition membership events --limit 5 --json")
def events(context: click.Context, *, failed: bool, limit: int, as_json: bool) -> None:
    """List events of Stripe, the latest first.

    One without `due_at` that was not handled was given up: `coalition membership again` has it
    handled again.
    """

    async def work(_: Settings) -> list[dict[str, object]]:
        async with transaction() as connection:
            found = await inbox.listed(connection, only_failed=failed, most=limit)
        return [msgspec.structs.asdict(one) for one in found]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _EVENTS))


@membership.command()
@click.argument("ids", nargs=-1, metavar="[EVENT...]")
@place_options
@click.pass_context
@example("coalition membership again", "coalition membership again evt_1NG8Du2eZvKYlo2CUI79vXWy")
def again(context: click.Context, *, ids: tuple[str, ...]) -> None:
    """Have failed events handled again by the worker, now: those named, or all of them."""

    async def work(settings: Settings) -> list[str]:
        paying = payments.open_payments(settings, SystemClock())
        try:
            async with transaction() as connection:
                return await inbox.again(connection, paying.clock.now(), ids or None)
        finally:
            await paying.close()

    found = do(place_of(context), work)
    say(f"{len(found)} events are handled again.")


@membership.command()
@click.option("--whole", is_flag=True, help="Every subscription, not only what events tell of.")
@click.option("--dry-run", is_flag=True, help="Only tell what differs.")
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition membership reconcile --dry-run", "coalition membership reconcile --whole --json"
)
def reconcile(context: click.Context, *, whole: bool, dry_run: bool, as_json: bool) -> None:
    """Compare memberships with Stripe and repair what differs, as the worker does by itself.

    Each hour it goes by Stripe's events since the last time, each night by every subscription.
    """

    async def work(settings: Settings) -> Report:
        paying = payments.open_payments(settings, SystemClock())
        handler = arrivals.handler(paying.memberships.house)
        try:
            return await reconciling.reconcile(
                handler, paying.clock.now(), whole=whole, dry_run=dry_run
            )
        finally:
            await paying.close()

    report = do(place_of(context), work)
    rows = [msgspec.structs.asdict(one) for one in report.drifts]
    answer(report, as_json=as_json, table=lambda: table_of(rows, _DRIFTS))
    if not as_json:
        say(
            f"{report.looked_at} subscriptions were compared, {report.drifted} differed, "
            f"{report.repaired} were repaired; {report.missed_events} events had never come. "
            f"{report.unexplained_count} are unexplained: `coalition membership unexplained`."
        )
