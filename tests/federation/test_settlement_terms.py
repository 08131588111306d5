"""The terms of settlement: what is refused, how they are written, and what older contracts have."""

import asyncio
import shutil
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import asyncpg
import msgspec
import pytest
from piccolo.conf.apps import AppConfig

from coalition.federation import contracts, migrations, rules
from coalition.federation.refusals import InvalidTerms
from coalition.federation.terms import (
    Contract,
    ContractTerms,
    CreditMode,
    OnDefault,
    Payment,
    Vat,
    VolumeStep,
)
from coalition.kernel.database import Engine, migrate, open_database, transaction
from server.apps import APPS
from tests.federation.test_contracts import NEW_YEAR, write_version
from tests.federation.world import TERMS, load_catalogue, make_partner
from tests.support.postgres import EMPTY, create_database, drop_database

STEPS = (
    VolumeStep(from_points=1_000_000, fee_per_point=Decimal("0.0006")),
    VolumeStep(from_points=5_000_000, fee_per_point=Decimal("0.0004")),
)
SETTLED = msgspec.structs.replace(
    TERMS,
    service_fee_per_point=Decimal("0.0008"),
    service_fee_percent=Decimal("1.5"),
    fixed_fee_minor=10_000,
    minimum_fee_minor=50_000,
    volume_steps=STEPS,
    vat={"service_fee": Vat(rate=Decimal("0.25")), "issuance": Vat(code="E", rate=Decimal(0))},
    payment=Payment.GROSS,
    payment_days=14,
    cut_off_grace_hours=48,
    breakage_share=Decimal("0.4"),
    credit_mode=CreditMode.BLOCK,
    credit_limit_minor=1_000_000,
    low_water_minor=100_000,
    on_default=OnDefault.SUSPEND,
)


def changed(changes: dict[str, object]) -> ContractTerms:
    return msgspec.structs.replace(TERMS, **changes)


def step(points: int, fee: str = "0.01") -> VolumeStep:
    return VolumeStep(from_points=points, fee_per_point=Decimal(fee))


def vat(rate: str, code: str = "standard", kind: str = "service_fee") -> dict[str, Vat]:
    return {kind: Vat(code=code, rate=Decimal(rate))}


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"service_fee_percent": Decimal("-0.1")}, ["service_fee_percent"]),
        ({"service_fee_percent": Decimal("100.000001")}, ["service_fee_percent"]),
        ({"service_fee_percent": Decimal("0.0000001")}, ["service_fee_percent"]),
        ({"service_fee_percent": Decimal("NaN")}, ["service_fee_percent"]),
        ({"breakage_share": Decimal("1.01")}, ["breakage_share"]),
        ({"breakage_share": Decimal(-1)}, ["breakage_share"]),
        ({"fixed_fee_minor": -1}, ["fixed_fee_minor"]),
        ({"minimum_fee_minor": 10**12 + 1}, ["minimum_fee_minor"]),
        ({"payment_days": 367}, ["payment_days"]),
        ({"cut_off_grace_hours": 745}, ["cut_off_grace_hours"]),
        ({"cut_off_grace_hours": -1}, ["cut_off_grace_hours"]),
        ({"volume_steps": (step(0),)}, ["volume_steps/0/from_points"]),
        ({"volume_steps": (step(1), step(2, "-1"))}, ["volume_steps/1/fee_per_point"]),
        ({"volume_steps": (step(1, "0.0000000001"),)}, ["volume_steps/0/fee_per_point"]),
        ({"volume_steps": (step(5), step(5))}, ["volume_steps"]),
        ({"volume_steps": (step(5), step(4))}, ["volume_steps"]),
        ({"volume_steps": tuple(step(n) for n in range(1, 102))}, ["volume_steps"]),
        ({"vat": vat("0.25", kind="service")}, ["vat/service"]),
        ({"vat": vat("0.25", code="")}, ["vat/service_fee/code"]),
        ({"vat": vat("0.25", code="none")}, ["vat/service_fee/code"]),
        ({"vat": vat("0.25", code="a code")}, ["vat/service_fee/code"]),
        ({"vat": vat("25")}, ["vat/service_fee/rate"]),
        ({"vat": vat("-0.25")}, ["vat/service_fee/rate"]),
        ({"vat": vat("0.0000001")}, ["vat/service_fee/rate"]),
        ({"credit_limit_minor": 1}, ["credit_limit_minor"]),
        ({"credit_mode": CreditMode.PREPAID, "credit_limit_minor": 1}, ["credit_limit_minor"]),
        ({"credit_mode": CreditMode.WARN}, ["credit_limit_minor"]),
        ({"credit_mode": CreditMode.BLOCK, "credit_limit_minor": -1}, ["credit_limit_minor"]),
        ({"low_water_minor": 1}, ["low_water_minor"]),
        ({"credit_mode": CreditMode.PREPAID, "low_water_minor": -1}, ["low_water_minor"]),
        (
            {"fixed_fee_minor": -1, "vat": vat("25", code=" "), "payment_days": -1},
            ["fixed_fee_minor", "payment_days", "vat/service_fee/code", "vat/service_fee/rate"],
        ),
    ],
)
def test_terms_of_settlement_out_of_bounds_are_refused_by_pointer(
    changes: dict[str, object], pointers: list[str]
) -> None:
    with pytest.raises(InvalidTerms) as refusal:
        rules.settled_terms(changed(changes))
    errors = refusal.value.facts["errors"]
    assert isinstance(errors, list)
    assert [error["pointer"] for error in errors] == [f"/{pointer}" for pointer in pointers]
    assert all(error["detail"] for error in errors)


@pytest.mark.parametrize(
    "changes",
    [
        {"service_fee_percent": Decimal(100), "breakage_share": Decimal(1)},
        {"service_fee_percent": Decimal("0.000001"), "payment_days": 0},
        {"cut_off_grace_hours": 744, "payment_days": 366},
        {"volume_steps": (step(1, "0"),), "minimum_fee_minor": 10**12},
        {"credit_mode": CreditMode.WARN, "credit_limit_minor": 0, "low_water_minor": 0},
        {"credit_mode": CreditMode.PREPAID},
        {"vat": vat("0.999999", code="A.b_c-1", kind="breakage")},
    ],
)
def test_terms_of_settlement_at_their_bounds_are_written_as_they_are(
    changes: dict[str, object],
) -> None:
    terms = rules.settled_terms(changed(changes))
    assert {name: getattr(terms, name) for name in changes} == changes


def test_what_is_left_out_costs_nothing_and_limits_nothing() -> None:
    terms = rules.settled_terms(TERMS)
    assert terms.service_fee_percent == terms.breakage_share == 0
    assert terms.fixed_fee_minor == terms.minimum_fee_minor == 0
    assert not terms.volume_steps
    assert not terms.vat
    assert (terms.payment, terms.payment_days, terms.cut_off_grace_hours) == ("net", 30, 0)
    assert (terms.credit_mode, terms.on_default) == ("none", "honour")
    assert (terms.credit_limit_minor, terms.low_water_minor) == (None, None)


def test_a_rate_alone_has_the_standard_code() -> None:
    assert msgspec.json.decode(b'{"rate": "0.25"}', type=Vat).code == "standard"


async def test_all_terms_of_settlement_come_back_from_the_database(
    database: Engine, at: datetime
) -> None:
    first = (await make_partner(at)).contract
    approval = await contracts.prepare(
        partner_no=1, terms=SETTLED, valid_from=NEW_YEAR, prepared_by="staff:anna", at=at
    )
    signed = await contracts.sign(approval, approved_by="staff:bo", at=at)
    known = await load_catalogue()
    assert known.contracts == (first, signed)
    kept = {name: getattr(signed, name) for name in ContractTerms.__struct_fields__}
    assert ContractTerms(**kept) == rules.settled_terms(SETTLED)
    assert list(signed.vat) == ["issuance", "service_fee"]
    assert str(signed.volume_steps[0].fee_per_point) == "0.000600000"
    async with transaction() as connection:
        facts = await connection.fetchval(
            "SELECT facts FROM audit_log WHERE action = 'contract.signed' ORDER BY no DESC LIMIT 1"
        )
    assert '"vat":{"issuance":{"code":"E","rate":"0.000000"}' in facts


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"service_fee_percent": 101}, "a_fee_percent_is_a_percentage"),
        ({"fixed_fee_minor": -1}, "fees_per_period_are_not_negative"),
        ({"minimum_fee_minor": -1}, "fees_per_period_are_not_negative"),
        ({"breakage_share": 1.5}, "a_breakage_share_is_a_share"),
        ({"payment": "later"}, "payment_is_gross_or_net"),
        ({"payment_days": 400}, "payment_is_due_within_a_year"),
        ({"cut_off_grace_hours": 800}, "a_cut_off_grace_is_at_most_31_days"),
        ({"credit_mode": "trust"}, "a_credit_mode_is_known"),
        ({"credit_mode": "warn"}, "a_credit_limit_goes_with_warn_and_block"),
        ({"credit_limit_minor": 1}, "a_credit_limit_goes_with_warn_and_block"),
        ({"low_water_minor": -1}, "a_low_water_mark_is_not_negative"),
        ({"on_default": "burn"}, "on_default_lots_are_honoured_or_suspended"),
    ],
)
async def test_the_database_guards_the_terms_of_settlement(
    database: Engine, at: datetime, changes: dict[str, object], guard: str
) -> None:
    await make_partner(at)
    with pytest.raises(asyncpg.CheckViolationError) as violation:
        await write_version(changes)
    assert violation.value.constraint_name == guard


@pytest.fixture
def before(
    runner: asyncio.Runner, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """Yield a database whose federation has not had the migration for settlement yet."""
    older = tmp_path / "federation_before_settlement"
    older.mkdir()
    (older / "__init__.py").touch()
    for module in Path(migrations.__path__[0]).glob("m000[12]_*.py"):
        shutil.copy(module, older)
    monkeypatch.syspath_prepend(tmp_path)
    apps = [
        AppConfig(app_name="federation", migrations_folder_path=older.name)
        if app.app_name == "federation"
        else app
        for app in APPS
    ]
    url = create_database(postgres_url, template=EMPTY)
    engine = runner.run(open_database(url, apps=apps, pool_size=2))
    runner.run(migrate(engine, apps))
    yield engine
    runner.run(engine.close())
    drop_database(postgres_url, url)


_OLDER_CONTRACT = """
INSERT INTO point_currency (no, code, name) VALUES (1, 'POINT', 'Points');
INSERT INTO coalition (no, name, timezone, point_currency_no, created_at)
VALUES (1, 'Norr', 'Europe/Stockholm', 1, now());
INSERT INTO partner (no, id, name, state, created_at)
VALUES (1, gen_random_uuid(), 'Grocer', 'active', now());
INSERT INTO contract (no, partner_no, version, valid_from, timezone, issues, accepts, currency,
    issue_price, redemption_price, service_fee_per_point, mode, prefunded_share, expiry_rule,
    refund_order, return_grace_days, reversal_policy, calendar, signed_at, prepared_by, approved_by)
VALUES (1, 1, 1, '2025-01-01', 'Europe/Stockholm', true, true, 'EUR', 0.01, 0.0085, 0.0008,
    'hybrid', 0.4, 'never', 'proportional', 30, 'refuse', 'weekly', '2025-01-01', 'a', 'a');
"""


async def test_contracts_that_were_signed_before_keep_their_terms(before: Engine) -> None:
    async with transaction() as connection:
        await connection.execute(_OLDER_CONTRACT)
    assert "federation/m0003" in await migrate(before, APPS)
    (kept,) = (await load_catalogue()).contracts
    assert isinstance(kept, Contract)
    terms = {name: getattr(kept, name) for name in ContractTerms.__struct_fields__}
    assert ContractTerms(**terms) == rules.settled_terms(
        changed(
            {
                "service_fee_per_point": Decimal("0.0008"),
                "mode": "hybrid",
                "prefunded_share": Decimal("0.4"),
                "refund_order": "proportional",
                "calendar": "weekly",
            }
        )
    )
