"""What a partner's default does to a cycle that was cleared, by two persons.

The loss is what the defaulter has to pay in the cycle. It falls on its guarantee, then on the
operator's reserve, then on those who would have received (the operator among them), who keep a
claim. A new version of the legs replaces only the defaulter's by these amounts; the old one stays.
See docs/adr/0033.

What the guarantee covers stays owed by the defaulter's account and its leg: prepaid money stands
against it there already, any other guarantee is money that is still to be paid. The rest leaves the
account: the reserve pays, and creditors are owed less.

From the approval on the partner is in default, until two persons say that it is over: it issues no
points, and what becomes of those it funded stands in its contract (`on_default`).
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from coalition.federation import catalogue, defaults
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.money import exponent
from coalition.kernel.outbox import Event
from coalition.ledger import money
from coalition.ledger.money import MoneyAccount, MoneyEntry, MoneyKind
from coalition.oversight import approvals, audit_log
from coalition.oversight.approvals import Approval
from partners.settlement import clearing, cycles
from partners.settlement.cycles import Cycle
from partners.settlement.kinds import OPERATOR
from partners.settlement.netting import Covered, Leg, waterfall
from partners.settlement.refusals import DefaultDiffers, OwesNothing

KIND = "settlement_default"
"""The kind of approval by which a default is borne."""

_LOCK = "SELECT true FROM clearing_cycle WHERE id = $1 FOR UPDATE"
# What was paid in pays the cycles in the order in which they were cleared, defaults among them.
_PREPAID = """
SELECT greatest(0, prepaid_minor - coalesce((
    SELECT sum(greatest(amount_minor, 0)) FROM (
        SELECT DISTINCT ON (earlier.id) amount_minor
        FROM clearing_leg
        JOIN clearing_cycle AS earlier ON earlier.id = clearing_leg.cycle
        JOIN clearing_cycle AS this ON this.id = $3
        WHERE partner_no = $1 AND earlier.currency = this.currency
          AND (earlier.approved_at, earlier.id) < (this.approved_at, this.id)
        ORDER BY earlier.id, version DESC
    ) AS latest), 0))::int8
FROM partner_limit WHERE partner_no = $1 AND currency = $2
"""
_DEFAULT = """
INSERT INTO clearing_default
    (cycle, version, defaulter_no, loss_minor, guarantee_minor, is_prepaid, reserve_minor,
     haircut_minor, made_at, prepared_by, approved_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_CLAIMS = """
INSERT INTO clearing_claim (cycle, version, creditor_no, defaulter_no, amount_minor)
SELECT $1, $2, creditor_no, $3, amount_minor
FROM unnest($4::int4[], $5::int8[]) AS claim (creditor_no, amount_minor)
"""


class Haircut(msgspec.Struct, frozen=True):
    """What a creditor bears of the loss, and claims from the defaulter."""

    creditor_no: int
    amount_minor: int


class PreparedDefault(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval.

    `given_minor` is a guarantee that somebody gave; None is what the defaulter has paid in itself.
    """

    cycle: UUID
    version: int
    """The version of the legs that the default makes."""
    currency: str
    defaulter_no: int
    given_minor: int | None
    limit_minor: int
    """How much the operator's reserve may bear."""
    loss_minor: int
    guarantee_minor: int
    reserve_minor: int
    haircuts: tuple[Haircut, ...]


async def prepare(
    *,
    cycle: UUID,
    defaulter_no: int,
    reserve_minor: int,
    prepared_by: str,
    at: datetime,
    guarantee_minor: int | None = None,
) -> UUID:
    """Prepare what becomes of a cycle when a partner does not pay; return the approval.

    The reserve bears at most `reserve_minor`. The guarantee is `guarantee_minor` if given, else the
    money that the partner has paid in and that its earlier cycles have not used. Raises
    `UnknownCycle`, and `OwesNothing` where the partner has nothing to pay or defaulted before.
    """
    async with transaction() as connection:
        held = await cycles.read(connection, cycle)
        wanted = await _borne(connection, held, defaulter_no, guarantee_minor, reserve_minor)
        return await approvals.prepare(
            kind=KIND,
            subject=f"cycle:{cycle}",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def approve(approval_id: UUID, *, approved_by: str, at: datetime) -> Cycle:
    """Let the loss be borne as prepared, as the second person; return the cycle as it is now.

    Raises what `prepare` does, and `DefaultDiffers` when it would be borne otherwise by now.
    """
    applied = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(applied, Cycle), "the applier of this kind returns the cycle"
    return applied


async def _borne(
    connection: Connection,
    held: Cycle,
    defaulter_no: int,
    given_minor: int | None,
    limit_minor: int,
) -> PreparedDefault:
    """Return who bears what, by the legs as they stand and the money that is there."""
    amounts = {leg.partner_no: leg.amount_minor for leg in held.legs}
    loss = amounts.get(defaulter_no, 0)
    again = any(one.defaulter_no == defaulter_no for one in held.defaults)
    if defaulter_no == OPERATOR or loss <= 0 or again:
        raise OwesNothing(partner_no=defaulter_no)
    guarantee = given_minor
    if guarantee is None:
        guarantee = await connection.fetchval(_PREPAID, defaulter_no, held.currency, held.id) or 0
    creditors = {no: -amount for no, amount in amounts.items() if amount < 0}
    covered = waterfall(loss, guarantee, limit_minor, creditors)
    assert covered.uncovered_minor == 0, "creditors receive at least what one partner pays"
    return PreparedDefault(
        cycle=held.id,
        version=held.versions[-1].version + 1,
        currency=held.currency,
        defaulter_no=defaulter_no,
        given_minor=given_minor,
        limit_minor=limit_minor,
        loss_minor=loss,
        guarantee_minor=covered.guarantee_minor,
        reserve_minor=covered.reserve_minor,
        haircuts=_haircuts(covered),
    )


def _haircuts(covered: Covered) -> tuple[Haircut, ...]:
    return tuple(Haircut(no, amount) for no, amount in sorted(covered.haircuts.items()))


def legs_after(held: Cycle, wanted: PreparedDefault) -> list[Leg]:
    """Return the legs with the defaulter's replaced by what covers it; they still sum to zero."""
    amounts = {leg.partner_no: leg.amount_minor for leg in held.legs}
    amounts[wanted.defaulter_no] = wanted.guarantee_minor
    amounts[OPERATOR] += wanted.reserve_minor
    for haircut in wanted.haircuts:
        amounts[haircut.creditor_no] += haircut.amount_minor
    return [Leg(no, amount) for no, amount in sorted(amounts.items())]


def entries(wanted: PreparedDefault) -> list[MoneyEntry]:
    """Return what the default books: the defaulter's debt goes to reserve and creditors.

    What the operator bears as a creditor is its reserve's as well: it has no account as a partner.
    """
    unit = Decimal(1).scaleb(-exponent(wanted.currency))
    borne = {OPERATOR: wanted.reserve_minor}
    for haircut in wanted.haircuts:
        borne[haircut.creditor_no] = borne.get(haircut.creditor_no, 0) + haircut.amount_minor
    written_off = MoneyEntry(
        MoneyAccount.PARTNER, wanted.defaulter_no, wanted.currency, -sum(borne.values()) * unit
    )
    return [
        written_off,
        *(
            MoneyEntry(
                MoneyAccount.RESERVE if no == OPERATOR else MoneyAccount.PARTNER,
                no,
                wanted.currency,
                amount * unit,
            )
            for no, amount in borne.items()
        ),
    ]


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: Approval) -> Cycle:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    at = approval.decided_at
    wanted = msgspec.json.decode(approval.payload, type=PreparedDefault)
    await connection.fetchval(_LOCK, wanted.cycle)
    held = await cycles.read(connection, wanted.cycle)
    now = await _borne(
        connection, held, wanted.defaulter_no, wanted.given_minor, wanted.limit_minor
    )
    if now != wanted:
        raise DefaultDiffers
    await _write(connection, wanted, approval.prepared_by, approval.decided_by, at)
    await clearing.write_legs(connection, wanted.cycle, wanted.version, legs_after(held, wanted))
    await money.post(
        connection,
        kind=MoneyKind.DEFAULT,
        subject=f"cycle:{wanted.cycle}",
        entries=entries(wanted),
        at=at,
    )
    known = await catalogue.load(connection)
    on_default = known.contract_at(wanted.defaulter_no, at).on_default
    await defaults.declare(
        connection,
        partner_no=wanted.defaulter_no,
        on_default=on_default,
        prepared_by=approval.prepared_by,
        approved_by=approval.decided_by,
        at=at,
    )
    facts = msgspec.structs.asdict(wanted) | {
        "on_default": on_default,
        "haircuts": [msgspec.structs.asdict(one) for one in wanted.haircuts],
    }
    await outbox.append(connection, [Event("clearing.defaulted", facts)], at)
    await audit_log.record(
        connection,
        actor=approval.decided_by,
        action="clearing.defaulted",
        subject=approval.subject,
        facts=facts,
        at=at,
    )
    return await cycles.read(connection, wanted.cycle)


async def _write(
    connection: Connection,
    wanted: PreparedDefault,
    prepared_by: str,
    approved_by: str,
    at: datetime,
) -> None:
    haircuts = [one.amount_minor for one in wanted.haircuts]
    await connection.execute(
        _DEFAULT,
        *(wanted.cycle, wanted.version, wanted.defaulter_no, wanted.loss_minor),
        *(wanted.guarantee_minor, wanted.given_minor is None, wanted.reserve_minor),
        *(sum(haircuts), at, prepared_by, approved_by),
    )
    creditors = [one.creditor_no for one in wanted.haircuts]
    await connection.execute(
        _CLAIMS, wanted.cycle, wanted.version, wanted.defaulter_no, creditors, haircuts
    )
