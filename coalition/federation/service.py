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
    UnknownPartner,
)
from coalition.federation.terms import (
    Coalition,
    Contract,
    ContractTerms,
    Partner,
    PartnerState,
)
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id
from coalition.oversight import audit_log
from coalition.oversight.reasons import valid_reason

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


async def suspend_expiry_of_tiers(*, tiers: Sequence[str], actor: str, at: datetime) -> Coalition:
    """Let nothing expire of members who are given one of `tiers` from now on.

    Those tiers alone: it replaces what was said before, without changing it for who has a tier
    already. Raises `CoalitionNotSetUp` or `InvalidName`.
    """
    wanted = tuple(sorted({rules.valid_name(tier) for tier in tiers}))
    async with transaction() as connection:
        await catalogue.bump(connection)
        known = await catalogue.load(connection)
        changed = msgspec.structs.replace(known.coalition, expiry_suspended_tiers=wanted)
        await connection.execute("UPDATE coalition SET expiry_suspended_tiers = $1", list(wanted))
        await audit_log.record(
            connection,
            actor=actor,
            action="coalition.expiry_suspended",
            subject="coalition",
            facts={"tiers": list(wanted)},
            at=at,
        )
    return changed


async def speak(*, language: str, actor: str, at: datetime) -> Coalition:
    """Speak `language`, a code of two letters, from now on to people who have chosen none.

    Said again it changes nothing. Raises `CoalitionNotSetUp`.
    """
    async with transaction() as connection:
        await catalogue.bump(connection)
        before = (await catalogue.load(connection)).coalition
        if before.language == language:
            return before
        await connection.execute("UPDATE coalition SET language = $1", language)
        await audit_log.record(
            connection,
            actor=actor,
            action="coalition.language_set",
            subject="coalition",
            facts={"language": language, "before": before.language},
            at=at,
        )
    return msgspec.structs.replace(before, language=language)


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
    why = valid_reason(reason)
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
            facts={"reason": why},
            at=at,
        )
    return partner


async def _coalition_timezone() -> str:
    found = await tables.Coalition.select(tables.Coalition.timezone).first()
    if found is None:
        raise CoalitionNotSetUp
    return str(found["timezone"])


async def _partner_row(connection: Connection, partner_no: int) -> Partner:
    row = await connection.fetchrow("SELECT * FROM partner WHERE no = $1", partner_no)
    if row is None:
        raise UnknownPartner(partner_no=partner_no)
    return msgspec.convert(dict(row), Partner)
