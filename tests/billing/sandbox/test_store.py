"""The documents in their file: transactions, two processes' worth of connections, ids."""

from datetime import timedelta
from pathlib import Path

import pytest

from billing.sandbox.store import Store, Transaction
from tests.billing.sandbox.account import START, Account


def fail_after(transaction: Transaction, id_: str) -> None:
    """Keep a document, and then fail."""
    transaction.put({"id": id_, "object": "thing"})
    raise ValueError("no")


def test_what_ends_by_an_error_is_rolled_back() -> None:
    store = Store(None)
    with pytest.raises(ValueError, match="no"), store.transaction() as transaction:
        fail_after(transaction, "a")
    with store.snapshot() as snapshot:
        assert snapshot.find("thing", "a") is None


def test_a_savepoint_is_undone_alone() -> None:
    store = Store(None)
    with store.transaction() as transaction:
        transaction.put({"id": "a", "object": "thing"})
        with pytest.raises(ValueError, match="no"), transaction.savepoint():
            fail_after(transaction, "b")
        assert [each["id"] for each in transaction.all("thing")] == ["a"]


def test_documents_are_found_by_what_they_hold() -> None:
    store = Store(None)
    with store.transaction() as transaction:
        for number in range(6):
            transaction.put(
                {
                    "id": f"t{number}",
                    "object": "thing",
                    "created": number,
                    "customer": "a" if number % 2 else "b",
                    "is_big": number > 3,
                    "deep": {"word": "x"} if number == 2 else None,
                }
            )
        found = transaction.all("thing", {"customer": "a"}, newest_first=True)
        assert [each["id"] for each in found] == ["t5", "t3", "t1"]
        assert [each["id"] for each in transaction.all("thing", {"is_big": True})] == ["t4", "t5"]
        assert [each["id"] for each in transaction.all("thing", {"deep.word": "x"})] == ["t2"]
        assert len(transaction.all("thing", {"deep.word": None})) == 5
        assert len(transaction.all("thing", {"id": ["t1", "t2", "zz"]})) == 2
        assert len(transaction.all("thing", created={"gt": 1, "lte": 3})) == 2
        with pytest.raises(AssertionError):
            transaction.all("thing", {"a') OR 1=1 --": "x"})


def test_ids_depend_on_the_seed_alone_and_never_come_twice() -> None:
    ids = []
    for _ in range(2):
        store = Store(None, seed="s")
        with store.transaction() as transaction:
            ids.append([transaction.new_id("cus", 14) for _ in range(100)])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 100
    assert {len(each) for each in ids[0]} == {18}


async def test_two_connections_on_one_file_see_and_number_the_same(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    here, there = Account(path), Account(path)
    made = [await side.customer() for side in (here, there, here, there)]
    assert len(set(made)) == 4
    seen = await there.stripe.v1.customers.list_async()
    assert [each.id for each in seen.data] == made[::-1]
    await here.sandbox.advance(START + timedelta(days=3))
    assert there.sandbox.now() == START + timedelta(days=3)
    first = await here.stripe.v1.products.create_async({"name": "x"}, {"idempotency_key": "k"})
    second = await there.stripe.v1.products.create_async({"name": "x"}, {"idempotency_key": "k"})
    assert first.id == second.id
    here.sandbox.close()
    again = Account(path)
    assert len((await again.stripe.v1.customers.list_async()).data) == 4
    assert again.sandbox.now() == START + timedelta(days=3)
    again.sandbox.close()
    there.sandbox.close()
