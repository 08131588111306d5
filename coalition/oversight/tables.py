"""How Piccolo sees the tables of oversight; the migrations make them."""

from piccolo.columns import UUID, Text, Timestamptz
from piccolo.table import Table


class Approval(Table):
    """Something prepared by one person that waits for, or had, the decision of a second."""

    id = UUID(primary_key=True, default=None)
    kind = Text()
    subject = Text()
    payload = Text()
    state = Text()
    prepared_by = Text()
    prepared_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    decided_by = Text(null=True, default=None)
    decided_at = Timestamptz(null=True, default=None)
    reason = Text(null=True, default=None)
