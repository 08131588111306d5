"""`coalition family`: the families that members have put together, as staff see them."""

from uuid import UUID

import msgspec
import rich_click as click

from coalition.families.doors import family_admin, group_views
from coalition.families.groups.groups import Groups
from coalition.families.groups.paying import WaitingAct
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.notation import Money
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from server.commands.card import by_option
from server.commands.options import (
    ACTOR,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do
from server.house_clock import HouseClock

_SHOWN = ("group_id", "kind", "head", "state", "members", "formed_at")
_ACT = ("act_id", "act", "state", "fee", "payer", "expires_at", "refusal")
_PLACES = ("no", "member_id", "nominee", "role", "kind", "future_percent", "may_spend", "points")


@click.group()
def family() -> None:
    """Look at families: who belongs to them, under which rules, and what they have together."""


@family.command("list")
@click.option("--kind", help="Only families of this kind.")
@click.option(
    "--state", type=click.Choice(["active", "separating", "closed"]), help="Only those in it."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition family list --data data/demo --json")
def list_families(
    context: click.Context, *, kind: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """List families, those that were formed last first."""

    async def work(_: Settings) -> list[dict[str, object]]:
        async with transaction() as connection:
            found = await family_admin.latest(connection, kind=kind, state=state, limit=limit)
        return [msgspec.structs.asdict(one) for one in found]

    rows = do(place_of(context), work)
    answer({"items": rows}, as_json=as_json, table=lambda: table_of(rows, _SHOWN))


@family.command()
@click.argument("family_id", type=click.UUID)
@place_options
@as_json_option
@click.pass_context
@example("coalition family show 3f0c5b52-6d5b-4a86-9f0b-2f2a0f4f7a11 --json")
def show(context: click.Context, *, family_id: UUID, as_json: bool) -> None:
    """Show FAMILY_ID with its places, what of its points is whose, and what is open."""

    async def work(settings: Settings) -> group_views.GroupView:
        groups = Groups(keys=MemberKeys.of(settings))
        return await groups.do(
            lambda connection, book: group_views.show(
                connection, family_id, book, by=By.staff(ACTOR)
            ),
            HouseClock().now(),
        )

    found = do(place_of(context), work)
    rows = [msgspec.structs.asdict(place) for place in found.places]
    title = f"{found.kind}, {found.rule_set} {found.rule_set_version}: {found.state}"
    answer(found, as_json=as_json, table=lambda: table_of(rows, _PLACES, title))


@family.command()
@click.argument("act_id", type=click.UUID)
@click.option("--amount", type=click.IntRange(1), required=True, help="In minor units: öre, cents.")
@click.option("--currency", required=True, help="Such as SEK.")
@by_option
@place_options
@as_json_option
@click.pass_context
@example(
    "coalition family paid 01a2002b-a045-7632-8982-1587a375b00b --amount 500 --currency SEK"
    " --by anna"
)
def paid(
    context: click.Context, *, act_id: UUID, amount: int, currency: str, by: str, as_json: bool
) -> None:
    """Note that the fee of ACT_ID, which waits in a family, was paid, so that it goes on."""

    async def work(settings: Settings) -> WaitingAct:
        return await Groups(keys=MemberKeys.of(settings)).fee_paid(
            act_id,
            paid=Money(amount_minor=amount, currency=currency),
            by=By.staff(by),
            at=HouseClock().now(),
        )

    found = do(place_of(context), work)
    row = msgspec.structs.asdict(found) | {"fee": f"{amount} {currency}"}
    answer(found, as_json=as_json, table=lambda: table_of([row], _ACT))
