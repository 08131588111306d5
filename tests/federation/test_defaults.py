"""Defaults: dated, by two persons, never changed, and known to whoever holds the catalogue."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from coalition.federation import defaults
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import NotInDefault
from coalition.federation.terms import OnDefault, PartnerDefault
from coalition.kernel.database import Engine, transaction
from coalition.oversight.refusals import SecondPersonNeeded
from tests.federation.world import load_catalogue, make_partner

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def default_of(no: int, begins_at: datetime, becomes: OnDefault | None) -> PartnerDefault:
    return PartnerDefault(no, 7, becomes, begins_at, "a", "b")


async def declared(partner_no: int, on_default: OnDefault, at: datetime) -> None:
    """Note that a partner is in default, as what finds it out does."""
    async with transaction() as connection:
        await defaults.declare(
            connection,
            partner_no=partner_no,
            on_default=on_default,
            prepared_by="staff:anna",
            approved_by="staff:bo",
            at=at,
        )


async def ended(partner_no: int, at: datetime) -> PartnerDefault:
    approval = await defaults.prepare_end(partner_no=partner_no, prepared_by="staff:anna", at=at)
    return await defaults.approve_end(approval, approved_by="staff:bo", at=at)


def test_a_partner_is_in_default_from_an_instant_until_another() -> None:
    known = Catalogue(
        version=1,
        coalition=None,
        defaults=[
            default_of(2, NEW_YEAR + HOUR, None),
            default_of(1, NEW_YEAR, OnDefault.SUSPEND),
        ],
    )
    moment = timedelta(microseconds=1)
    times = NEW_YEAR - moment, NEW_YEAR, NEW_YEAR + HOUR - moment, NEW_YEAR + HOUR
    told = [known.default_at(7, instant) for instant in times]
    assert told == [None, OnDefault.SUSPEND, OnDefault.SUSPEND, None]
    assert known.default_at(8, NEW_YEAR) is None
    assert [known.suspended_at(instant) for instant in times] == [set(), {7}, {7}, set()]


async def test_a_default_is_noted_once_and_ended_by_two_persons(
    database: Engine, at: datetime
) -> None:
    partner = (await make_partner(at)).partner
    before = await load_catalogue()
    await declared(partner.no, OnDefault.HONOUR, at)
    first = await load_catalogue()
    assert first.version > before.version
    await declared(partner.no, OnDefault.HONOUR, at + HOUR)
    known = await load_catalogue()
    assert [(one.on_default, one.begins_at) for one in known.defaults] == [("honour", at)]
    approval = await defaults.prepare_end(
        partner_no=partner.no, prepared_by="staff:anna", at=at + HOUR
    )
    with pytest.raises(SecondPersonNeeded):
        await defaults.approve_end(approval, approved_by="staff:anna", at=at + HOUR)
    later = at + 2 * HOUR
    end = await defaults.approve_end(approval, approved_by="staff:bo", at=later)
    assert (end.on_default, end.begins_at) == (None, later)
    known = await load_catalogue()
    told = [known.default_at(partner.no, instant) for instant in (at, later - HOUR, later)]
    assert told == ["honour", "honour", None]


async def test_a_default_may_come_again_and_never_begins_before_what_was_said_last(
    database: Engine, at: datetime
) -> None:
    partner = (await make_partner(at)).partner
    await declared(partner.no, OnDefault.HONOUR, at + HOUR)
    assert (await ended(partner.no, at)).begins_at == at + HOUR
    await declared(partner.no, OnDefault.SUSPEND, at + 2 * HOUR)
    known = await load_catalogue()
    instants = at + HOUR, at + 2 * HOUR
    assert [known.default_at(partner.no, instant) for instant in instants] == [None, "suspend"]


async def test_only_a_default_is_ended(database: Engine, at: datetime) -> None:
    partner = (await make_partner(at)).partner
    with pytest.raises(NotInDefault):
        await defaults.prepare_end(partner_no=partner.no, prepared_by="staff:anna", at=at)
    await declared(partner.no, OnDefault.HONOUR, at)
    approval = await defaults.prepare_end(partner_no=partner.no, prepared_by="staff:anna", at=at)
    await ended(partner.no, at)
    with pytest.raises(NotInDefault):
        await defaults.approve_end(approval, approved_by="staff:bo", at=at)


async def execute_as_owner(statement: str) -> None:
    """Run a statement as the table's owner who, unlike the tests' own role, is no superuser."""
    async with transaction() as connection:
        await connection.execute("ALTER TABLE partner_default OWNER TO coalition_tenant")
        await connection.execute("SET LOCAL ROLE coalition_tenant")
        await connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE partner_default SET on_default = NULL", "DELETE FROM partner_default"],
)
async def test_even_the_owner_cannot_change_a_default(
    database: Engine, at: datetime, statement: str
) -> None:
    partner = (await make_partner(at)).partner
    await declared(partner.no, OnDefault.HONOUR, at)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute_as_owner(statement)
