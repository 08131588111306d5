"""The proof of the ledger: I1 to I6 and I13 by queries over all of its history, in one snapshot.

Some invariants take several queries; each returns the rows that break it, so an empty answer is the
proof. A till may post meanwhile.
"""

import msgspec

from coalition.kernel.database import Connection, transaction
from coalition.ledger import audit_checks, audit_debts, audit_halves
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


CHECKS = audit_checks.CHECKS + audit_debts.CHECKS + audit_halves.CHECKS
_CHAIN = "the chain of the audit log verifies"


async def run() -> Report:
    """Run every check of the ledger and walk the chain of the audit log, in one snapshot."""
    async with transaction(SNAPSHOT) as connection:
        breaches = [
            breach for check in CHECKS if (breach := await _find(connection, check)) is not None
        ]
        broken = await audit_log.verify(connection)
        if broken:
            breaches.append(Breach("I13", _CHAIN, len(broken), str(broken[0])))
    return Report(ok=not breaches, checks=len(CHECKS) + 1, breaches=breaches)


async def _find(connection: Connection, check: Check) -> Breach | None:
    row = await connection.fetchrow(
        f"WITH broken AS ({check.query}) "  # noqa: S608 - the queries stand above
        "SELECT count(*), (SELECT broken::text FROM broken LIMIT 1) FROM broken"
    )
    assert row is not None
    return Breach(check.invariant, check.promise, row[0], row[1]) if row[0] else None
