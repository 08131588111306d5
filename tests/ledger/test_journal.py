"""What a batch writes beside its postings: the settlement feed and the totals of partners."""

from datetime import datetime, timedelta

import msgspec
import pytest

from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import bucket_of, random_id, shard_of
from coalition.ledger.accounts import INTO_LOT, Account, Kind
from coalition.ledger.drafts import Posted, Purchase
from coalition.ledger.journal import Journal
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import lot_id
from tests.support.ledger import (
    FUEL,
    GROCER,
    issue,
    open_holder,
    post,
    provenance,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")


async def totals(connection: Connection, table: str) -> set[tuple[int, ...]]:
    rows = await connection.fetch(
        f"SELECT partner_no, kind, direction, points, postings FROM {table}"
    )
    return {tuple(row) for row in rows}


async def test_the_feed_names_the_first_and_the_last_posting_of_each_shard(at: datetime) -> None:
    """Ids of one millisecond come in no order: there are more here than the steps within one."""
    await ensure_partition(at)
    journal = Journal(at, at.date())
    members = [random_id() for _ in range(20)]
    for number in range(5_000):
        holder = members[number % 20]
        journal.add(
            kind=Kind.ISSUE,
            holder=holder,
            till=till(GROCER, at),
            currency_no=1,
            direction=INTO_LOT,
            legs=[(lot_id(holder, provenance()), 1, None)],
            account=Account.ISSUED,
        )
    assert len(journal) == 5_000
    async with transaction() as connection:
        await journal.write(connection)
        rows = await connection.fetch("SELECT id FROM posting")
        queued = await connection.fetch("SELECT * FROM settlement_queue")
    by_shard: dict[int, list[bytes]] = {}
    for row in rows:
        by_shard.setdefault(shard_of(bucket_of(row[0])), []).append(row[0].bytes)
    assert {
        row["shard"]: (row["first_posting"].bytes, row["last_posting"].bytes) for row in queued
    } == {shard: (min(ids), max(ids)) for shard, ids in by_shard.items()}


@pytest.mark.parametrize("cashiers", [1, 3, 40])
async def test_postings_are_written_whole_however_much_they_have_alike(
    at: datetime, cashiers: int
) -> None:
    anna = await open_holder(at)
    drafts = []
    for number in range(50):
        draft = issue(anna, number + 1, at, receipt=f"r{number}")
        cashier = f"c{number % cashiers}"
        occurred_at = at - timedelta(seconds=number)
        at_till = msgspec.structs.replace(
            draft.till,
            cashier=cashier,
            occurred_at=occurred_at,
            store_no=1 if number % cashiers else None,
        )
        purchase = Purchase(100 + number, "SEK" if number % cashiers else "EUR")
        drafts.append(msgspec.structs.replace(draft, till=at_till, purchase=purchase))
    outcomes = await post(drafts, at)
    async with transaction() as connection:
        rows = await connection.fetch("SELECT * FROM posting")
    written = {row["id"]: row for row in rows}
    for number, (draft, outcome) in enumerate(zip(drafts, outcomes, strict=True)):
        assert isinstance(outcome, Posted)
        row = written[outcome.posting]
        at_till = draft.till
        assert (row["receipt"], row["cashier"]) == (f"r{number}", at_till.cashier)
        assert (row["store_no"], row["occurred_at"]) == (at_till.store_no, at_till.occurred_at)
        assert Purchase(row["purchase_minor"], row["purchase_currency"]) == draft.purchase
        assert (row["points"], row["lot"]) == (number + 1, lot_id(anna, provenance()))
        assert (row["bucket"], row["batch"]) == (bucket_of(anna), rows[0]["batch"])
        assert (row["kind"], row["account"], row["direction"]) == (1, 1, 1)
        assert (row["partner_no"], row["account_partner_no"], row["reverses"]) == (1, 1, None)


async def test_an_empty_batch_writes_nothing(at: datetime) -> None:
    (refused,) = await post([redeem(await open_holder(at), 1, at)], at)
    assert not isinstance(refused, Posted)
    async with transaction() as connection:
        for table in ("posting", "leg", "partner_delta", "settlement_queue", "receipt_claim"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_batch_appends_its_totals_per_partner_kind_and_direction(at: datetime) -> None:
    anna = await open_holder(at)
    issued, _, spent = await post(
        [issue(anna, 100, at), issue(anna, 50, at), redeem(anna, 70, at)], at
    )
    assert isinstance(issued, Posted)
    assert isinstance(spent, Posted)
    drafts = [
        reverse(spent.posting, at, partner_no=FUEL),
        reverse(issued.posting, at, partner_no=GROCER, points=30),
    ]
    await post(drafts, at)
    async with transaction() as connection:
        assert await totals(connection, "partner_delta") == {
            (GROCER, 1, 1, 150, 2),
            (FUEL, 2, -1, 70, 1),
            (FUEL, 3, 1, 70, 1),
            (GROCER, 3, -1, 30, 1),
        }


async def test_a_posting_keeps_its_purchase_rule_and_reason(at: datetime) -> None:
    anna = await open_holder(at)
    draft = issue(anna, 100, at)
    draft = msgspec.structs.replace(draft, purchase=Purchase(9_900, "SEK"), rule_no=4)
    (issued,) = await post([draft], at)
    assert isinstance(issued, Posted)
    undo = reverse(issued.posting, at, partner_no=GROCER)
    await post([msgspec.structs.replace(undo, reason="wrong card")], at)
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT purchase_minor, purchase_currency, rule_no, reason, reverses "
            "FROM posting ORDER BY kind"
        )
    assert [tuple(row) for row in rows] == [
        (9_900, "SEK", 4, None, None),
        (None, None, None, "wrong card", issued.posting),
    ]
