"""The names of nominees: sealed under the key of the head, for whom they are kept.

Whoever takes the group over has them sealed under its own key. When a head is forgotten, its key
goes, and the names with it.
"""

from uuid import UUID

import msgspec

from coalition.families.groups.gathering import OpenGroup
from coalition.families.kin import places
from coalition.families.kin.group_refusals import InvalidNominee
from coalition.families.kin.places import PlaceRow
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.members import queries, sealing
from coalition.members.payment_cards import holds_payment_card
from coalition.members.sealing import MemberKeys, SealBrokenError
from coalition.members.service import opened

LONGEST = 100
_PURPOSE = b"nominee"


async def seal(connection: Connection, head: UUID, name: str, keys: MemberKeys) -> bytes:
    """Return the name of a nominee sealed under the head's key. Raises `InvalidNominee`."""
    label = name.strip()
    if not 1 <= len(label) <= LONGEST or not label.isprintable() or holds_payment_card(label):
        raise InvalidNominee
    return await seal_text(connection, head, label, keys, purpose=_PURPOSE)


async def seal_text(
    connection: Connection, member: UUID, text: str, keys: MemberKeys, *, purpose: bytes
) -> bytes:
    """Return words about a person sealed under a member's key. Raises `InvalidNominee`."""
    key = await _key(connection, member, keys)
    if key is None:
        raise InvalidNominee
    return sealing.seal_note(text.encode(), member_id=MemberId(member), key=key, purpose=purpose)


async def unseal_text(
    connection: Connection, member: UUID, sealed: bytes, keys: MemberKeys, *, purpose: bytes
) -> str:
    """Return what `seal_text` sealed. Raises `SealBrokenError`, also when the key is gone."""
    key = await _key(connection, member, keys)
    if key is None:
        raise SealBrokenError("the key of a member is gone")
    plain = sealing.unseal_note(sealed, member_id=MemberId(member), key=key, purpose=purpose)
    return plain.decode()


async def names(connection: Connection, group: OpenGroup) -> dict[int, str | None]:
    """Return the names of a group's nominees by place; None where the head was forgotten."""
    nominees = [place for place in group.places if place.nominee is not None]
    if not nominees:
        return {}
    key = await _key(connection, group.row.head, group.book.keys)
    return {place.no: _opened(place, group.row.head, key) for place in nominees}


async def seal_anew(connection: Connection, group: OpenGroup, head: UUID) -> None:
    """Seal the names under the key of `head`, who takes the group over."""
    for no, name in (await names(connection, group)).items():
        if name is not None:
            sealed = await seal(connection, head, name, group.book.keys)
            position = [place.no for place in group.places].index(no)
            place = msgspec.structs.replace(group.places[position], nominee=sealed)
            group.places[position] = place
            await places.set_place(connection, group.id, place)


def _opened(place: PlaceRow, head: UUID, key: bytes | None) -> str | None:
    if key is None or place.nominee is None:
        return None
    plain = sealing.unseal_note(place.nominee, member_id=MemberId(head), key=key, purpose=_PURPOSE)
    return plain.decode()


async def _key(connection: Connection, member: UUID, keys: MemberKeys) -> bytes | None:
    stored = await queries.read(connection, MemberId(member))
    if stored is None or stored.wrapped_key is None or stored.sealed is None:
        return None
    _, key = opened(stored, member_id=MemberId(member), keys=keys)
    return key
