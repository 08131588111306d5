"""Documents in SQLite: one transaction per request, safe with several processes on one file.

A write transaction begins by taking the only write lock (`BEGIN IMMEDIATE`), so that what it read
is still true when it commits; others wait. In memory there is one connection, in a file the log is
written ahead, so that a killed process loses nothing that was committed.
"""

import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from billing.sandbox.documents import Document

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS document (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS document_kind ON document (kind, seq);
CREATE INDEX IF NOT EXISTS document_customer
    ON document (kind, json_extract(body, '$.customer'), seq);
CREATE INDEX IF NOT EXISTS document_subscription
    ON document (kind, json_extract(body, '$.parent.subscription_details.subscription'), seq);
CREATE INDEX IF NOT EXISTS document_payment_intent
    ON document (kind, json_extract(body, '$.payment_intent'), seq);
CREATE INDEX IF NOT EXISTS document_invoice
    ON document (kind, json_extract(body, '$.invoice'), seq);
CREATE INDEX IF NOT EXISTS document_charge
    ON document (kind, json_extract(body, '$.charge'), seq);
CREATE TABLE IF NOT EXISTS due (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    clock TEXT NOT NULL,
    at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due_at ON due (clock, at, seq);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    created INTEGER NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_created ON idempotency (created);
CREATE TABLE IF NOT EXISTS delivery (
    event TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (event, endpoint)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due_at, seq) WHERE state = 'pending';
"""
_PATH = re.compile(r"[a-z_0-9]+(\.[a-z_0-9]+)*")
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BUSY_SECONDS = 10.0


class DueEntry(NamedTuple):
    """Something that falls due at `at`, by the clock of that name ("" is the account's time)."""

    kind: str
    id: str
    at: int


class Store:
    """The documents of one account, in a file or in memory."""

    def __init__(self, path: Path | None, *, seed: str | None = None) -> None:
        """Open or create it; `seed` makes the ids of a new store the same in each run."""
        self.witness: Callable[[Document], None] | None = None
        self.connection = sqlite3.connect(
            path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None
        )
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.executescript(_TABLES)
        self.connection.execute(
            "INSERT OR IGNORE INTO meta VALUES ('seed', ?), ('counter', '0'), ('offset', '0')",
            (seed or secrets.token_hex(16),),
        )

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Yield a transaction that may write, committed at the end, rolled back on an error."""
        self.connection.execute("BEGIN IMMEDIATE")
        held = Transaction(self.connection, self.witness)
        try:
            yield held
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator["Transaction"]:
        """Yield a transaction that reads one state and waits for nobody."""
        self.connection.execute("BEGIN")
        try:
            yield Transaction(self.connection)
        finally:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


class Transaction:
    """What can be done with documents inside of one transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        witness: Callable[[Document], None] | None = None,
    ) -> None:
        """Work on a connection whose transaction has begun; a witness sees each event."""
        self.sql = connection
        self.witness = witness
        self._savepoints = 0

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what was written inside when it ends by an error."""
        self._savepoints += 1
        name = f"s{self._savepoints}"
        self.sql.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self.sql.execute(f"ROLLBACK TO {name}")
            self.sql.execute(f"RELEASE {name}")
            raise
        self.sql.execute(f"RELEASE {name}")

    # ---- facts of the account

    def meta(self, name: str) -> str | None:
        """Return a fact of the account."""
        row = self.sql.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        """Set a fact of the account."""
        self.sql.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def count(self) -> int:
        """Return the next number of this store; each is given once."""
        row = self.sql.execute(
            "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'counter'"
            " RETURNING CAST(value AS INTEGER)"
        ).fetchone()
        return int(row[0])

    def new_id(self, prefix: str, letters: int = 24) -> str:
        """Return an id that looks like Stripe's and depends on the seed and on how many came."""
        digest = hashlib.blake2b(f"{self.meta('seed')}:{self.count()}".encode()).digest()
        number = int.from_bytes(digest, "big")
        chosen = []
        for _ in range(letters):
            number, rest = divmod(number, len(_LETTERS))
            chosen.append(_LETTERS[rest])
        return f"{prefix}_{''.join(chosen)}"

    # ---- documents

    def find(self, kind: str, id_: str) -> Document | None:
        """Return the document of that kind and id, or None."""
        row = self.sql.execute(
            "SELECT body FROM document WHERE id = ? AND kind = ?", (id_, kind)
        ).fetchone()
        return None if row is None else _read(row[0])

    def find_any(self, id_: str) -> Document | None:
        """Return the document of that id whatever it is, or None."""
        row = self.sql.execute("SELECT body FROM document WHERE id = ?", (id_,)).fetchone()
        return None if row is None else _read(row[0])

    def put(self, document: Document) -> None:
        """Keep a document, new or changed, by its `id`; its `object` is its kind."""
        self.sql.execute(
            "INSERT INTO document (id, kind, created, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (
                document["id"],
                document["object"],
                _seconds(document.get("created")),
                json.dumps(document, separators=(",", ":"), ensure_ascii=False),
            ),
        )

    def remove(self, id_: str) -> None:
        """Forget a document."""
        self.sql.execute("DELETE FROM document WHERE id = ?", (id_,))

    def all(
        self,
        kind: str,
        where: Mapping[str, Any] | None = None,
        *,
        newest_first: bool = False,
        created: Mapping[str, int] | None = None,
        beyond: int | None = None,
        limit: int = -1,
    ) -> list[Document]:
        """Return documents by dotted paths that must equal values, in order of their making.

        A list of values means any of them, None that the path has no value. `created` has bounds by
        name (gt, gte, lt, lte); `beyond` is the place (see `place`) after which the order goes on.
        """
        clauses = ["kind = ?"]
        values: list[Any] = [kind]
        for path, wanted in (where or {}).items():
            clause, more = _condition(path, wanted)
            clauses.append(clause)
            values.extend(more)
        for name, bound in (created or {}).items():
            clauses.append(f"created {_BOUNDS[name]} ?")
            values.append(bound)
        if beyond is not None:
            clauses.append("seq < ?" if newest_first else "seq > ?")
            values.append(beyond)
        order = "DESC" if newest_first else "ASC"
        rows = self.sql.execute(
            f"SELECT body FROM document WHERE {' AND '.join(clauses)}"  # noqa: S608 - checked paths
            f" ORDER BY seq {order} LIMIT ?",
            (*values, limit),
        )
        return [_read(body) for (body,) in rows]

    def place(self, kind: str, id_: str) -> int | None:
        """Return the place of a document in the order of making."""
        row = self.sql.execute(
            "SELECT seq FROM document WHERE id = ? AND kind = ?", (id_, kind)
        ).fetchone()
        return None if row is None else int(row[0])

    # ---- what falls due

    def schedule(self, entry: DueEntry, clock: str) -> None:
        """Plan something for an instant of a clock, in place of what was planned of its name."""
        self.sql.execute(
            "INSERT OR REPLACE INTO due (kind, id, clock, at, seq) VALUES (?, ?, ?, ?, ?)",
            (entry.kind, entry.id, clock, entry.at, self.count()),
        )

    def unschedule(self, kind: str, id_: str) -> None:
        """Plan it no more."""
        self.sql.execute("DELETE FROM due WHERE kind = ? AND id = ?", (kind, id_))

    def next_due(self, clock: str, until: int) -> DueEntry | None:
        """Return what falls due first by a clock, up to and with `until`."""
        row = self.sql.execute(
            "SELECT kind, id, at FROM due WHERE clock = ? AND at <= ? ORDER BY at, seq LIMIT 1",
            (clock, until),
        ).fetchone()
        return None if row is None else DueEntry(*row)

    # ---- the post

    def post(self, event_id: str, endpoint_id: str, *, at: int) -> None:
        """Plan to deliver an event to an endpoint at once, also when that was done before."""
        self.sql.execute(
            "INSERT OR REPLACE INTO delivery VALUES (?, ?, 'pending', 0, ?, ?, ?)",
            (event_id, endpoint_id, at, at, self.count()),
        )


_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _condition(path: str, wanted: Any) -> tuple[str, list[Any]]:
    assert _PATH.fullmatch(path), f"{path} is not a path"
    place = f"json_extract(body, '$.{path}')"
    if wanted is None:
        return f"{place} IS NULL", []
    if isinstance(wanted, list | tuple | set | frozenset):
        values = sorted(wanted)
        return f"{place} IN ({', '.join('?' * len(values))})", values
    return f"{place} = ?", [wanted]


def _seconds(created: Any) -> int:
    """Return when something was made; a thin event says it in words, and no list bounds it."""
    return created if isinstance(created, int) else 0


def _read(body: str) -> Document:
    document: Document = json.loads(body)
    return document
