"""Signs contract versions: dated, numbered, by two persons, and never changed afterwards."""

from datetime import date, datetime
from uuid import UUID

import asyncpg
import msgspec

from coalition.federation import catalogue, rules, tables
from coalition.federation.refusals import (
    ContractDayTaken,
    ContractRetroactive,
    InvalidTerms,
    UnknownPartner,
)
from coalition.federation.terms import Contract, ContractTerms
from coalition.kernel.database import Connection, transaction
from coalition.ledger import clocks
from coalition.oversight import approvals, audit_log

KIND = "contract"
"""The kind of approval by which a later version is signed."""


class PreparedContract(msgspec.Struct, frozen=True):
    """What the second person sees and signs: the payload of the approval."""

    partner_no: int
    valid_from: date
    timezone: str
    terms: ContractTerms


async def prepare(
    *,
    partner_no: int,
    terms: ContractTerms,
    valid_from: date,
    prepared_by: str,
    at: datetime,
    timezone: str | None = None,
) -> UUID:
    """Prepare another version of a partner's contract; return the id of its approval.

    It holds from 00:00 of `valid_from` in `timezone` (the zone of the partner's latest version
    unless given): one of today reaches back some hours, to receipts that come in later. Refuses a
    day before today and a day on which a version begins; both are judged again on signing.
    """
    agreed = rules.settled_terms(terms)
    async with transaction() as connection:
        latest = await _latest(connection, partner_no)
        wanted = PreparedContract(
            partner_no, rules.valid_day(valid_from), timezone or latest["timezone"], agreed
        )
        await _check_day(wanted, at)
        await _check_point_currency(connection, wanted)
        return await approvals.prepare(
            kind=KIND,
            subject=f"partner:{partner_no}",
            payload=wanted,
            prepared_by=prepared_by,
            at=at,
        )


async def sign(approval_id: UUID, *, approved_by: str, at: datetime) -> Contract:
    """Sign a prepared version as the second person; return it. It holds from the next batch on."""
    signed = await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=KIND)
    assert isinstance(signed, Contract), "the applier of this kind returns the contract"
    return signed


@approvals.applies(KIND)
async def _apply(connection: Connection, approval: approvals.Approval) -> Contract:
    assert approval.decided_by is not None, "only a decided approval is applied"
    assert approval.decided_at is not None, "only a decided approval is applied"
    wanted = msgspec.json.decode(approval.payload, type=PreparedContract)
    await catalogue.bump(connection)
    latest = await _latest(connection, wanted.partner_no)
    await _check_day(wanted, approval.decided_at)
    return await _write(
        connection,
        wanted,
        version=latest["version"] + 1,
        prepared_by=approval.prepared_by,
        approved_by=approval.decided_by,
        at=approval.decided_at,
    )


async def sign_first(
    connection: Connection,
    *,
    partner_no: int,
    terms: ContractTerms,
    valid_from: date,
    timezone: str,
    signed_by: str,
    at: datetime,
) -> Contract:
    """Sign a new partner's first version as both persons, under the catalogue's lock.

    It alone may begin in the past: without a contract nothing can have been posted that it could
    change.
    """
    return await _write(
        connection,
        PreparedContract(partner_no, rules.valid_day(valid_from), timezone, terms),
        version=1,
        prepared_by=signed_by,
        approved_by=signed_by,
        at=at,
    )


async def _latest(connection: Connection, partner_no: int) -> asyncpg.Record:
    """Return number and zone of the latest version; every partner was made with a first."""
    found = await connection.fetchrow(
        "SELECT version, timezone FROM contract WHERE partner_no = $1"
        " ORDER BY version DESC LIMIT 1",
        partner_no,
    )
    if found is None:
        raise UnknownPartner(partner_no=partner_no)
    return found


async def _check_day(wanted: PreparedContract, at: datetime) -> None:
    today = rules.today_in(rules.zone_named(wanted.timezone), at)
    if wanted.valid_from < today:
        raise ContractRetroactive(
            f"A contract cannot begin before today ({wanted.valid_from}); choose {today} or later",
            earliest=today.isoformat(),
        )
    if await tables.Contract.exists().where(
        tables.Contract.partner_no == wanted.partner_no,
        tables.Contract.valid_from == wanted.valid_from,
    ):
        raise ContractDayTaken(valid_from=wanted.valid_from.isoformat())


async def _check_point_currency(connection: Connection, wanted: PreparedContract) -> None:
    """Refuse a point currency that is neither the coalition's nor the partner's own."""
    owner = await connection.fetchrow(
        "SELECT partner_no FROM point_currency WHERE no = $1", wanted.terms.point_currency_no
    )
    if owner is None or owner[0] not in (None, wanted.partner_no):
        detail = "a partner issues in the coalition's point currency or in one of its own"
        problem = {"pointer": "/point_currency_no", "detail": detail}
        raise InvalidTerms(detail, errors=[problem])


async def _write(
    connection: Connection,
    wanted: PreparedContract,
    *,
    version: int,
    prepared_by: str,
    approved_by: str,
    at: datetime,
) -> Contract:
    await _check_point_currency(connection, wanted)
    months = wanted.terms.inactivity_months
    contract = Contract(
        **msgspec.structs.asdict(wanted.terms),
        clock_no=0 if months is None else await clocks.register(connection, months=months),
        no=await catalogue.next_no(connection, "contract"),
        partner_no=wanted.partner_no,
        version=version,
        valid_from=wanted.valid_from,
        timezone=wanted.timezone,
        signed_at=at,
        prepared_by=prepared_by,
        approved_by=approved_by,
    )
    # Steps and VAT are short lists that are read whole: the database keeps them as text.
    as_text = {
        field: msgspec.json.encode(getattr(contract, field)).decode() for field in catalogue.AS_TEXT
    }
    await tables.Contract.insert(tables.Contract(**msgspec.structs.asdict(contract) | as_text))
    await audit_log.record(
        connection,
        actor=approved_by,
        action="contract.signed",
        subject=f"partner:{wanted.partner_no}",
        facts=msgspec.structs.asdict(contract) | {"by_one_person": prepared_by == approved_by},
        at=at,
    )
    return contract
