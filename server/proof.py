"""The proof of all books at once: ledger, families, memberships, and what settlement makes."""

from billing.benefits import audit_checks as benefits
from billing.subscriptions import audit_checks as memberships
from coalition.families import audit_checks as families
from coalition.ledger import audit
from coalition.ledger.audit import Report
from partners.settlement import audit_checks, audit_walks


async def prove() -> Report:
    """Prove every invariant of all books, in one snapshot; tills go on meanwhile."""
    return await audit.run(
        families.CHECKS + audit_checks.CHECKS + memberships.CHECKS + benefits.CHECKS,
        families.WALKS + audit_walks.WALKS + memberships.WALKS + benefits.WALKS,
    )
