"""Setting up the coalition, its partners and its stores."""

from datetime import datetime

import pytest

from coalition.federation import service, stores
from coalition.federation.refusals import (
    CoalitionDiffers,
    CoalitionNotSetUp,
    DuplicateStoreCode,
    InvalidName,
    InvalidStoreCode,
    UnknownPartner,
    UnknownTimezone,
)
from coalition.federation.stores import NewStore
from coalition.federation.terms import PartnerState
from coalition.kernel.database import Engine, transaction
from coalition.oversight import audit_log
from tests.federation.world import TERMS, load_catalogue, make_coalition, make_partner


async def actions() -> list[str]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT action FROM audit_log ORDER BY no")
        assert await audit_log.verify(connection) == []
    return [row["action"] for row in rows]


async def test_a_new_partner_is_found_by_number_and_by_id(database: Engine, at: datetime) -> None:
    made = await make_partner(at)
    found = await load_catalogue()
    assert found.partner(made.partner.no) == made.partner
    assert found.partner_by_id(made.partner.id) == made.partner
    assert found.contract_at(made.partner.no, at) == made.contract
    assert found.contract(made.contract.no) == made.contract


async def test_setting_up_the_coalition_twice_changes_nothing(
    database: Engine, at: datetime
) -> None:
    await make_coalition(at)
    await make_coalition(at)
    assert await actions() == ["coalition.created"]
    assert (await load_catalogue()).coalition.name == "Norr"


async def test_the_zone_of_a_coalition_is_never_changed(database: Engine, at: datetime) -> None:
    await make_coalition(at)
    with pytest.raises(CoalitionDiffers) as refusal:
        await make_coalition(at, timezone="Europe/Oslo")
    assert refusal.value.facts["timezone"] == "Europe/Stockholm"


async def test_an_unknown_time_zone_is_refused(database: Engine, at: datetime) -> None:
    for timezone in ("Europe/Atlantis", "", "../etc/passwd", "\0"):
        with pytest.raises(UnknownTimezone):
            await make_coalition(at, timezone=timezone)


async def test_a_partner_needs_a_coalition(database: Engine, at: datetime) -> None:
    with pytest.raises(CoalitionNotSetUp):
        await service.create_partner(name="Grocer", terms=TERMS, actor="test", at=at)
    assert not (await load_catalogue()).is_set_up
    with pytest.raises(CoalitionNotSetUp):
        (await load_catalogue()).coalition.name.strip()


@pytest.mark.parametrize("name", ["", "   ", "a" * 201, "two\nlines", "\0"])
async def test_a_partner_needs_a_printable_name(database: Engine, at: datetime, name: str) -> None:
    with pytest.raises(InvalidName):
        await make_partner(at, name=name)
    assert (await load_catalogue()).partners == ()


async def test_a_refused_partner_leaves_no_trace(database: Engine, at: datetime) -> None:
    await make_coalition(at)
    before = await load_catalogue()
    with pytest.raises(UnknownTimezone):
        await service.create_partner(
            name="Grocer", terms=TERMS, actor="test", at=at, timezone="Mars/Olympus"
        )
    after = await load_catalogue()
    assert (after.version, after.partners) == (before.version, ())
    assert await actions() == ["coalition.created"]


async def test_the_first_contract_is_signed_by_one_person_and_the_log_says_so(
    database: Engine, at: datetime
) -> None:
    made = await make_partner(at)
    assert made.contract.prepared_by == made.contract.approved_by == "staff:anna"
    assert await actions() == ["coalition.created", "partner.created", "contract.signed"]
    async with transaction() as connection:
        facts = await connection.fetchval("SELECT facts FROM audit_log WHERE no = 3")
    assert '"by_one_person":true' in facts


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


async def test_a_partner_is_suspended_and_let_back(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    suspended = await service.suspend_partner(
        partner_no=partner.no, reason="unpaid", actor="test", at=at
    )
    assert suspended.state == PartnerState.SUSPENDED
    assert not (await load_catalogue()).partner(partner.no).is_active
    await service.reactivate_partner(partner_no=partner.no, reason="paid", actor="test", at=at)
    assert (await load_catalogue()).partner(partner.no).is_active
    assert (await actions())[-2:] == ["partner.suspended", "partner.reactivated"]


async def test_suspending_twice_changes_nothing(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    for _ in range(2):
        await service.suspend_partner(partner_no=partner.no, reason="unpaid", actor="test", at=at)
    assert (await actions()).count("partner.suspended") == 1


async def test_suspending_an_unknown_partner_is_refused(database: Engine, at: datetime) -> None:
    with pytest.raises(UnknownPartner):
        await service.suspend_partner(partner_no=7, reason="unpaid", actor="test", at=at)
