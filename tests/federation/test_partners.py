"""Setting up the coalition and its partners."""

import asyncio
from datetime import datetime

import pytest

from coalition.federation import service
from coalition.federation.refusals import (
    CoalitionDiffers,
    CoalitionNotSetUp,
    InvalidName,
    InvalidPointCurrency,
    PartnerSuspended,
    UnknownPartner,
    UnknownTimezone,
)
from coalition.federation.terms import PartnerState
from coalition.kernel.database import Engine, transaction
from coalition.oversight import audit_log
from coalition.oversight.refusals import ReasonNeeded
from tests.federation.world import TERMS, load_catalogue, make_coalition, make_partner


async def actions() -> list[str]:
    async with transaction() as connection:
        rows = await connection.fetch("SELECT action FROM audit_log ORDER BY no")
        assert await audit_log.verify(connection) == []
    return [row["action"] for row in rows]


async def test_a_new_partner_is_found_by_number(database: Engine, at: datetime) -> None:
    made = await make_partner(at)
    found = await load_catalogue()
    assert found.partner(made.partner.no) == made.partner
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


async def test_a_coalition_speaks_english_until_its_operator_says_otherwise(
    database: Engine, at: datetime
) -> None:
    with pytest.raises(CoalitionNotSetUp):
        await service.speak(language="sv", actor="staff:anna", at=at)
    assert (await load_catalogue()).language == "en"
    await make_coalition(at)
    before = await load_catalogue()
    changed = await service.speak(language="sv", actor="staff:anna", at=at)
    assert await service.speak(language="sv", actor="staff:bertil", at=at) == changed
    after = await load_catalogue()
    assert (before.language, after.language, after.coalition) == ("en", "sv", changed)
    assert after.version > before.version, "services read it anew"
    assert await actions() == ["coalition.created", "coalition.language_set"]


async def test_a_point_currency_has_a_code_of_capitals(database: Engine, at: datetime) -> None:
    with pytest.raises(InvalidPointCurrency):
        await service.create_coalition(
            name="Norr", timezone="UTC", actor="test", at=at, point_currency_code="p"
        )
    assert not (await load_catalogue()).is_set_up


async def test_an_unknown_time_zone_is_refused(database: Engine, at: datetime) -> None:
    for timezone in ("Europe/Atlantis", "localtime", "", "../etc/passwd", "\0"):
        with pytest.raises(UnknownTimezone):
            await make_coalition(at, timezone=timezone)


async def test_a_partner_needs_a_coalition(database: Engine, at: datetime) -> None:
    with pytest.raises(CoalitionNotSetUp):
        await service.create_partner(name="Grocer", terms=TERMS, actor="test", at=at)
    assert not (await load_catalogue()).is_set_up
    with pytest.raises(CoalitionNotSetUp):
        (await load_catalogue()).coalition.name.strip()
    with pytest.raises(CoalitionNotSetUp):
        (await load_catalogue()).zone.utcoffset(at)


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


async def test_a_partner_is_suspended_and_let_back(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    suspended = await service.suspend_partner(
        partner_no=partner.no, reason="unpaid", actor="test", at=at
    )
    assert suspended.state == PartnerState.SUSPENDED
    with pytest.raises(PartnerSuspended):
        (await load_catalogue()).active_partner(partner.no)
    await service.reactivate_partner(partner_no=partner.no, reason="paid", actor="test", at=at)
    assert (await load_catalogue()).active_partner(partner.no) == partner
    assert (await actions())[-2:] == ["partner.suspended", "partner.reactivated"]


async def test_suspending_twice_changes_nothing(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    for _ in range(2):
        await service.suspend_partner(partner_no=partner.no, reason="unpaid", actor="test", at=at)
    assert (await actions()).count("partner.suspended") == 1


async def test_suspending_an_unknown_partner_is_refused(database: Engine, at: datetime) -> None:
    with pytest.raises(UnknownPartner):
        await service.suspend_partner(partner_no=7, reason="unpaid", actor="test", at=at)


async def test_a_suspension_says_why(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    with pytest.raises(ReasonNeeded):
        await service.suspend_partner(partner_no=partner.no, reason=" ", actor="test", at=at)


async def test_partners_made_at_the_same_time_get_numbers_of_their_own(
    database: Engine, at: datetime
) -> None:
    await make_coalition(at)
    made = await asyncio.gather(
        *(
            service.create_partner(name=f"Partner {i}", terms=TERMS, actor="test", at=at)
            for i in range(6)
        )
    )
    assert sorted(new.partner.no for new in made) == [1, 2, 3, 4, 5, 6]
    assert sorted(new.contract.no for new in made) == [1, 2, 3, 4, 5, 6]
    assert (await actions()).count("partner.created") == 6
