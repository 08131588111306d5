"""An address is changed and confirmed; a new one no register knows yet."""

from datetime import datetime

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import addresses, circumstances
from coalition.members.refusals import InvalidAddress, NoAddress
from tests.members.world import ANNA, KEYS, enrolled

pytestmark = pytest.mark.usefixtures("database")


async def _seen(member: MemberId) -> tuple[bool, bool]:
    async with transaction() as connection:
        found = await circumstances.read(connection, [member], keys=KEYS)
    return found[member].address is not None, found[member].address_registered


async def test_a_register_confirms_an_address_until_it_is_another(at: datetime) -> None:
    member = await enrolled(at, card="ANNA1")
    with pytest.raises(NoAddress):
        await addresses.confirm(member, keys=KEYS, actor=ANNA, at=at)
    await addresses.change(member, "Storgata 1, Oslo", keys=KEYS, actor=ANNA, at=at)
    assert await _seen(member) == (True, False)
    await addresses.confirm(member, keys=KEYS, actor=ANNA, at=at)
    await addresses.confirm(member, keys=KEYS, actor=ANNA, at=at)
    await addresses.change(member, "Storgata  1, Oslo", keys=KEYS, actor=ANNA, at=at)
    assert await _seen(member) == (True, True)
    await addresses.change(member, "Storgata 2, Oslo", keys=KEYS, actor=ANNA, at=at)
    assert await _seen(member) == (True, False)
    with pytest.raises(InvalidAddress):
        await addresses.change(member, " ", keys=KEYS, actor=ANNA, at=at)
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT action, facts FROM audit_log WHERE subject = $1 ORDER BY no", f"member:{member}"
        )
    assert [row[0] for row in rows] == [
        "member_address.changed",
        "member_address.confirmed",
        "member_address.changed",
    ]
    assert all("Oslo" not in str(row[1]) for row in rows)
