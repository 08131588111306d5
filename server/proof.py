"""The proof of all books at once: what the ledger promises, and what settlement makes of it."""

from coalition.ledger import audit
from coalition.ledger.audit import Report
from partners.settlement import audit_checks


async def prove() -> Report:
    """Run every check of the ledger and of settlement, in one snapshot; tills go on meanwhile."""
    return await audit.run(audit_checks.CHECKS)
