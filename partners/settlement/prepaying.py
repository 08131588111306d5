"""Money that a partner pays in beforehand: one person reads it off the bank's, a second agrees.

It lets the partner issue points and stands against what it owes, so whoever could write it down
alone could let a partner issue for nothing. The bank's reference makes it happen once.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.money import AMOUNT_MINOR_MAX, exponent
from coalition.kernel.outbox import Event
from coalition.ledger import money
from coalition.ledger.money import MoneyAccount, MoneyEntry, MoneyKind
from coalition.oversight import approvals, audit_log
from coalition.oversight.approvals import Approval
from partners.settlement import credit
from partners.settlement.kinds import OPERATOR
from partners.settlement.refusals import InvalidPrepayment, PrepaymentBooked

KIND = "settlement_prepayment"
"""The kind of approval by which money is paid in."""

REFERENCE_LONGEST = 64

_BOOKED = """
SELECT -money_entry.amount AS amount, money_entry.currency
FROM money_posting JOIN money_entry ON money_entry.posting = money_posting.id
WHERE subject = $1 AND account = $2
"""


class PreparedPrepayment(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    partner_no: int
    amount_minor: int
    currency: str
    reference: str


class Prepayment(msgspec.Struct, frozen=True):
    """Money that a partner paid in beforehand: the posting in the money book that holds it."""

    posting: UUID
    partner_no: int
    amount_minor: int
    currency: str
    reference: str


async def prepare(
    *,
    partner_no: int,
    amount_minor: int,
    currency: str,
    reference: str,
    prepared_by: str,
    at: datetime,
) -> UUID:
    """Prepare that a partner has paid in `amount_minor`, as the bank says; return the approval.

    Raises `InvalidPrepayment` for what is no amount, in the currency of the partner's contract of
    now, under a reference of 1 to 64 signs; `PrepaymentBooked` where the reference was used before.
    """
    wanted = PreparedPrepayment(partner_no, amount_minor, currency, reference.strip())
    async with transaction() as connection:
        _check(await catalogue.load(connection), wanted, at)
        await _not_booked(connection, wanted)
        return await approvals.prepare(
            kind=KIND,
            subject=f"partner:{partner_no}",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Prepayment:
    """Book it as the second person, and judge everybody's credit anew; raises what `prepare` does.

    Of several that were prepared under one reference the first that is approved is booked.
    """
    booked = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(booked, Prepayment), "the applier of this kind returns the prepayment"
    return booked


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: Approval) -> Prepayment:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    at = approval.decided_at
    wanted = msgspec.json.decode(approval.payload, type=PreparedPrepayment)
    await credit.lock(connection)
    # Tills that found nothing left a moment ago ask again.
    await catalogue.bump(connection)
    known = await catalogue.load(connection)
    _check(known, wanted, at)
    await _not_booked(connection, wanted)
    posting = await _book(connection, wanted, at)
    paid_in = {wanted.partner_no: wanted.amount_minor}
    await credit.judge_locked(connection, known, at, paid_in=paid_in)
    made = Prepayment(posting, **msgspec.structs.asdict(wanted))
    facts = msgspec.structs.asdict(made)
    await outbox.append(connection, [Event("credit.prepaid", facts)], at)
    await audit_log.record(
        connection,
        actor=approval.decided_by,
        action="credit.prepaid",
        subject=approval.subject,
        facts=facts | {"prepared_by": approval.prepared_by},
        at=at,
    )
    return made


async def _book(connection: Connection, wanted: PreparedPrepayment, at: datetime) -> UUID:
    amount = Decimal(wanted.amount_minor).scaleb(-exponent(wanted.currency))
    posting = await money.post(
        connection,
        kind=MoneyKind.PAYMENT,
        subject=_subject(wanted),
        entries=[
            MoneyEntry(MoneyAccount.CASH, OPERATOR, wanted.currency, amount),
            MoneyEntry(MoneyAccount.PARTNER, wanted.partner_no, wanted.currency, -amount),
        ],
        at=at,
    )
    assert posting is not None, "some money was posted"
    return posting


def _subject(wanted: PreparedPrepayment) -> str:
    return f"prepayment:{wanted.partner_no}:{wanted.reference}"


def _check(known: Catalogue, wanted: PreparedPrepayment, at: datetime) -> None:
    """Refuse what is no amount, or in another currency than that of the contract in force."""
    known.partner(wanted.partner_no)
    agreed = known.contract_at(wanted.partner_no, at).currency
    if wanted.currency != agreed:
        raise InvalidPrepayment(f"The contract is in {agreed}; so is what is paid in")
    if not (
        0 < wanted.amount_minor <= AMOUNT_MINOR_MAX
        and 1 <= len(wanted.reference) <= REFERENCE_LONGEST
    ):
        raise InvalidPrepayment


async def _not_booked(connection: Connection, wanted: PreparedPrepayment) -> None:
    booked = await connection.fetchrow(_BOOKED, _subject(wanted), MoneyAccount.PARTNER)
    if booked is not None:
        currency = booked["currency"]
        raise PrepaymentBooked(
            amount_minor=int(booked["amount"].scaleb(exponent(currency))), currency=currency
        )
