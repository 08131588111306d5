"""`coalition membership ledger|gifts`: the money of a member's memberships, and gifts."""

import msgspec
import rich_click as click

from billing.plans import catalogue
from billing.subscriptions import entries, gift_lists, receipts
from billing.subscriptions.entries import Entry
from billing.subscriptions.gift_lists import GiftRow
from billing.subscriptions.views import Receipt
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.kernel.settings import Settings
from coalition.members.sealing import MemberKeys
from server.commands.amounts import in_major
from server.commands.known import find_member
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do

_ENTRIES = ("occurred_at", "kind", "paid", "tax", "period_start", "period_end", "source")
_GIFTS = (
    *("gift_id", "state", "plan", "months", "paid", "bought_by", "made_at", "paid_at"),
    *("valid_until", "redeemed_by", "redeemed_at"),
)
_STATES = ("open", "paid", "redeemed", "expired", "refunded")


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What a member paid and got back, and the receipts of what it did."""

    member_id: MemberId
    entries: list[Entry]
    receipts: list[Receipt]


def add_to(group: click.Group) -> None:
    """Give `group` the commands."""
    group.add_command(ledger)
    group.add_command(gifts)


@click.command()
@click.argument("member")
@place_options
@as_json_option
@click.pass_context
@example("coalition membership ledger asa@exempel.example --json | jq '.receipts[].kind'")
def ledger(context: click.Context, *, member: str, as_json: bool) -> None:
    """List what MEMBER has paid and got back for memberships; --json: its receipts as well.

    MEMBER is an id, a card, an e-mail address or a phone. What came in is positive.
    """

    async def work(settings: Settings) -> Books:
        found = await find_member(member, MemberKeys.of(settings))
        async with transaction() as connection:
            return Books(
                member_id=found,
                entries=await entries.of_member(connection, found),
                receipts=list(await receipts.of_member(connection, found)),
            )

    books = do(place_of(context), work)
    rows = [
        msgspec.structs.asdict(one) | {"paid": _money(one.amount), "tax": _money(one.tax)}
        for one in books.entries
    ]
    answer(books, as_json=as_json, table=lambda: table_of(rows, _ENTRIES))


@click.command()
@click.option("--state", type=click.Choice(_STATES), help="Of one state alone.")
@click.option("--member", help="What this member bought or redeemed: an id, a card, an address.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@place_options
@as_json_option
@click.pass_context
@example("coalition membership gifts --state paid", "coalition membership gifts --json")
def gifts(
    context: click.Context,
    *,
    state: str | None,
    member: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List gifts that members bought, the latest first; the code is theirs alone."""

    async def work(settings: Settings) -> list[GiftRow]:
        meant = None if member is None else await find_member(member, MemberKeys.of(settings))
        async with transaction() as connection:
            plans = await catalogue.load(connection)
            return await gift_lists.listed(connection, plans, state=state, member=meant, most=limit)

    items = do(place_of(context), work)
    rows = [msgspec.structs.asdict(one) | {"paid": _money(one.price)} for one in items]
    answer({"items": items}, as_json=as_json, table=lambda: table_of(rows, _GIFTS))


def _money(amount: Money) -> str:
    return f"{in_major(amount.amount_minor, amount.currency)} {amount.currency}"
