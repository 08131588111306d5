"""Each process of a house dies with Stripe's answer in its hands: one of each, charged once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.failing_service import STRIPE_ANSWERED
from tests.faults.houses import House
from tests.faults.paying_members import PayingMember, audited, ending, reconciled, working
from tests.faults.processes import PATIENCE_S, until

pytestmark = pytest.mark.slow


@pytest.fixture
def buyer(house: House, tmp_path: Path) -> Iterator[PayingMember]:
    """Yield a member who has signed in at a house that sells Plus and Premium, without a worker."""
    made = PayingMember(house)
    house.service.start()
    made.put_on_sale(tmp_path)
    made.come_in()
    yield made
    made.http.close()


def _dying(buyer: PayingMember, call: str) -> None:
    """Start the service anew, to die once Stripe has answered a call."""
    if buyer.house.service.is_alive:
        buyer.house.service.kill()
    buyer.house.service.start(failpoint=f"{STRIPE_ANSWERED} {call}:1")


def _dead_and_back(buyer: PayingMember) -> None:
    """See that the service was killed, and start it as it is meant to be."""
    assert buyer.house.service.await_end() == -signal.SIGKILL
    buyer.house.service.start()


def test_a_service_that_dies_between_stripes_answer_and_its_commit_sells_and_charges_once(
    buyer: PayingMember,
) -> None:
    order = buyer.order("plus")
    for call in ("post /v1/customers", "post /v1/checkout/sessions"):
        _dying(buyer, call)
        assert buyer.post("/v1/membership/checkout", order, "buy") is None
        _dead_and_back(buyer)
    opened = buyer.post("/v1/membership/checkout", order, "buy")
    assert opened is not None
    assert [one["id"] for one in buyer.at_stripe("checkout/sessions")] == [opened["checkout_id"]]
    buyer.pay(opened["url"])
    assert reconciled(buyer.house)["repaired"] == 1
    seen = buyer.get("/v1/membership")
    assert (seen["state"], seen["plan"]) == ("active", "plus")

    premium = {"price_no": buyer.order("premium")["price_no"]}
    said = buyer.post("/v1/membership/preview", premium, "look")
    assert said is not None
    change = premium | {"previewed_at": said["previewed_at"]}
    _dying(buyer, "post /v1/subscriptions/")
    assert buyer.post("/v1/membership/change", change, "up") is None
    _dead_and_back(buyer)
    for _ in range(2):
        changed = buyer.post("/v1/membership/change", change, "up")
        assert changed is not None
        assert (changed["state"], changed["plan"]) == ("active", "premium")
    _is_charged_for_one(buyer, 7_900, said["due_now"]["amount_minor"])


def test_a_worker_that_dies_as_it_looks_or_compares_leaves_what_the_next_one_finishes(
    buyer: PayingMember,
) -> None:
    opened = buyer.post("/v1/membership/checkout", buyer.order("plus"), "buy")
    assert opened is not None
    buyer.pay(opened["url"])
    looks = f"{STRIPE_ANSWERED} get /v1/charges:1"
    assert ending(buyer.house, "worker", failpoint=looks) == -signal.SIGKILL
    # What it had taken is another's once its lease is over.
    buyer.a_day_later()
    assert buyer.get("/v1/membership")["state"] != "active"
    with working(buyer.house):
        _until_active(buyer)

    (subscription,) = buyer.at_stripe("subscriptions")
    buyer.tell_stripe(f"subscriptions/{subscription['id']}", cancel_at_period_end="true")
    compares = f"{STRIPE_ANSWERED} get /v1/subscriptions/sub:1"
    whole = ("membership", "reconcile", "--whole")
    assert ending(buyer.house, *whole, failpoint=compares) == -signal.SIGKILL
    assert buyer.get("/v1/membership")["state"] == "active"
    report = reconciled(buyer.house)
    assert (report["drifted"], report["repaired"]) == (1, 1)
    assert buyer.get("/v1/membership")["state"] == "ending"
    _is_charged_for_one(buyer, 7_900)


def _until_active(buyer: PayingMember) -> None:
    for _ in until(PATIENCE_S, "the membership to be active"):
        if buyer.get("/v1/membership")["state"] == "active":
            return


def _is_charged_for_one(buyer: PayingMember, *amounts: int) -> None:
    """See one customer, one subscription and these charges, our books equal, nothing broken."""
    assert len(buyer.at_stripe("customers")) == 1
    assert len(buyer.at_stripe("subscriptions", status="all")) == 1
    charged = sorted(one["amount"] for one in buyer.at_stripe("charges"))
    assert charged == sorted(amounts)
    booked = buyer.get("/v1/membership/ledger")["items"]
    assert sorted(one["amount"]["amount_minor"] for one in booked) == charged
    report = reconciled(buyer.house)
    assert (report["drifts"], report["unexplained"], report["lost_intents"]) == ([], [], 0)
    report = audited(buyer.house)
    assert (report["ok"], report["breaches"]) == (True, [])
