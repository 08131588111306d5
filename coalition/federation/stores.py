"""Makes, closes and reopens the stores of partners; each change is audited and counted."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from coalition.federation import catalogue, rules, tables
from coalition.federation.refusals import DuplicateStoreCode, UnknownPartner, UnknownStore
from coalition.federation.terms import Store, StoreState
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import random_id
from coalition.oversight import audit_log
from coalition.oversight.reasons import valid_reason

_ACTIONS = {StoreState.CLOSED: "store.closed", StoreState.ACTIVE: "store.reopened"}


class NewStore(msgspec.Struct, frozen=True):
    """A store to be made: its code on receipts and its name."""

    code: str
    name: str


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
        await _refuse_unknown_partner(partner_no)
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


async def close_store(*, store_no: int, reason: str, actor: str, at: datetime) -> Store:
    """Close a store; its past receipts stay what they are. A closed store stays closed."""
    return await _set_state(
        store_no=store_no, state=StoreState.CLOSED, reason=reason, actor=actor, at=at
    )


async def reopen_store(*, store_no: int, reason: str, actor: str, at: datetime) -> Store:
    """Open a closed store again; an open one stays open."""
    return await _set_state(
        store_no=store_no, state=StoreState.ACTIVE, reason=reason, actor=actor, at=at
    )


async def _set_state(
    *, store_no: int, state: StoreState, reason: str, actor: str, at: datetime
) -> Store:
    why = valid_reason(reason)
    async with transaction() as connection:
        await catalogue.bump(connection)
        row = (
            await tables.Store.select(*tables.Store.all_columns(exclude=["created_at"]))
            .where(tables.Store.no == store_no)
            .first()
        )
        if row is None:
            raise UnknownStore("There is no store with this number", store_no=store_no)
        before = msgspec.convert(row, Store)
        store = msgspec.structs.replace(before, state=state)
        if store == before:
            return before
        await tables.Store.update({tables.Store.state: state.value}).where(
            tables.Store.no == store_no
        )
        await audit_log.record(
            connection,
            actor=actor,
            action=_ACTIONS[state],
            subject=f"partner:{store.partner_no}",
            facts={"store_no": store_no, "code": store.code, "reason": why},
            at=at,
        )
    return store


async def _refuse_unknown_partner(partner_no: int) -> None:
    if not await tables.Partner.exists().where(tables.Partner.no == partner_no):
        raise UnknownPartner(partner_no=partner_no)


async def _refuse_used_codes(connection: Connection, partner_no: int, codes: list[str]) -> None:
    used = await connection.fetch(
        "SELECT code FROM store WHERE partner_no = $1 AND code = ANY ($2::text[])",
        partner_no,
        codes,
    )
    twice = {row["code"] for row in used} | {code for code in codes if codes.count(code) > 1}
    if twice:
        raise DuplicateStoreCode(stores=sorted(twice))
