"""A member of whom something is kept everywhere, for tests of copies and of forgetting."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import consents, merging, privacy, standings
from coalition.members.consents import Channel, Given
from coalition.members.sealing import MemberKeys
from server import people
from tests.support.http import SETTINGS, Coalition

ANNA, BERTIL = "staff:anna", "staff:bertil"
PERSON = {
    "email": "Asa.Exempelsson@exempel.example",
    "phone": "+46701234567",
    "card": "KORT97520001",
    "first_name": "Åsa",
    "last_name": "Exempelsson",
    "born": "1980-02-29",
}
KEEPERS = people.keepers(SETTINGS)


async def a_full_life(coalition: Coalition) -> MemberId:
    """Return a member of whom something is kept everywhere."""
    grocer, fuel, at = coalition.grocer, coalition.fuel, coalition.clock.now()
    said = [{"purpose": "marketing", "channel": "email", "granted": True, "text_version": "1"}]
    made = await grocer.post("/v1/members", PERSON | {"consents": said})
    member = MemberId(UUID(made.json()["member_id"]))
    old = await fuel.post(
        "/v1/members", {"card": "KORT97520002", "email": "gammal@exempel.example"}
    )
    old_id = MemberId(UUID(old.json()["member_id"]))
    await fuel.issue(str(old_id), 30)
    approval = await merging.prepare(
        from_id=old_id, into_id=member, reason="same person", prepared_by=ANNA, at=at
    )
    await merging.approve(
        approval,
        approved_by=BERTIL,
        keys=MemberKeys.of(SETTINGS),
        followers=people.FOLLOWERS,
        at=at,
    )
    by_card = grocer.payment(str(member), 100)
    del by_card["member_id"]
    assert (await grocer.post("/v1/points/issue", by_card | {"card": "KORT97520001"})).is_success
    await grocer.post("/v1/points/redeem", grocer.payment(str(member), 25))
    given = Given(purpose="marketing", channel=Channel.SMS, granted=False, text_version="1")
    await consents.give_by_staff(member, given, note="lives in the blue house", actor=ANNA, at=at)
    async with transaction() as connection:
        await standings.grant(
            connection,
            member=member,
            kind="tier",
            value="gold",
            valid_from=at,
            valid_until=None,
            source=ANNA,
            at=at,
        )
    return member


async def copy_of(member: MemberId, at: datetime) -> Any:  # Any: JSON
    pieces = [piece async for piece in privacy.export(member, KEEPERS, at=at)]
    return json.loads(b"".join(pieces))
