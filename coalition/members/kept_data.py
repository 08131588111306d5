"""Changing what is kept of a person: opened under the member's lock, sealed anew, and logged.

The log says that something changed and never what: a row of it is never erased.
"""

from datetime import datetime

import msgspec

from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.members import queries, sealing
from coalition.members.locking import check_open
from coalition.members.personal import PersonalData
from coalition.members.queries import Standing, StoredMember
from coalition.members.refusals import UnknownMember
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened
from coalition.oversight import audit_log


async def locked(
    connection: Connection, member_id: MemberId, keys: MemberKeys
) -> tuple[StoredMember, PersonalData, bytes]:
    """Return a member, who is locked, what is kept of it, and the key that opened that.

    Raises `UnknownMember`, `HolderMerged` or `MemberIsClosed`.
    """
    stored = await queries.lock_member(connection, member_id)
    if stored is None:
        raise UnknownMember
    check_open(Standing(stored.state, stored.merged_into))
    data, key = opened(stored, member_id=member_id, keys=keys)
    return stored, data, key


async def keep(
    connection: Connection,
    member_id: MemberId,
    stored: StoredMember,
    data: PersonalData,
    key: bytes,
) -> None:
    """Keep `data` as the next version of what was `stored` of a locked member."""
    assert stored.sealed is not None, "what is changed was there"
    version = stored.sealed.version + 1
    sealed = sealing.seal(msgspec.json.encode(data), member_id=member_id, key=key, version=version)
    await queries.change_personal_data(connection, member_id, sealed)


async def record(
    connection: Connection, member_id: MemberId, at: datetime, *, action: str, actor: str
) -> None:
    """Note in the audit log that something of a member was changed."""
    subject = f"member:{member_id}"
    await audit_log.record(connection, actor=actor, action=action, subject=subject, facts={}, at=at)
