"""The log of what staff and the system did: append-only, hash-chained, verified by one query.

Every row carries the SHA-256 of its own content and of the hash before it, so a row that was
changed, removed or slipped in breaks the chain. Who can rewrite the whole chain and its head cannot
be caught from inside: keep a `Head` elsewhere from time to time and hand it to `verify` as the
anchor.

The chain's head is one row, locked by each append until its transaction ends. So appends wait for
each other. That is meant for rare acts (a contract, a suspension, an approval), never for postings,
whose proof is the ledger itself. Record last in a transaction: nothing then waits for another lock
while it holds the head.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from coalition.kernel.database import Connection

FIRST_HASH = bytes(32)
"""What the first row names as the hash before it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXPORT_ROWS = 1000


class BreachKind(StrEnum):
    """What is wrong with a row of the log."""

    ALTERED = "altered"
    """Its content does not have its hash."""
    UNLINKED = "unlinked"
    """It does not follow the row before it: one was removed, slipped in or reordered."""
    HEAD_DIFFERS = "head_differs"
    """The head does not name the last row: rows at the end were removed or added past the head."""
    ANCHOR_DIFFERS = "anchor_differs"
    """The row that was noted elsewhere is gone or has another hash: the chain was rewritten."""


class Breach(msgspec.Struct, frozen=True):
    """One place where the log is not what was recorded."""

    no: int
    kind: BreachKind


class Entry(msgspec.Struct, frozen=True):
    """One row of the log; `facts` is the JSON that was hashed."""

    no: int
    at: datetime
    facts: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One whole row; hashes are hexadecimal, `facts` is the very text that was hashed.

    So `row_hash` can be computed from it alone.
    """

    no: int
    at: datetime
    actor: str
    action: str
    subject: str
    facts: str
    previous_hash: str
    hash: str


class Head(msgspec.Struct, frozen=True):
    """The last row's number and hash; whoever keeps it elsewhere can prove the log up to here."""

    no: int
    hash: bytes


async def record(
    connection: Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    facts: Mapping[str, object],
    at: datetime,
) -> int:
    """Append one row inside the caller's transaction; return its number.

    `actor` is a person's or a program's name for itself (`staff:…`, `client:…`, `system:…`),
    `action` a verb with its noun (`contract.signed`), `subject` what it was done to (`partner:7`).
    `facts` is anything that msgspec writes as JSON, without personal data and secrets: a row is
    never erased. No floats: their text is not one.
    """
    assert connection.is_in_transaction(), "an audit row lives and dies with what it tells of"
    assert at.tzinfo is not None, "an audit row needs an aware time"
    assert all((actor, action, subject)), "an audit row says who did what to what"
    before = await connection.fetchrow(
        "SELECT last_no, last_hash FROM audit_log_head WHERE no = 1 FOR UPDATE"
    )
    assert before is not None, "the audit log has lost its head"
    no = before["last_no"] + 1
    text = canonical_json(facts)
    digest = row_hash(
        no=no,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        facts=text,
        previous_hash=before["last_hash"],
    )
    await connection.execute(
        """
        WITH appended AS (
            INSERT INTO audit_log (no, at, actor, action, subject, facts, previous_hash, hash)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        )
        UPDATE audit_log_head SET last_no = $1, last_hash = $8 WHERE no = 1
        """,
        no,
        at,
        actor,
        action,
        subject,
        text,
        before["last_hash"],
        digest,
    )
    return int(no)


def canonical_json(facts: object) -> str:
    """Return `facts` as JSON with sorted keys, no spaces, decimals and ids as strings."""
    assert not _has_float(facts), "a float has more than one text; use a Decimal"
    return msgspec.json.encode(facts, order="sorted").decode()


def _has_float(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_has_float(held) for held in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return any(_has_float(held) for held in value)
    return isinstance(value, float)


def row_hash(
    *,
    no: int,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    facts: str,
    previous_hash: bytes,
) -> bytes:
    """Return SHA-256 over the canonical row, the same that `verify` computes in the database.

    The canonical row is the hash before, then number and time (microseconds since 1970) as eight
    bytes big-endian, then the four texts in UTF-8, each after its length in four bytes.
    """
    microseconds = (at - _EPOCH) // timedelta(microseconds=1)
    parts = [previous_hash, no.to_bytes(8, "big"), microseconds.to_bytes(8, "big", signed=True)]
    for text in (actor, action, subject, facts):
        data = text.encode()
        parts += [len(data).to_bytes(4, "big"), data]
    return hashlib.sha256(b"".join(parts)).digest()


_FRAMED = " || ".join(
    f"int4send(octet_length(convert_to({name}, 'UTF8'))) || convert_to({name}, 'UTF8')"
    for name in ("actor", "action", "subject", "facts")
)

_VERIFY = f"""
WITH chain AS (
    SELECT no, previous_hash, hash,
           sha256(previous_hash || int8send(no)
                  || int8send((extract(epoch FROM at) * 1000000)::int8) || {_FRAMED}) AS computed,
           lag(no, 1, 0::int8) OVER in_order AS no_before,
           lag(hash, 1, $1::bytea) OVER in_order AS hash_before
    FROM audit_log
    WINDOW in_order AS (ORDER BY no)
),
last AS (SELECT no, hash FROM audit_log ORDER BY no DESC LIMIT 1)
SELECT no, 'altered' AS kind FROM chain WHERE hash <> computed
UNION ALL
SELECT no, 'unlinked' FROM chain WHERE no <> no_before + 1 OR previous_hash <> hash_before
UNION ALL
SELECT coalesce(head.last_no, last.no, 0), 'head_differs'
FROM (SELECT 1) AS always
LEFT JOIN audit_log_head AS head ON true
LEFT JOIN last ON true
WHERE head.last_no IS DISTINCT FROM coalesce(last.no, 0)
   OR head.last_hash IS DISTINCT FROM coalesce(last.hash, $1::bytea)
UNION ALL
SELECT $2::int8, 'anchor_differs'
WHERE $2 > 0 AND NOT EXISTS (SELECT FROM audit_log WHERE no = $2 AND hash = $3::bytea)
ORDER BY 1, 2
"""  # noqa: S608 - put together from the column names above


async def verify(connection: Connection, *, anchor: Head | None = None) -> list[Breach]:
    """Return every breach of the chain, by number; an empty list proves the log up to its head.

    One query reads the log once in order; only breaches leave the database. With an `anchor` that
    was kept elsewhere, also a chain that was rewritten as a whole is found.
    """
    known = anchor or Head(0, FIRST_HASH)
    rows = await connection.fetch(_VERIFY, FIRST_HASH, known.no, known.hash)
    return [Breach(row["no"], BreachKind(row["kind"])) for row in rows]


async def head(connection: Connection) -> Head:
    """Return the present head, to be kept where nobody who can write here can write."""
    row = await connection.fetchrow("SELECT last_no, last_hash FROM audit_log_head WHERE no = 1")
    assert row is not None, "the audit log has lost its head"
    return Head(row["last_no"], row["last_hash"])


async def last(connection: Connection, action: str) -> Entry | None:
    """Return the last row that tells of `action`; None when there is none."""
    row = await connection.fetchrow(
        "SELECT no, at, facts FROM audit_log WHERE action = $1 ORDER BY no DESC LIMIT 1", action
    )
    return None if row is None else Entry(**row)


async def page(
    connection: Connection, *, after_no: int, limit: int, subject: str | None = None
) -> list[Row]:
    """Return at most `limit` rows after `after_no` in order, of one subject or of all."""
    rows = await connection.fetch(
        """
        SELECT no, at, actor, action, subject, facts,
               encode(previous_hash, 'hex') AS previous_hash, encode(hash, 'hex') AS hash
        FROM audit_log WHERE no > $1 AND ($3::text IS NULL OR subject = $3)
        ORDER BY no LIMIT $2
        """,
        after_no,
        limit,
        subject,
    )
    return [Row(**row) for row in rows]


async def export(connection: Connection, *, after_no: int = 0) -> AsyncIterator[bytes]:
    """Yield the rows after `after_no` in order as NDJSON lines, read a thousand at a time.

    Hashes are hexadecimal; `facts` is the very text that was hashed, so that `row_hash` can be
    computed from a line alone. Rows never change, so no transaction has to span the whole.
    """
    while rows := await connection.fetch(
        """
        SELECT no, at, actor, action, subject, facts, previous_hash, hash
        FROM audit_log WHERE no > $1 ORDER BY no LIMIT $2
        """,
        after_no,
        _EXPORT_ROWS,
    ):
        for row in rows:
            hashes = {name: row[name].hex() for name in ("previous_hash", "hash")}
            yield msgspec.json.encode(dict(row) | hashes) + b"\n"
        after_no = rows[-1]["no"]
