"""`coalition settle balance`: the money book as a whole, and what the points fund must hold."""

from collections import defaultdict
from decimal import Decimal

import msgspec
import rich_click as click

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from coalition.ledger import money
from coalition.ledger.money import Balance
from partners.settlement import proof
from partners.settlement.proof import FundProof
from server.commands.amounts import plain
from server.commands.known import party_name, read_catalogue
from server.commands.options import (
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    table_of,
)
from server.databases import do
from server.exits import ANSWER_IS_NO
from server.house_clock import HouseClock

_BALANCE = ("account", "partner", "currency", "debit", "credit")
_PROOF = (
    *("currency", "fund", "queued", "liability", "unreleased_margin", "difference"),
    *("cash", "receivables", "payables", "own"),
)


@click.command()
@click.option("--proof", "with_proof", is_flag=True, help="Prove the fund too: reads all postings.")
@place_options
@as_json_option
@click.pass_context
@example("coalition settle balance", "coalition settle balance --proof --json")
def balance(context: click.Context, *, with_proof: bool, as_json: bool) -> None:
    """Show the trial balance: what every account of the money book comes to, exactly.

    Debits and credits are equal in each currency; ends with 1 when they are not. With --proof also
    that the points fund holds what unspent points are worth, from the lots and the postings anew.
    """

    async def work(_: Settings) -> dict[str, object]:
        known = await read_catalogue()
        async with transaction() as connection:
            balances = await money.trial_balance(connection)
        proofs = await proof.prove(HouseClock().now()) if with_proof else []
        return {
            "accounts": [_row(known, one) for one in balances],
            "out_of_balance": _differences(balances),
            "proof": [_proof_row(one) for one in proofs],
            "ok": not _differences(balances) and not any(one.difference for one in proofs),
        }

    found = do(place_of(context), work)
    accounts, proofs = found["accounts"], found["proof"]
    assert isinstance(accounts, list), "a list of accounts"
    assert isinstance(proofs, list), "a list of proofs"
    answer(found, as_json=as_json, table=lambda: table_of(_with_sums(accounts), _BALANCE))
    if proofs and not as_json:
        answer(None, as_json=False, table=lambda: table_of(proofs, _PROOF))
    if not found["ok"]:
        context.exit(ANSWER_IS_NO)


def _row(known: Catalogue, one: Balance) -> dict[str, object]:
    return {
        "account": one.account.name.lower(),
        "partner": party_name(known, one.partner_no) if one.partner_no else None,
        "currency": one.currency,
        "debit": plain(one.amount) if one.amount > 0 else None,
        "credit": plain(-one.amount) if one.amount < 0 else None,
    }


def _with_sums(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows with a last one for each currency, in which both sides are equal."""
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        for side in ("debit", "credit"):
            sums[str(row["currency"])][side] += Decimal(str(row[side] or 0))
    return rows + [
        {
            "account": "sum",
            "partner": None,
            "currency": currency,
            "debit": plain(sides["debit"]),
            "credit": plain(sides["credit"]),
        }
        for currency, sides in sorted(sums.items())
    ]


def _differences(balances: list[Balance]) -> dict[str, str]:
    """Return by how much debits exceed credits, by currency; nothing where they are equal."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one in balances:
        sums[one.currency] += one.amount
    return {currency: plain(amount) for currency, amount in sorted(sums.items()) if amount}


def _proof_row(one: FundProof) -> dict[str, object]:
    amounts = {
        name: plain(value)
        for name, value in msgspec.structs.asdict(one).items()
        if isinstance(value, Decimal)
    }
    return {"currency": one.currency, **amounts, "difference": plain(one.difference)}
