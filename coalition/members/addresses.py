"""Where members live, and whether a register of the population says so too."""

from datetime import datetime

import msgspec

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import kept_data, rules
from coalition.members.refusals import NoAddress
from coalition.members.sealing import MemberKeys


async def change(
    member_id: MemberId, address: str, *, keys: MemberKeys, actor: str, at: datetime
) -> None:
    """Let the member live at `address`, which no register has confirmed yet.

    Raises `InvalidAddress`, `PaymentCardInText`, `UnknownMember`, `HolderMerged`,
    `MemberIsClosed`.
    """
    new = rules.normal_address(address)
    async with transaction() as connection:
        stored, data, key = await kept_data.locked(connection, member_id, keys)
        if data.address == new:
            return
        changed = msgspec.structs.replace(data, address=new, address_registered=False)
        await kept_data.keep(connection, member_id, stored, changed, key)
        action = "member_address.changed"
        await kept_data.record(connection, member_id, at, action=action, actor=actor)


async def confirm(member_id: MemberId, *, keys: MemberKeys, actor: str, at: datetime) -> None:
    """Note that a register of the population has the member at its address; once is enough.

    Raises `NoAddress` where none is known, and as `change` does.
    """
    async with transaction() as connection:
        stored, data, key = await kept_data.locked(connection, member_id, keys)
        if data.address is None:
            raise NoAddress
        if data.address_registered:
            return
        changed = msgspec.structs.replace(data, address_registered=True)
        await kept_data.keep(connection, member_id, stored, changed, key)
        action = "member_address.confirmed"
        await kept_data.record(connection, member_id, at, action=action, actor=actor)
