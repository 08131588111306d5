"""From what a till says to what the ledger is asked: contract, rule, store, days and provenance."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from coalition.kernel.errors import Refused
from coalition.kernel.ids import database_id
from coalition.ledger.drafts import (
    Capture,
    Draft,
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
from coalition.points.covering import check_credit
from coalition.points.deciding import Drafted
from coalition.points.judging import Known, ask, grants_of
from coalition.points.owing import recovery_by_contract
from coalition.points.refusals import NotInContract, OneMemberNeeded, UnknownCard
from coalition.points.terms import Terms, check_time


def draft(
    asked: Asked, terms: Terms, known: Known, at: datetime, till: Till | None = None
) -> Drafted | PostingAnswer | Refused:
    """Return the draft, the answer where nothing needs posting, or the refusal.

    `known` tells who holds the cards of this batch, and what earning rules ask of members. Whether
    a member is there and active is not looked at here. `till` is that of an issue, where it is
    known.
    """
    try:
        terms.catalogue.active_partner(asked.partner_no)
        match asked.command:
            case IssueBody():
                member = member_of(asked.command, known.cards)
                till = till or till_of(asked, asked.command, terms, at)
                check_credit(terms, asked.partner_no, at)
                return _issue(asked, asked.command, terms, known, till=till, member=member)
            case RedeemBody():
                return Drafted(_redeem(asked, asked.command, terms, known.cards, at))
            case CaptureBody(points=points):
                assert asked.target is not None
                return Drafted(Capture(asked.target, asked.partner_no, asked.client_no, points))
            case VoidBody():
                assert asked.target is not None
                return Drafted(Void(asked.target, asked.partner_no))
            case ReverseBody():
                made = _reverse(asked, asked.command, terms, at)
                return Drafted(made, lines=asked.command.lines or ())
            case unknown:
                assert_never(unknown)
    except Refused as refusal:
        return refusal


def member_of(command: IssueBody | RedeemBody | QuoteBody, members: Mapping[str, UUID]) -> UUID:
    """Return whom the command names, by id or by card."""
    if (command.member_id is None) == (command.card is None):
        raise OneMemberNeeded
    if command.member_id is not None:
        return database_id(command.member_id)
    member = members.get(command.card or "")
    if member is None:
        raise UnknownCard
    return member


def till_of(asked: Asked, command: IssueBody | RedeemBody, terms: Terms, at: datetime) -> Till:
    """Return the till as the ledger knows it. Raises what is refused of its store and its time."""
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
    asked: Asked,
    command: IssueBody,
    terms: Terms,
    known: Known,
    *,
    till: Till,
    member: UUID,
) -> Drafted | PostingAnswer:
    contract = terms.catalogue.contract_at(asked.partner_no, command.occurred_at)
    if not contract.issues:
        raise NotInContract("The partner's contract does not let it issue points")
    earned, caps = ask(
        command, terms, known, contract=contract, store_no=till.store_no, member=member
    )
    if not caps and earned.points == 0:
        return PostingAnswer(None, member, 0, earned.reasons)
    bought = command.purchase
    purchase = Purchase(bought.amount_minor, bought.currency) if bought else None
    grants = () if caps else grants_of(earned, contract, terms, till.occurred_at, asked.agreed)
    rule_no = earned.rule.no if earned.rule else None
    issue = Issue(member, till, grants, purchase, rule_no, bool(caps))
    return Drafted(issue, earned, contract, caps)


def _redeem(
    asked: Asked,
    command: RedeemBody,
    terms: Terms,
    members: Mapping[str, UUID],
    at: datetime,
) -> Draft:
    member = member_of(command, members)
    till = till_of(asked, command, terms, at)
    contract = terms.catalogue.contract_at(asked.partner_no, command.occurred_at)
    if not contract.accepts:
        raise NotInContract("The partner's contract does not let it take points")
    currency_no = terms.accepted_currency(asked.partner_no, command.point_currency)
    if isinstance(command, HoldBody):
        expires_at = at + timedelta(seconds=command.expires_in_s)
        return Hold(member, till, currency_no, command.points, expires_at)
    return Redeem(member, till, currency_no, command.points)


def _reverse(asked: Asked, command: ReverseBody, terms: Terms, at: datetime) -> Draft:
    assert asked.target is not None
    contract = terms.catalogue.contract_at(asked.partner_no, at)
    today = terms.day(at)
    till = Till(asked.partner_no, asked.store_no, asked.client_no, None, today, at, command.cashier)
    grace = today + timedelta(days=contract.return_grace_days)
    order = contract.refund_order.value
    debts = recovery_by_contract(terms.catalogue)
    return Reverse(asked.target, till, command.points, order, grace, command.reason, debts)
