"""What this package keeps of a member, for the member's copy and for forgetting it."""

from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
import msgspec

from coalition.federation import catalogue
from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.members import consents, queries, standings
from coalition.members.privacy import Keeper, Piece
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened

_MEMBER = """
SELECT id, state, state_since, enrolled_by, enrolled_at, merged_into
FROM member WHERE bucket = $1 AND id = $2
"""

_KNOWN_TO = """
SELECT partner_no, since FROM partner_member
WHERE bucket = $1 AND member_id = $2 ORDER BY partner_no
"""


def keeper(keys: MemberKeys) -> Keeper:
    """Return what exports members, opening their data with `keys`, and what forgets them."""

    async def export(
        connection: Connection, member_id: MemberId, at: datetime
    ) -> AsyncIterator[Piece]:
        del at
        known = await catalogue.load(connection)
        row = await connection.fetchrow(_MEMBER, bucket_of(member_id), member_id)
        assert row is not None, "an export is of a member"
        yield "member", _member(row, known)
        yield "personal_data", await _person(connection, member_id, keys)
        rows = await connection.fetch(_KNOWN_TO, bucket_of(member_id), member_id)
        yield (
            "known_to",
            [
                {"partner": partner_name(known, row["partner_no"]), "since": row["since"]}
                for row in rows
            ],
        )
        words = await consents.history(connection, member_id)
        yield "consents", [_consent(word, known) for word in words]
        yield "standings", await standings.history(connection, member_id)

    return Keeper("members", export, _erase)


def partner_name(known: Catalogue, no: int | None) -> str | None:
    """Return the name of a partner by its number; None for what no partner did."""
    names = {partner.no: partner.name for partner in known.partners}
    return None if no is None else names.get(no)


async def _erase(connection: Connection, member_id: MemberId, asked_at: datetime) -> None:
    del asked_at
    await queries.forget(connection, member_id)


def _member(row: asyncpg.Record, known: Catalogue) -> dict[str, object]:
    shown = dict(row)
    return shown | {"enrolled_by": partner_name(known, row["enrolled_by"])}


async def _person(
    connection: Connection, member_id: MemberId, keys: MemberKeys
) -> msgspec.Struct | None:
    stored = await queries.read(connection, member_id)
    if stored is None or stored.sealed is None:
        return None
    data, _ = opened(stored, member_id=member_id, keys=keys)
    return data


def _consent(word: consents.Consent, known: Catalogue) -> dict[str, object]:
    shown = msgspec.structs.asdict(word)
    del shown["recipient_no"], shown["through_partner_no"]
    return shown | {
        "recipient": partner_name(known, word.recipient_no),
        "through": partner_name(known, word.through_partner_no),
    }
