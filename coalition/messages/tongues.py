"""In which language a member wants to be spoken to, where it has said so, and all others."""

from collections.abc import Collection
from datetime import datetime

from coalition.federation import service
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.messages.wording import LANGUAGES

_CHOOSE = """
INSERT INTO message_language (bucket, member_id, language, chosen_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (bucket, member_id) DO UPDATE
SET language = excluded.language, chosen_at = excluded.chosen_at
WHERE message_language.language <> excluded.language
"""
_CHOSEN = "SELECT language FROM message_language WHERE bucket = $1 AND member_id = $2"

_GIVE_UP = """
DELETE FROM message_language WHERE bucket = $1 AND member_id = $2 RETURNING language, chosen_at
"""
_GIVE_TO = """
INSERT INTO message_language (bucket, member_id, language, chosen_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (bucket, member_id) DO NOTHING
"""

_CHOSEN_BY = """
SELECT kept.member_id, kept.language
FROM unnest($1::int2[], $2::uuid[]) AS wanted (bucket, member_id)
JOIN message_language AS kept USING (bucket, member_id)
"""


async def choose(connection: Connection, member: MemberId, language: str, at: datetime) -> None:
    """Let a member be written to in `language`, one of `LANGUAGES`, from now on."""
    assert language in LANGUAGES, "it is one of ours"
    await connection.execute(_CHOOSE, bucket_of(member), member, language, at)


async def speak(language: str, *, actor: str, at: datetime) -> None:
    """Let the coalition speak `language`, one of `LANGUAGES`, to all who have chosen none.

    Raises `CoalitionNotSetUp`.
    """
    assert language in LANGUAGES, "it is one of ours"
    await service.speak(language=language, actor=actor, at=at)


async def chosen(connection: Connection, member: MemberId) -> str | None:
    """Return the language that a member has chosen; None where it has not."""
    found: str | None = await connection.fetchval(_CHOSEN, bucket_of(member), member)
    return found


async def chosen_by(connection: Connection, members: Collection[MemberId]) -> dict[MemberId, str]:
    """Return the language of each of `members` that has chosen one."""
    ordered = list(members)
    rows = await connection.fetch(_CHOSEN_BY, [bucket_of(one) for one in ordered], ordered)
    return {MemberId(row[0]): row[1] for row in rows}


async def take_over(
    connection: Connection, from_id: MemberId, into_id: MemberId, at: datetime
) -> None:
    """Let a survivor who has chosen no language have that of who was merged into it."""
    del at  # it was chosen when it was chosen
    choice = await connection.fetchrow(_GIVE_UP, bucket_of(from_id), from_id)
    if choice is not None:
        await connection.execute(_GIVE_TO, bucket_of(into_id), into_id, *choice)
