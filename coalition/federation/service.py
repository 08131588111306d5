"""Sets up the coalition and changes its partners and stores; each change is audited and counted.

Later contract versions are signed in `contracts`; lists are read from the `catalogue`.
"""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from coalition.federation import catalogue, contracts, rules, tables
from coalition.federation.refusals import (
    CoalitionDiffers,
    CoalitionNotSetUp,
    DuplicateStoreCode,
    UnknownPartner,
)
from coalition.federation.terms import (
    Coalition,
    Contract,
    ContractTerms,
    Partner,
    PartnerState,
    Store,
    StoreState,
)
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id
from coalition.oversight import audit_log

COALITION_CURRENCY_NO = 1
"""The point currency that is the coalition's own."""

_STATE_ACTIONS = {
    PartnerState.SUSPENDED: "partner.suspended",
    PartnerState.ACTIVE: "partner.reactivated",
}


class NewPartner(msgspec.Struct, frozen=True):
    """A partner as it was made, with its first contract."""

    partner: Partner
    contract: Contract


class NewStore(msgspec.Struct, frozen=True):
    """A store to be made: its code on receipts and its name."""

    code: str
    name: str


async def create_coalition(
    *,
    name: str,
    timezone: str,
    actor: str,
    at: datetime,
    point_currency_code: str = "POINT",
    point_currency_name: str = "Points",
) -> Coalition:
    """Set up the one coalition; done again with the same name and zone it changes nothing.

    The zone is never changed later: it decides on which day points that are out already expire.
    """
    wanted = Coalition(
        name=rules.valid_name(name),
        timezone=rules.zone_named(timezone).key,
        point_currency_no=COALITION_CURRENCY_NO,
    )
    async with transaction() as connection:
        await catalogue.bump(connection)
        found = await tables.Coalition.select().first()
        if found is not None:
            if (found["name"], found["timezone"]) != (wanted.name, wanted.timezone):
                raise CoalitionDiffers(name=found["name"], timezone=found["timezone"])
            return wanted
        await tables.PointCurrency.insert(
            tables.PointCurrency(
                no=COALITION_CURRENCY_NO,
                code=point_currency_code,
                name=rules.valid_name(point_currency_name),
            )
        )
        await tables.Coalition.insert(
            tables.Coalition(no=1, created_at=at, **msgspec.structs.asdict(wanted))
        )
        await audit_log.record(
            connection,
            actor=actor,
            action="coalition.created",
            subject="coalition",
            facts=msgspec.structs.asdict(wanted),
            at=at,
        )
    return wanted


async def create_partner(
    *,
    name: str,
    terms: ContractTerms,
    actor: str,
    at: datetime,
    valid_from: date | None = None,
    timezone: str | None = None,
) -> NewPartner:
    """Make a partner and sign its first contract, as both persons; the audit log says so.

    `valid_from` defaults to today in the contract's zone, `timezone` to the coalition's. A first
    contract may begin in the past, since nothing can have been posted before it.
    """
    trimmed = rules.valid_name(name)
    agreed = rules.settled_terms(terms)
    async with transaction() as connection:
        await catalogue.bump(connection)
        zone = rules.zone_named(timezone or await _coalition_timezone())
        partner = Partner(
            no=await catalogue.next_no(connection, "partner"),
            id=random_id(),
            name=trimmed,
            state=PartnerState.ACTIVE,
            created_at=at,
        )
        await tables.Partner.insert(tables.Partner(**msgspec.structs.asdict(partner)))
        await audit_log.record(
            connection,
            actor=actor,
            action="partner.created",
            subject=f"partner:{partner.no}",
            facts={"id": partner.id, "name": partner.name},
            at=at,
        )
        contract = await contracts.sign_first(
            connection,
            partner_no=partner.no,
            terms=agreed,
            valid_from=valid_from or rules.today_in(zone, at),
            timezone=zone.key,
            signed_by=actor,
            at=at,
        )
    return NewPartner(partner, contract)


async def create_store(*, partner_no: int, code: str, name: str, actor: str, at: datetime) -> Store:
    """Make one store of a partner."""
    made = await create_stores(
        partner_no=partner_no, stores=[NewStore(code, name)], actor=actor, at=at
    )
    return made[0]


async def create_stores(
    *, partner_no: int, stores: Sequence[NewStore], actor: str, at: datetime
) -> tuple[Store, ...]:
    """Make any number of stores of one partner at once, all or none; return them in order."""
    async with transaction() as connection:
        await catalogue.bump(connection)
        await _partner_row(connection, partner_no)
        first_no = await catalogue.next_no(connection, "store")
        made = tuple(
            Store(
                no=first_no + position,
                id=random_id(),
                partner_no=partner_no,
                code=rules.valid_store_code(wanted.code),
                name=rules.valid_name(wanted.name),
                state=StoreState.ACTIVE,
            )
            for position, wanted in enumerate(stores)
        )
        await _refuse_used_codes(connection, partner_no, [store.code for store in made])
        await connection.execute(
            """
            INSERT INTO store (no, id, partner_no, code, name, state, created_at)
            SELECT no, id, $1, code, name, $2, $3
            FROM unnest($4::int[], $5::uuid[], $6::text[], $7::text[]) AS made (no, id, code, name)
            """,
            partner_no,
            StoreState.ACTIVE.value,
            at,
            [store.no for store in made],
            [store.id for store in made],
            [store.code for store in made],
            [store.name for store in made],
        )
        await audit_log.record(
            connection,
            actor=actor,
            action="stores.created",
            subject=f"partner:{partner_no}",
            facts={"codes": [store.code for store in made], "first_no": first_no},
            at=at,
        )
    return made


async def suspend_partner(*, partner_no: int, reason: str, actor: str, at: datetime) -> Partner:
    """Stop the partner's business from the next batch on; a partner that is suspended stays so."""
    return await _set_state(
        partner_no=partner_no, state=PartnerState.SUSPENDED, reason=reason, actor=actor, at=at
    )


async def reactivate_partner(*, partner_no: int, reason: str, actor: str, at: datetime) -> Partner:
    """Let the partner do business again; a partner that is active stays so."""
    return await _set_state(
        partner_no=partner_no, state=PartnerState.ACTIVE, reason=reason, actor=actor, at=at
    )


async def _set_state(
    *, partner_no: int, state: PartnerState, reason: str, actor: str, at: datetime
) -> Partner:
    async with transaction() as connection:
        await catalogue.bump(connection)
        before = await _partner_row(connection, partner_no)
        partner = msgspec.structs.replace(before, state=state)
        if partner == before:
            return before
        await tables.Partner.update({tables.Partner.state: state.value}).where(
            tables.Partner.no == partner_no
        )
        await audit_log.record(
            connection,
            actor=actor,
            action=_STATE_ACTIONS[state],
            subject=f"partner:{partner_no}",
            facts={"reason": rules.valid_name(reason)},
            at=at,
        )
    return partner


async def _partner_row(connection: Connection, partner_no: int) -> Partner:
    row = await connection.fetchrow("SELECT * FROM partner WHERE no = $1", partner_no)
    if row is None:
        raise UnknownPartner(partner_no=partner_no)
    return msgspec.convert(dict(row), Partner)


async def _coalition_timezone() -> str:
    found = await tables.Coalition.select(tables.Coalition.timezone).first()
    if found is None:
        raise CoalitionNotSetUp
    return str(found["timezone"])


async def _refuse_used_codes(connection: Connection, partner_no: int, codes: list[str]) -> None:
    used = await connection.fetch(
        "SELECT code FROM store WHERE partner_no = $1 AND code = ANY ($2::text[])",
        partner_no,
        codes,
    )
    twice = {row["code"] for row in used} | {code for code in codes if codes.count(code) > 1}
    if twice:
        raise DuplicateStoreCode(stores=sorted(twice))
