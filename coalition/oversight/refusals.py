"""What oversight refuses."""

from coalition.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class UnknownApproval(NotFound):
    """There is no such approval; list what waits for a decision to find it."""

    code, title = "approval_not_found", "Approval not found"


class SecondPersonNeeded(Forbidden):
    """Who prepares does not approve; ask a second person."""

    code, title = "second_person_needed", "Second person needed"
    constraint = "an_approval_needs_a_second_person"


class ApprovalDecided(Conflict):
    """This is approved or rejected already, and a decision stands; prepare anew to change it."""

    code, title = "approval_decided", "Approval decided"


class ApprovalExpired(Conflict):
    """This was not decided in time; prepare it anew."""

    code, title = "approval_expired", "Approval expired"
    constraint = "an_approval_is_not_applied_late"


class ReasonNeeded(Invalid):
    """Say why, in 1 to 500 printable characters."""

    code, title = "reason_needed", "Reason needed"
