"""The proof of the books: queries over all of their history, in one snapshot.

Some invariants take several queries; each returns the rows that break it, so an empty answer is the
proof. A till may post meanwhile. The ledger proves I1 to I6, I10 and I13; who stands above it hands
in what it has to prove beyond.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from coalition.kernel.database import Connection, transaction
from coalition.ledger import audit_checks, audit_classes, audit_debts, audit_halves, audit_passages
from coalition.ledger.audit_checks import Check
from coalition.oversight import audit_log

SNAPSHOT = {
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
    "work_mem": "256MB",
    "jit": "off",
}


class Breach(msgspec.Struct, frozen=True):
    """An invariant that does not hold, with how many rows break it and the first of them."""

    invariant: str
    promise: str
    rows: int
    first: str


class Report(msgspec.Struct, frozen=True):
    """What an audit found; `ok` when there are no breaches."""

    ok: bool
    checks: int
    breaches: list[Breach]


class Walk(NamedTuple):
    """A promise that no query can prove: `find` reads, and returns what breaks it."""

    invariant: str
    promise: str
    find: Callable[[Connection], Awaitable[Sequence[object]]]


CHECKS = (
    audit_checks.CHECKS
    + audit_classes.CHECKS
    + audit_debts.CHECKS
    + audit_halves.CHECKS
    + audit_passages.CHECKS
)
WALKS = (Walk("I13", "the chain of the audit log verifies", audit_log.verify),)


async def run(checks: Sequence[Check] = (), walks: Sequence[Walk] = ()) -> Report:
    """Run every check and walk of the ledger, and those given, in one snapshot."""
    queries, walked = (*CHECKS, *checks), (*WALKS, *walks)
    async with transaction(SNAPSHOT) as connection:
        found = [await _find(connection, check) for check in queries]
        found += [await _walk(connection, walk) for walk in walked]
    breaches = [breach for breach in found if breach is not None]
    return Report(ok=not breaches, checks=len(found), breaches=breaches)


async def _walk(connection: Connection, walk: Walk) -> Breach | None:
    broken = await walk.find(connection)
    return Breach(*walk[:2], len(broken), str(broken[0])) if broken else None


async def _find(connection: Connection, check: Check) -> Breach | None:
    row = await connection.fetchrow(
        f"WITH broken AS ({check.query}) "  # noqa: S608 - the queries stand above
        "SELECT count(*), (SELECT broken::text FROM broken LIMIT 1) FROM broken"
    )
    assert row is not None
    return Breach(check.invariant, check.promise, row[0], row[1]) if row[0] else None
