"""Money paid in beforehand: two persons book it, once for each reference of the bank."""

from datetime import datetime
from decimal import Decimal

import pytest

from coalition.federation.refusals import UnknownPartner
from coalition.federation.terms import CreditMode
from coalition.kernel.database import transaction
from coalition.oversight import approvals
from coalition.oversight.refusals import SecondPersonNeeded
from partners.settlement import credit, prepaying
from partners.settlement.kinds import OPERATOR
from partners.settlement.refusals import InvalidPrepayment, PrepaymentBooked
from server.proof import prove
from tests.partners.settlement.credit_world import CreditWorld, code, credit_world, told
from tests.partners.settlement.office import Office
from tests.partners.settlement.test_finance_month import ADMIN, done

pytestmark = pytest.mark.usefixtures("database")


async def booked() -> list[tuple[int, int, Decimal]]:
    """Return what the money book has by account and partner."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT account, partner_no, sum(amount) FROM money_entry GROUP BY 1, 2 ORDER BY 1"
        )
    return [(row[0], row[1], row[2]) for row in rows]


async def test_two_persons_book_what_a_partner_paid_in(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    waiting = await world.prepared(50_000, "bank-1")
    assert await booked() == []
    assert code(await world.issue(1)) == "prepaid_exhausted"
    made = await prepaying.approve(waiting, approved_by="staff:robin", at=at)
    assert (made.amount_minor, made.currency, made.reference) == (50_000, "SEK", "bank-1")
    assert await booked() == [(1, world.points.grocer, Decimal(-500)), (10, 0, Decimal(500))]
    standing = await world.standing()
    assert (standing.prepaid_minor, standing.left_minor) == (50_000, 50_000)
    assert standing.exposure_minor == -50_000
    async with transaction() as connection:
        assert len(await credit.standings(connection, at)) == 2
    assert "credit.prepaid" in await told()
    assert code(await world.issue(1)) == "done"
    assert (await prove()).breaches == []


async def test_who_prepared_money_paid_in_does_not_approve_it(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    waiting = await world.prepared(50_000, "bank-1")
    with pytest.raises(SecondPersonNeeded):
        await prepaying.approve(waiting, approved_by="staff:kim", at=at)
    await approvals.reject(waiting, rejected_by="staff:kim", reason="another's money", at=at)
    assert await booked() == []


async def test_a_reference_of_the_bank_is_booked_once(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    twice = [await world.prepared(50_000, " bank-1 ") for _ in range(2)]
    await prepaying.approve(twice[0], approved_by="staff:robin", at=at)
    with pytest.raises(PrepaymentBooked) as late:
        await prepaying.approve(twice[1], approved_by="staff:robin", at=at)
    assert late.value.facts == {"amount_minor": 50_000, "currency": "SEK"}
    for amount_minor in (50_000, 50_001):
        with pytest.raises(PrepaymentBooked):
            await world.prepared(amount_minor, "bank-1")
    # The one that came late still waits, to be rejected with a reason.
    (waiting,) = await approvals.waiting(at=at, kind=prepaying.KIND)
    assert waiting.id == twice[1]
    await world.prepay(10_000, "bank-2")
    assert (await world.standing()).prepaid_minor == 60_000


@pytest.mark.parametrize(
    ("amount_minor", "reference", "currency"),
    [
        *((0, "r", "SEK"), (-1, "r", "SEK"), (10**12 + 1, "r", "SEK")),
        *((1, " ", "SEK"), (1, "r" * 65, "SEK"), (1, "r", "EUR")),
    ],
    ids=["nothing", "negative", "too much", "no reference", "long reference", "other currency"],
)
async def test_a_prepayment_is_of_some_money_of_the_contract_with_a_reference(
    at: datetime, amount_minor: int, reference: str, currency: str
) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    with pytest.raises(InvalidPrepayment):
        await world.prepared(amount_minor, reference, currency)


async def test_the_operator_pays_in_nothing(at: datetime) -> None:
    await credit_world(at, CreditMode.PREPAID)
    with pytest.raises(UnknownPartner):
        await prepaying.prepare(
            partner_no=OPERATOR,
            amount_minor=1,
            currency="SEK",
            reference="bank-1",
            prepared_by="staff:kim",
            at=at,
        )


DAMAGES = {
    "a payment that was raised": "UPDATE money_entry SET amount = 2 * amount",
    "a payment of another": "UPDATE money_entry SET partner_no = 2 WHERE account = 1",
    "a payment under another reference": "UPDATE money_posting SET subject = subject || '1'",
    "a payment that nobody decided": "UPDATE approval SET state = 'rejected'",
    "a payment that is not booked": "DELETE FROM money_entry",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_the_audit_finds_money_that_nobody_paid_in(at: datetime, damage: str) -> None:
    world: CreditWorld = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(50_000, "bank-1")
    async with transaction() as connection:
        await connection.execute(DAMAGES[damage])
    found = [breach.promise for breach in (await prove()).breaches]
    assert any("money paid in beforehand is booked" in promise for promise in found)


async def test_what_one_person_recorded_before_two_were_asked_is_no_breach(at: datetime) -> None:
    world = await credit_world(at, CreditMode.PREPAID)
    await world.prepay(50_000, "bank-1")
    async with transaction() as connection:
        await connection.execute("DELETE FROM approval")
        await connection.execute(
            "UPDATE audit_log SET facts = (facts::jsonb - 'prepared_by')::text"
            " WHERE action = 'credit.prepaid'"
        )
    found = [breach.promise for breach in (await prove()).breaches]
    assert not any("money paid in beforehand" in promise for promise in found)


async def test_finance_books_what_was_paid_in_over_http_by_two(office: Office) -> None:
    asked = {
        "partner": str(office.coalition.grocer.partner.id),
        "amount": {"amount_minor": 50_000, "currency": "SEK"},
        "reference": "bank 4711",
    }
    address = f"{ADMIN}/prepayments"
    waiting = await done(office.preparer.post(address, asked, key="once"), 201)
    again = await office.preparer.post(address, asked, key="once")
    assert (again.status_code, again.json()) == (201, waiting)
    assert (waiting["kind"], waiting["proposal"]["partner"]) == (prepaying.KIND, "Handlarn")
    approve = f"/v1/admin/approvals/{waiting['approval_id']}/approve"
    for desk in (office.preparer, office.reader):
        assert (await desk.post(approve)).status_code == 403
    decided = await done(office.approver.post(approve))
    assert (decided["kind"], decided["state"]) == (prepaying.KIND, "applied")
    balances = await done(office.reader.get(f"{ADMIN}/trial-balance"))
    cash = next(one for one in balances["accounts"] if one["account"] == "cash")
    assert cash["balance"] == "500.000000000000"
    late = await office.preparer.post(address, asked)
    assert (late.status_code, late.json()["code"]) == (409, "prepayment_booked")
    euros = asked | {"amount": {"amount_minor": 1, "currency": "EUR"}, "reference": "bank 4712"}
    other = await office.preparer.post(address, euros)
    assert (other.status_code, other.json()["code"]) == (422, "invalid_prepayment")
