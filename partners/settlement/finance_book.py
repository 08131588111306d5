"""What finance sees of the whole: periods of all partners, the money book and its proof."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.handlers import ASGIRouteHandler
from msgspec import Meta

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import UnknownPartner
from coalition.kernel.database import transaction
from coalition.kernel.ids import time_of
from coalition.kernel.web.fields import Body
from coalition.kernel.web.hot import Answer, Call, Door, HotEndpoint, hot_route
from coalition.ledger import money
from coalition.ledger.money import Balance
from partners.settlement import figures, period_list, periods, proof
from partners.settlement.finance_words import (
    READ,
    TAGS,
    ExactText,
    PartnerText,
    PeriodName,
    PlaceText,
    exact_text,
    named,
    number_if_given,
)
from partners.settlement.kinds import StatementState
from partners.settlement.period_list import Listed, Place, Wanted
from partners.settlement.proof import FundProof


class PeriodsQuery(Body, frozen=True):
    """Which periods are wanted."""

    partner: PartnerText | None = None
    state: StatementState | None = None
    name: PeriodName | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="How many at most")] = 50
    cursor: PlaceText | None = None


class PeriodView(msgspec.Struct, frozen=True, kw_only=True):
    """A period of a partner, and what is to be done with it now: `seal`, `close` or `clear`."""

    partner_id: UUID | None
    partner: str
    period: str
    starts_at: datetime
    ends_at: datetime
    cut_off_at: datetime
    calendar: str
    timezone: str
    state: StatementState
    due: str | None
    statement_id: UUID | None


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for a drain: live statements price it, closed ones never hold it."""

    postings: int
    oldest_seconds: float
    last_drain_at: datetime | None


class PeriodPage(msgspec.Struct, frozen=True, kw_only=True):
    """Periods, the latest end first, with what waits in the whole coalition."""

    items: list[PeriodView]
    next_cursor: str | None
    queue: QueueView
    unsealed_periods: int
    provisional_statements: int


class BookQuery(Body, frozen=True):
    """Whether the fund is to be proved too."""

    fund_proof: Annotated[
        bool, Meta(description="Prove the fund from lots and postings; slow, it reads all of them")
    ] = False


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """The balance of an account; debits are positive, so above zero a partner owes."""

    account: str
    partner_id: UUID | None
    partner: str
    currency: str
    balance: ExactText


class ProofView(msgspec.Struct, frozen=True, kw_only=True):
    """fund + queued = liability + unreleased_margin + difference, and difference is 0."""

    fund: ExactText
    queued: ExactText
    liability: ExactText
    unreleased_margin: ExactText
    difference: ExactText


class CurrencyView(msgspec.Struct, frozen=True, kw_only=True):
    """One currency of the book: cash + receivables - payables = fund + own; sum is 0."""

    currency: str
    sum: ExactText
    cash: ExactText
    receivables: ExactText
    payables: ExactText
    fund: ExactText
    own: ExactText
    fund_proof: ProofView | None


class TrialBalance(msgspec.Struct, frozen=True, kw_only=True):
    """The money book as it is now; it is in balance when every currency comes to 0."""

    in_balance: bool
    currencies: list[CurrencyView]
    accounts: list[AccountView]


def book_routes(door: Door) -> list[ASGIRouteHandler]:
    """Return the handlers of periods and of the money book."""
    return [
        hot_route(door, "/v1/admin/settlement/periods", _PERIODS),
        hot_route(door, "/v1/admin/settlement/trial-balance", _BALANCE),
    ]


async def _list_periods(call: Call) -> Answer:
    asked: PeriodsQuery = call.query
    await periods.ensure(call.at)
    async with transaction() as connection:
        known = await catalogue.load(connection)
        wanted = Wanted(number_if_given(known, asked.partner), asked.state, asked.name)
        after = None if asked.cursor is None else Place.read(asked.cursor)
        found, following = await period_list.page(
            connection, wanted, after=after, limit=asked.limit
        )
        waiting = await figures.oldest_waiting(connection)
        progress = await figures.progress(connection, call.at)
    oldest_at = min((time_of(batch) for batch in waiting.values()), default=call.at)
    return Answer(
        200,
        PeriodPage(
            items=[_period(known, one, call.at) for one in found],
            next_cursor=None if following is None else following.written(),
            queue=QueueView(
                postings=progress.queued_postings,
                oldest_seconds=max(0.0, (call.at - oldest_at).total_seconds()),
                last_drain_at=progress.last_drain_at,
            ),
            unsealed_periods=progress.unsealed_periods,
            provisional_statements=progress.provisional_statements,
        ),
    )


def _period(known: Catalogue, one: Listed, at: datetime) -> PeriodView:
    who = named(known, one.partner_no)
    return PeriodView(
        partner_id=who.partner_id,
        partner=who.partner,
        period=one.name,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
        cut_off_at=one.cut_off_at,
        calendar=one.calendar,
        timezone=one.timezone,
        state=StatementState(one.state),
        due=one.due(at),
        statement_id=one.statement,
    )


async def _show_balance(call: Call) -> Answer:
    asked: BookQuery = call.query
    async with transaction() as connection:
        known = await catalogue.load(connection)
        balances = await money.trial_balance(connection)
    proofs = await proof.prove(call.at) if asked.fund_proof else []
    by_currency = {one.currency: one for one in proofs}
    currencies = sorted({one.currency for one in balances} | by_currency.keys())
    views = [_currency(one, balances, by_currency.get(one)) for one in currencies]
    zero = exact_text(money.PLACES * 0)
    return Answer(
        200,
        TrialBalance(
            in_balance=all(one.sum == zero for one in views),
            currencies=views,
            accounts=[_account(known, one) for one in balances],
        ),
    )


def _account(known: Catalogue, one: Balance) -> AccountView:
    who = named(known, one.partner_no)
    return AccountView(
        account=one.account.name.lower(),
        partner_id=who.partner_id,
        partner=who.partner,
        currency=one.currency,
        balance=exact_text(one.amount),
    )


def _currency(currency: str, balances: list[Balance], proved: FundProof | None) -> CurrencyView:
    own = [one for one in balances if one.currency == currency]
    sides = {name: exact_text(amount) for name, amount in proof.sides_of(own).items()}
    total = sum((one.amount for one in own), money.PLACES * 0)
    return CurrencyView(
        currency=currency, sum=exact_text(total), fund_proof=_proof(proved), **sides
    )


def _proof(proved: FundProof | None) -> ProofView | None:
    if proved is None:
        return None
    return ProofView(
        fund=exact_text(proved.fund),
        queued=exact_text(proved.queued),
        liability=exact_text(proved.liability),
        unreleased_margin=exact_text(proved.unreleased_margin),
        difference=exact_text(proved.difference),
    )


_PERIODS = HotEndpoint(
    method="GET",
    summary="The periods of all partners, and what is due",
    description=(
        "The latest end first. `due` says what finance can do now; a period whose cut-off is over "
        "is sealed by the worker by itself."
    ),
    handle=_list_periods,
    query=PeriodsQuery,
    answers={200: PeriodPage},
    scope=READ,
    refusals=(UnknownPartner,),
    tags=TAGS,
)

_BALANCE = HotEndpoint(
    method="GET",
    summary="The money book: what every account comes to, and the proof of the fund",
    handle=_show_balance,
    query=BookQuery,
    answers={200: TrialBalance},
    scope=READ,
    tags=TAGS,
)
