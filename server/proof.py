"""The proof of all books at once: what the ledger promises, and what settlement makes of it."""

from coalition.ledger import audit
from coalition.ledger.audit import Report
from partners.settlement import audit_checks, audit_walks


async def prove() -> Report:
    """Prove every invariant of ledger and settlement, in one snapshot; tills go on meanwhile."""
    return await audit.run(audit_checks.CHECKS, audit_walks.WALKS)
