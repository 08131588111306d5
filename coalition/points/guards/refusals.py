"""What the guards of the till refuse, and what the commands about them do."""

from coalition.kernel.errors import Conflict, Invalid, NotFound


class ConfirmationNeeded(Conflict):
    """Somebody must answer for this redemption; send it again with `confirmed_by`."""

    code, title = "confirmation_needed", "Confirmation needed"


class VelocityExceeded(Conflict):
    """Too much in too short a time; try again when the facts say that it is possible."""

    code, title = "velocity_exceeded", "Velocity exceeded"


class InvalidGuard(Invalid):
    """A guard rule says something that does not fit together; see the schema."""

    code, title = "invalid_guard", "Invalid guard rule"


class UnknownGuard(NotFound):
    """There is no active guard rule of that name; list them to find it."""

    code, title = "guard_not_found", "Guard rule not found"


class UnknownCase(NotFound):
    """There is no such case; list the open ones to find it."""

    code, title = "guard_case_not_found", "Case not found"


class CaseDecided(Conflict):
    """The case was cleared or confirmed already; its decision stands."""

    code, title = "guard_case_decided", "Case decided"


class CaseWithoutMember(Conflict):
    """The case is about a cashier, a store or a till, not a member; name whom you mean."""

    code, title = "guard_case_without_member", "Case without a member"
