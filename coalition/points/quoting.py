"""What a purchase would earn at a partner, and what the member's points could pay of it."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from coalition.federation.terms import Contract
from coalition.kernel.database import Connection
from coalition.ledger import holders
from coalition.members import queries
from coalition.points.balances import Wanted, survivors
from coalition.points.commands import BalanceAnswer, Purchase, QuoteAnswer, QuoteBody
from coalition.points.covering import why_withheld
from coalition.points.drafting import member_of
from coalition.points.judging import quote
from coalition.points.refusals import UnknownCard
from coalition.points.rules import payable
from coalition.points.service import digest_or_none
from coalition.points.terms import Terms, check_time


class Quoted(NamedTuple):
    """A quote, which may lack the member's balance yet, and the contract that it was made by."""

    answer: QuoteAnswer
    contract: Contract


async def quote_purchase(
    connection: Connection,
    body: QuoteBody,
    terms: Terms,
    *,
    partner_no: int,
    store_no: int | None,
    card_key: bytes,
    at: datetime,
) -> Quoted:
    """Return what a purchase would earn at this partner; without a time it is made at `at`."""
    occurred_at = body.occurred_at or at
    body = structs.replace(body, occurred_at=occurred_at)
    member = await _member(connection, body, card_key)
    terms.catalogue.active_partner(partner_no)
    store = terms.store(partner_no, body.store, store_no)
    check_time(occurred_at, at)
    contract = terms.catalogue.contract_at(partner_no, occurred_at)
    withheld = why_withheld(terms, partner_no, at) if contract.issues else []
    answer = QuoteAnswer(0, withheld, member)
    if contract.issues and not withheld:
        earned = await quote(
            connection, body, terms, contract=contract, store_no=store, member=member
        )
        answer = QuoteAnswer(earned.points, earned.reasons, member)
    return Quoted(answer, contract)


def with_balance(quoted: Quoted, told: BalanceAnswer, bought: Purchase | None) -> QuoteAnswer:
    """Return the quote with what the member can spend, and what of the purchase that could pay."""
    answer, contract = quoted
    answer.balance = told.balance
    answer.own_balance, answer.pool_balance = told.own_balance, told.pool_balance
    if bought is not None and contract.accepts and contract.currency == bought.currency:
        amount, price = bought.amount_minor, contract.redemption_price
        answer.payable = payable(told.balance, amount, contract.currency, price)
    return answer


async def _member(connection: Connection, body: QuoteBody, card_key: bytes) -> UUID | None:
    if body.member_id is None and body.card is None:
        return None
    members: dict[str, UUID] = {}
    if body.card is not None:
        digest = digest_or_none(card_key, body.card)
        found = await queries.holders_of_cards(connection, [digest] if digest else [])
        if digest not in found:
            raise UnknownCard
        members = {body.card: found[digest]}
    member = member_of(body, members)
    known = await holders.read_states(connection, {member})
    [wanted] = await survivors(connection, [Wanted(member)], known)
    return wanted.member
