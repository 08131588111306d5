"""Finance opens any posting down to whose points moved and what it costs and earns everyone."""

from decimal import Decimal
from typing import Any

import pytest

from coalition.kernel.ids import random_id
from partners.settlement import draining
from tests.partners.settlement.office import Office


async def paid_with_both(office: Office) -> str:
    """Let both partners give points and the fuel station take some of each; return its posting."""
    grocer, fuel = office.coalition.grocer, office.coalition.fuel
    member = await grocer.new_member()
    await grocer.issue(member, 20)
    await fuel.issue(member, 50)
    paid = await fuel.post("/v1/points/redeem", fuel.payment(member, 60))
    assert paid.status_code == 201, paid.text
    return str(paid.json()["posting_id"])


async def passport(office: Office, posting: str) -> Any:  # Any: JSON
    answer = await office.reader.get(f"/v1/admin/postings/{posting}/passport")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_passport_tells_every_leg_and_charge_before_and_after_the_drain(
    office: Office,
) -> None:
    posting = await paid_with_both(office)

    waiting = await passport(office, posting)
    assert waiting["drain_id"] is None
    await draining.drain_all(office.at)
    settled = await passport(office, posting)

    assert settled["drain_id"] is not None
    assert settled["charges"] == waiting["charges"]
    assert (settled["kind"], settled["partner"], settled["points"]) == ("redeem", "Macken", 60)
    assert {leg["issuer"] for leg in settled["legs"]} == {"Handlarn", "Macken"}
    assert sum(leg["points"] for leg in settled["legs"]) == 60
    for leg in settled["legs"]:
        assert sum(Decimal(side["amount"]) for side in leg["money"]) == 0
    assert {(one["partner"], one["kind"], one["period"]) for one in settled["charges"]} == {
        ("Macken", "redemption", "2026-11")
    }
    assert sum(Decimal(one["amount"]) for one in settled["charges"]) == Decimal("-0.6")


async def test_what_is_no_posting_is_not_found(office: Office) -> None:
    for posting in (str(random_id()), str(office.coalition.grocer.partner.id)):
        answer = await office.reader.get(f"/v1/admin/postings/{posting}/passport")
        assert (answer.status_code, answer.json()["code"]) == (404, "posting_not_found")


@pytest.mark.parametrize("text", ["1", "x", "..", "%00", "9" * 400, "' OR '1'='1"])
async def test_what_is_no_id_is_not_found(office: Office, text: str) -> None:
    answer = await office.reader.get(f"/v1/admin/postings/{text}/passport")
    assert answer.status_code == 404
