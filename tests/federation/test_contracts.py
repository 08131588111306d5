"""Contract versions: dated, by two persons, never changed, never in the past."""

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal

import asyncpg
import msgspec
import pytest

from coalition.federation import contracts
from coalition.federation.refusals import (
    ContractDayTaken,
    ContractRetroactive,
    InvalidTerms,
    NoContract,
    UnknownPartner,
    UnknownTimezone,
)
from coalition.federation.terms import Contract, ExpiryRule
from coalition.kernel.database import Engine, transaction
from coalition.oversight import approvals, audit_log
from coalition.oversight.refusals import ApprovalDecided, SecondPersonNeeded
from tests.federation.world import TERMS, load_catalogue, make_partner

DEARER = msgspec.structs.replace(TERMS, issue_price=Decimal("0.012"), expiry_months=24)
NEW_YEAR = date(2027, 1, 1)


async def sign(
    at: datetime, *, partner_no: int, valid_from: date, timezone: str | None = None
) -> Contract:
    """Sign another version by Anna and Bo."""
    approval_id = await contracts.prepare(
        partner_no=partner_no,
        terms=DEARER,
        valid_from=valid_from,
        timezone=timezone,
        prepared_by="staff:anna",
        at=at,
    )
    return await contracts.sign(approval_id, approved_by="staff:bo", at=at)


async def test_a_later_version_holds_from_its_day_in_its_zone(
    database: Engine, at: datetime
) -> None:
    first = (await make_partner(at)).contract
    second = await sign(at, partner_no=first.partner_no, valid_from=NEW_YEAR)
    found = await load_catalogue()
    assert found.contract_at(first.partner_no, at) == first
    midnight = datetime.fromisoformat("2026-12-31T23:00Z")
    assert found.contract_at(first.partner_no, midnight - timedelta(microseconds=1)) == first
    assert found.contract_at(first.partner_no, midnight) == second
    assert found.contracts_of(first.partner_no) == (first, second)
    assert (second.version, second.issue_price) == (2, Decimal("0.012"))
    assert (second.prepared_by, second.approved_by) == ("staff:anna", "staff:bo")
    assert second.expiry_rule == ExpiryRule.END_OF_MONTH


async def test_nothing_is_signed_before_the_second_person(database: Engine, at: datetime) -> None:
    first = (await make_partner(at)).contract
    approval_id = await contracts.prepare(
        partner_no=1, terms=DEARER, valid_from=NEW_YEAR, prepared_by="staff:anna", at=at
    )
    with pytest.raises(SecondPersonNeeded):
        await contracts.sign(approval_id, approved_by="staff:anna", at=at)
    assert (await load_catalogue()).contracts == (first,)


async def test_a_version_is_signed_once_by_however_many(database: Engine, at: datetime) -> None:
    await make_partner(at)
    approval_id = await contracts.prepare(
        partner_no=1, terms=DEARER, valid_from=NEW_YEAR, prepared_by="staff:anna", at=at
    )
    answers = await asyncio.gather(
        *(contracts.sign(approval_id, approved_by=f"staff:{i}", at=at) for i in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Contract) for answer in answers) == 1
    assert sum(isinstance(answer, ApprovalDecided) for answer in answers) == 4
    assert len((await load_catalogue()).contracts) == 2


async def test_the_first_version_may_begin_in_the_past_and_a_later_one_may_not(
    database: Engine, at: datetime
) -> None:
    first = (await make_partner(at, valid_from=date(2024, 1, 1))).contract
    assert (await load_catalogue()).contract_at(1, at - timedelta(days=400)) == first
    with pytest.raises(ContractRetroactive) as refusal:
        await sign(at, partner_no=1, valid_from=date(2026, 11, 20))
    assert refusal.value.facts["earliest"] == "2026-11-21"
    assert (await sign(at, partner_no=1, valid_from=date(2026, 11, 21))).version == 2


async def test_today_is_judged_in_the_contracts_zone(database: Engine, at: datetime) -> None:
    await make_partner(at)
    with pytest.raises(ContractRetroactive):
        await sign(at, partner_no=1, valid_from=at.date(), timezone="Pacific/Kiritimati")


async def test_a_version_prepared_in_time_and_signed_too_late_is_refused_and_still_waits(
    database: Engine, at: datetime
) -> None:
    await make_partner(at, valid_from=date(2024, 1, 1))
    approval_id = await contracts.prepare(
        partner_no=1, terms=DEARER, valid_from=at.date(), prepared_by="staff:anna", at=at
    )
    tomorrow = at + timedelta(days=1)
    with pytest.raises(ContractRetroactive):
        await contracts.sign(approval_id, approved_by="staff:bo", at=tomorrow)
    assert [waits.id for waits in await approvals.waiting(at=tomorrow)] == [approval_id]
    assert len((await load_catalogue()).contracts) == 1


async def test_a_day_on_which_a_version_begins_is_taken(database: Engine, at: datetime) -> None:
    await make_partner(at)
    both = [
        await contracts.prepare(
            partner_no=1, terms=DEARER, valid_from=NEW_YEAR, prepared_by="staff:anna", at=at
        )
        for _ in range(2)
    ]
    await contracts.sign(both[0], approved_by="staff:bo", at=at)
    with pytest.raises(ContractDayTaken):
        await contracts.sign(both[1], approved_by="staff:bo", at=at)
    with pytest.raises(ContractDayTaken):
        await sign(at, partner_no=1, valid_from=NEW_YEAR)


async def test_two_versions_signed_at_once_for_one_day_become_one(
    database: Engine, at: datetime
) -> None:
    await make_partner(at)
    prepared = [
        await contracts.prepare(
            partner_no=1, terms=DEARER, valid_from=NEW_YEAR, prepared_by="staff:anna", at=at
        )
        for _ in range(4)
    ]
    answers = await asyncio.gather(
        *(contracts.sign(each, approved_by="staff:bo", at=at) for each in prepared),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, ContractDayTaken) for answer in answers) == 3
    assert len((await load_catalogue()).contracts) == 2


async def test_before_the_first_version_there_is_no_contract(
    database: Engine, at: datetime
) -> None:
    await make_partner(at, valid_from=NEW_YEAR)
    with pytest.raises(NoContract, match="begins later"):
        (await load_catalogue()).contract_at(1, at)


async def test_a_version_for_nobody_or_nowhere_is_refused(database: Engine, at: datetime) -> None:
    await make_partner(at)
    with pytest.raises(UnknownPartner):
        await sign(at, partner_no=9, valid_from=NEW_YEAR)
    with pytest.raises(UnknownTimezone):
        await sign(at, partner_no=1, valid_from=NEW_YEAR, timezone="Europe/Atlantis")
    with pytest.raises(InvalidTerms, match="2000-01-01"):
        await sign(at, partner_no=1, valid_from=date(9999, 12, 31))


async def test_a_signed_version_is_in_the_audit_log_with_both_persons(
    database: Engine, at: datetime
) -> None:
    await make_partner(at)
    await sign(at, partner_no=1, valid_from=NEW_YEAR)
    async with transaction() as connection:
        rows = await connection.fetch("SELECT action, actor, facts FROM audit_log ORDER BY no")
        assert await audit_log.verify(connection) == []
    assert [(row["action"], row["actor"]) for row in rows[-3:]] == [
        ("approval.prepared", "staff:anna"),
        ("contract.signed", "staff:bo"),
        ("approval.applied", "staff:bo"),
    ]
    assert '"issue_price":"0.012000000"' in rows[-2]["facts"]
    assert '"by_one_person":false' in rows[-2]["facts"]


async def write_version(changes: dict[str, object]) -> None:
    """Write a second version past the service: the first with some columns changed."""
    later = {"no": 2, "version": 2, "valid_from": "2027-01-01", "approved_by": "staff:bo"}
    async with transaction() as connection:
        await connection.execute(
            """
            INSERT INTO contract
            SELECT (jsonb_populate_record(contract, $1::text::jsonb)).*
            FROM contract WHERE no = 1
            """,
            msgspec.json.encode(later | changes).decode(),
        )


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"approved_by": "staff:anna"}, "a_later_contract_version_has_two_persons"),
        ({"mode": "barter", "prefunded_share": 0.5}, "a_settlement_mode_is_known"),
        ({"mode": "hybrid"}, "a_prefunded_share_follows_the_mode"),
        ({"prefunded_share": 0.5}, "a_prefunded_share_follows_the_mode"),
        ({"issue_price": -1}, "an_issue_price_is_not_negative"),
        ({"redemption_price": -1}, "a_redemption_price_is_not_negative"),
        ({"service_fee_per_point": -1}, "a_service_fee_is_not_negative"),
        ({"issues": False, "accepts": False}, "a_partner_issues_or_accepts"),
        ({"expiry_months": 3}, "an_expiry_has_months_unless_never"),
        ({"expiry_rule": "end_of_month"}, "an_expiry_has_months_unless_never"),
        ({"refund_order": "random"}, "a_refund_order_is_known"),
        ({"reversal_policy": "forgive"}, "a_reversal_policy_is_known"),
        ({"calendar": "yearly"}, "a_settlement_calendar_is_known"),
        ({"currency": "eur"}, "a_contract_currency_has_three_capitals"),
    ],
)
async def test_the_database_guards_every_rule_of_a_version(
    database: Engine, at: datetime, changes: dict[str, object], guard: str
) -> None:
    await make_partner(at)
    with pytest.raises(asyncpg.CheckViolationError) as violation:
        await write_version(changes)
    assert violation.value.constraint_name == guard


async def test_what_the_database_stops_has_the_name_of_the_refusal(
    database: Engine, at: datetime
) -> None:
    await make_partner(at)
    with pytest.raises(ContractRetroactive):
        await write_version({"valid_from": "2026-11-20"})
    with pytest.raises(ContractDayTaken):
        await write_version({"valid_from": "2026-11-21"})


async def execute_as_owner(table: str, statement: str) -> None:
    """Run a statement as a table's owner who, unlike the tests' own role, is no superuser."""
    async with transaction() as connection:
        await connection.execute(f"ALTER TABLE {table} OWNER TO coalition_tenant")
        await connection.execute("SET LOCAL ROLE coalition_tenant")
        await connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE contract SET issue_price = 0", "DELETE FROM contract", "TRUNCATE contract"],
)
async def test_even_the_owner_cannot_change_a_signed_version(
    database: Engine, at: datetime, statement: str
) -> None:
    await make_partner(at)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute_as_owner("contract", statement)
