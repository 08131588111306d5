"""What families ask of people is told as it stands, and addresses and names as digests only."""

from datetime import date, datetime

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members import circumstances, rules
from coalition.members.circumstances import Circumstances
from coalition.members.refusals import InvalidAddress, PaymentCardInText
from coalition.members.sealing import MemberKeys
from coalition.members.states import MemberState
from tests.members.world import KEYS, enrolled

pytestmark = pytest.mark.usefixtures("database")


async def _read(
    *members: MemberId, keys: MemberKeys | None = KEYS
) -> dict[MemberId, Circumstances]:
    async with transaction() as connection:
        return await circumstances.read(connection, members, keys=keys)


async def test_people_of_one_household_are_told_by_equal_digests_of_their_address(
    at: datetime,
) -> None:
    anna = await enrolled(
        at, card="ANNA1", born=date(1984, 5, 1), address="Storgata 1, Oslo", country="NO"
    )
    bo = await enrolled(at, card="BO12", address="  storgata 1 OSLO ")
    eva = await enrolled(at, card="EVA1", address="Storgata 2, Oslo")
    found = await _read(anna, bo, eva)
    assert found[anna].address == found[bo].address != found[eva].address
    assert (found[anna].born, found[anna].country) == (date(1984, 5, 1), "NO")
    assert found[anna].joined == at
    assert found[anna].state is MemberState.ACTIVE
    assert not found[anna].address_registered
    assert found[bo].born is None


async def test_a_full_name_is_compared_by_its_digest(at: datetime) -> None:
    anna = await enrolled(at, card="ANNA1", first_name="Anna", last_name="Öberg")
    half = await enrolled(at, card="HALF1", first_name="Anna")
    found = await _read(anna, half)
    assert found[anna].name == circumstances.name_digest(KEYS, "ANNA", "öberg")
    assert found[anna].name != circumstances.name_digest(KEYS, "Anna", "Oberg")
    assert found[half].name is None


async def test_without_keys_nothing_is_opened_and_who_is_nobody_is_left_out(at: datetime) -> None:
    anna = await enrolled(at, card="ANNA1", born=date(1984, 5, 1))
    nobody = MemberId(random_id())
    found = await _read(anna, nobody, keys=None)
    assert found == {anna: Circumstances(member=anna, joined=at, state=MemberState.ACTIVE)}


@pytest.mark.parametrize("text", ["", "   ", "Storgata\n1", "a" * 201])
def test_an_address_that_is_no_line_of_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        rules.normal_address(text)
    assert [entry["pointer"] for entry in refused.value.entries] == ["/address"]


def test_a_payment_card_is_no_address() -> None:
    with pytest.raises(PaymentCardInText):
        rules.normal_address("4242 4242 4242 4242")
