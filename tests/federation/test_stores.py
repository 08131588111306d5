"""Making, closing and reopening stores."""

from datetime import datetime

import pytest

from coalition.federation import stores
from coalition.federation.refusals import (
    DuplicateStoreCode,
    InvalidStoreCode,
    UnknownPartner,
    UnknownStore,
)
from coalition.federation.stores import NewStore
from coalition.kernel.database import Engine
from tests.federation.world import load_catalogue, make_partner


async def test_a_chain_of_457_stores_is_made_at_once(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    wanted = [NewStore(code=str(number), name=f"Store {number}") for number in range(457)]
    made = await stores.create_stores(partner_no=partner.no, stores=wanted, actor="test", at=at)
    found = await load_catalogue()
    assert found.stores_of(partner.no) == made
    assert found.store(partner.no, "456") == made[456]
    assert found.store_by_no(made[3].no).code == "3"


async def test_two_partners_may_use_the_same_store_code(database: Engine, at: datetime) -> None:
    for name in ("Grocer", "Fuel"):
        partner = (await make_partner(at, name=name)).partner
        await stores.create_store(
            partner_no=partner.no, code="1", name="High street", actor="test", at=at
        )
    assert len((await load_catalogue()).stores) == 2


@pytest.mark.parametrize("codes", [["old"], ["new", "new"]])
async def test_a_store_code_is_used_once_per_partner(
    database: Engine, at: datetime, codes: list[str]
) -> None:
    partner = (await make_partner(at)).partner
    await stores.create_store(partner_no=partner.no, code="old", name="Old", actor="test", at=at)
    with pytest.raises(DuplicateStoreCode) as refusal:
        await stores.create_stores(
            partner_no=partner.no,
            stores=[NewStore(code, "Store") for code in codes],
            actor="test",
            at=at,
        )
    assert refusal.value.facts["stores"] == codes[:1]
    assert len((await load_catalogue()).stores) == 1


@pytest.mark.parametrize("code", ["", "a" * 33, "a b", "ö", "a\0", "a\n"])
async def test_a_store_code_is_what_a_receipt_can_carry(
    database: Engine, at: datetime, code: str
) -> None:
    partner = (await make_partner(at)).partner
    with pytest.raises(InvalidStoreCode):
        await stores.create_store(
            partner_no=partner.no, code=code, name="Store", actor="test", at=at
        )


async def test_stores_of_nobody_are_refused(database: Engine, at: datetime) -> None:
    await make_partner(at)
    with pytest.raises(UnknownPartner):
        await stores.create_store(partner_no=99, code="1", name="Store", actor="test", at=at)


async def test_a_store_is_closed_and_reopened(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    made = await stores.create_store(
        partner_no=partner.no, code="1", name="High street", actor="test", at=at
    )
    for _ in range(2):
        closed = await stores.close_store(store_no=made.no, reason="moved", actor="test", at=at)
        assert not closed.is_active
    assert not (await load_catalogue()).store(partner.no, "1").is_active
    await stores.reopen_store(store_no=made.no, reason="moved back", actor="test", at=at)
    assert (await load_catalogue()).store(partner.no, "1") == made


async def test_closing_an_unknown_store_is_refused(database: Engine, at: datetime) -> None:
    with pytest.raises(UnknownStore):
        await stores.close_store(store_no=5, reason="moved", actor="test", at=at)
