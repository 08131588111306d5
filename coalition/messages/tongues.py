"""In which language a member wants to be spoken to, where it has said so."""

from datetime import datetime

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


async def choose(connection: Connection, member: MemberId, language: str, at: datetime) -> None:
    """Let a member be written to in `language`, one of `LANGUAGES`, from now on."""
    assert language in LANGUAGES, "it is one of ours"
    await connection.execute(_CHOOSE, bucket_of(member), member, language, at)


async def chosen(connection: Connection, member: MemberId) -> str | None:
    """Return the language that a member has chosen; None where it has not."""
    found: str | None = await connection.fetchval(_CHOSEN, bucket_of(member), member)
    return found
