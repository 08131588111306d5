"""From what a till says to what the ledger is asked: contract, rule, store, days and provenance."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from coalition.kernel.errors import Refused
from coalition.kernel.money import POINTS_MAX
from coalition.ledger.drafts import (
    Capture,
    Draft,
    Grant,
    Hold,
    Issue,
    Purchase,
    Redeem,
    Reverse,
    Till,
    Void,
)
from coalition.points.commands import (
    Asked,
    CaptureBody,
    HoldBody,
    IssueBody,
    PostingAnswer,
    QuoteBody,
    RedeemBody,
    ReverseBody,
    VoidBody,
)
from coalition.points.owing import recovery_by_contract
from coalition.points.refusals import (
    NoEarningRule,
    NotInContract,
    OneMemberNeeded,
    PurchaseOrPoints,
    TooManyPoints,
    UnknownCard,
)
from coalition.points.rules import EarningRule, earn, why_earned
from coalition.points.terms import Terms, check_time


def draft(
    asked: Asked, terms: Terms, members: Mapping[str, UUID], at: datetime
) -> Draft | PostingAnswer | Refused:
    """Return the draft, the answer where nothing needs posting, or the refusal.

    `members` tells who holds the cards of this batch. Whether a member is there and active is not
    looked at here.
    """
    try:
        terms.catalogue.active_partner(asked.partner_no)
        match asked.command:
            case IssueBody():
                return _issue(asked, asked.command, terms, members, at)
            case RedeemBody():
                return _redeem(asked, asked.command, terms, members, at)
            case CaptureBody(points=points):
                assert asked.target is not None
                return Capture(asked.target, asked.partner_no, asked.client_no, points)
            case VoidBody():
                assert asked.target is not None
                return Void(asked.target, asked.partner_no)
            case ReverseBody():
                return _reverse(asked, asked.command, terms, at)
            case unknown:
                assert_never(unknown)
    except Refused as refusal:
        return refusal


def member_of(command: IssueBody | RedeemBody | QuoteBody, members: Mapping[str, UUID]) -> UUID:
    """Return whom the command names, by id or by card."""
    if (command.member_id is None) == (command.card is None):
        raise OneMemberNeeded
    if command.member_id is not None:
        return command.member_id
    member = members.get(command.card or "")
    if member is None:
        raise UnknownCard
    return member


def _till(asked: Asked, command: IssueBody | RedeemBody, terms: Terms, at: datetime) -> Till:
    check_time(command.occurred_at, at)
    return Till(
        asked.partner_no,
        terms.store(asked.partner_no, command.store, asked.store_no),
        asked.client_no,
        command.receipt,
        terms.day(command.occurred_at),
        command.occurred_at,
        command.cashier,
    )


def _issue(
    asked: Asked, command: IssueBody, terms: Terms, members: Mapping[str, UUID], at: datetime
) -> Draft | PostingAnswer:
    member = member_of(command, members)
    till = _till(asked, command, terms, at)
    contract = terms.catalogue.contract_at(asked.partner_no, command.occurred_at)
    if not contract.issues:
        raise NotInContract("The partner's contract does not let it issue points")
    points, rule = earned(asked.partner_no, command, terms, command.occurred_at)
    bought = command.purchase
    if points == 0:
        return PostingAnswer(None, member, 0, [why_earned(points, rule, bought)])
    purchase = Purchase(bought.amount_minor, bought.currency) if bought else None
    grant = Grant(terms.base_provenance(contract, till.occurred_at), points)
    return Issue(member, till, (grant,), purchase, rule.no if rule else None)


def earned(
    partner_no: int, command: IssueBody | QuoteBody, terms: Terms, occurred_at: datetime
) -> tuple[int, EarningRule | None]:
    """Return the points that a command gives and the rule behind them, if there is one."""
    given = command.points if isinstance(command, IssueBody) else None
    bought = command.purchase
    if (given is None) == (bought is None):
        raise PurchaseOrPoints
    if given is not None or bought is None:
        return given or 0, None
    rule = terms.rules.at(partner_no, bought.currency, occurred_at)
    if rule is None:
        raise NoEarningRule(
            f"There is no earning rule of this partner for {bought.currency} at that time; "
            "agree on one, or name the points",
            currency=bought.currency,
        )
    points = earn(bought.amount_minor, rule)
    if points > POINTS_MAX:
        raise TooManyPoints(
            f"the purchase would earn {points} points and a posting moves at most {POINTS_MAX}; "
            "check the amount, or split the purchase",
            errors=[{"pointer": "/purchase/amount_minor", "detail": "earns too many points"}],
        )
    return points, rule


def _redeem(
    asked: Asked,
    command: RedeemBody,
    terms: Terms,
    members: Mapping[str, UUID],
    at: datetime,
) -> Draft:
    member = member_of(command, members)
    till = _till(asked, command, terms, at)
    contract = terms.catalogue.contract_at(asked.partner_no, command.occurred_at)
    if not contract.accepts:
        raise NotInContract("The partner's contract does not let it take points")
    currency_no = terms.catalogue.coalition.point_currency_no
    if isinstance(command, HoldBody):
        expires_at = at + timedelta(seconds=command.expires_in_s)
        return Hold(member, till, currency_no, command.points, expires_at)
    return Redeem(member, till, currency_no, command.points)


def _reverse(asked: Asked, command: ReverseBody, terms: Terms, at: datetime) -> Draft:
    assert asked.target is not None
    contract = terms.catalogue.contract_at(asked.partner_no, at)
    today = terms.day(at)
    till = Till(asked.partner_no, asked.store_no, asked.client_no, None, today, at)
    grace = today + timedelta(days=contract.return_grace_days)
    order = contract.refund_order.value
    debts = recovery_by_contract(terms.catalogue)
    return Reverse(asked.target, till, command.points, order, grace, command.reason, debts)
