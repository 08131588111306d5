"""Idempotency keys as Stripe has them: the first answer comes again, for the same wish alone."""

import hashlib
import json
from typing import NamedTuple

from billing.sandbox.documents import Document
from billing.sandbox.errors import IdempotencyMismatch
from billing.sandbox.store import Transaction

KEPT_SECONDS = 86_400
_LONGEST = 255


class Answer(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: Document
    is_replayed: bool = False


def fingerprint(method: str, path: str, values: Document) -> str:
    """Return what tells one request from another: its address and parameters."""
    text = json.dumps([method, path, values], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def recall(transaction: Transaction, key: str, request: str, now: int) -> Answer | None:
    """Return the answer kept under a key of the last day; refuse it for another request."""
    if len(key) > _LONGEST:
        raise IdempotencyMismatch("Idempotency keys have at most 255 characters.")
    row = transaction.sql.execute(
        "SELECT request, status, body FROM idempotency WHERE key = ? AND created > ?",
        (key, now - KEPT_SECONDS),
    ).fetchone()
    if row is None:
        return None
    known, status, body = row
    if known != request:
        raise IdempotencyMismatch(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request."
        )
    return Answer(status, json.loads(body), is_replayed=True)


def keep(transaction: Transaction, key: str, request: str, now: int, answer: Answer) -> None:
    """Keep the answer of a request that was done, in the same transaction; forget old ones."""
    transaction.sql.execute("DELETE FROM idempotency WHERE created <= ?", (now - KEPT_SECONDS,))
    transaction.sql.execute(
        "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)",
        (key, request, now, answer.status, json.dumps(answer.body, ensure_ascii=False)),
    )
