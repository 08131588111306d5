"""Why a transfer is refused, or what was done to one cannot be done now."""

from collections.abc import Sequence

import msgspec

from coalition.families.evaluator.acts import Failure
from coalition.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class TransferRefused(Conflict):
    """The rules do not let these points move now; every failure says what would be right."""

    code, title = "transfer_refused", "Transfer refused"

    @classmethod
    def of(cls, failures: Sequence[Failure], detail: str) -> "TransferRefused":
        """Return the refusal for all `failures`, in the rule set's order."""
        return cls(detail, failures=[as_fact(failure) for failure in failures])


class NoRules(Conflict):
    """The programme has no rules that allow this now; ask whoever runs it."""

    code, title = "no_rules", "No rules"


class UnknownTransfer(NotFound):
    """There is no such transfer among those of this member."""

    code, title = "unknown_transfer", "Unknown transfer"


class TransferNotOpen(Conflict):
    """The transfer is in a state in which this cannot be done to it."""

    code, title = "transfer_not_open", "Transfer not open"


class NotYoursToDecide(Forbidden):
    """The transfer does not wait for the word of whoever gave it."""

    code, title = "not_yours_to_decide", "Not yours to decide"


class TransferToItself(Invalid):
    """A member cannot send points to itself; name another receiver."""

    code, title = "transfer_to_itself", "Transfer to itself"


class FeeNotDue(Conflict):
    """What is to be paid for waits for no fee, or for another amount."""

    code, title = "fee_not_due", "Fee not due"


_OTHERS = ("eligibility.receiver.", "eligibility.head.")


def discreet(failure: Failure) -> Failure:
    """Return a failure as whoever acts may hear it: nothing of what another is, has or was sent."""
    if failure.private:
        return msgspec.structs.replace(failure, private=(), **dict.fromkeys(failure.private))
    if failure.rule.startswith(_OTHERS):
        return msgspec.structs.replace(failure, used=None, next_possible_at=None)
    return failure


def as_fact(failure: Failure, *, is_own: bool = False) -> dict[str, object]:
    """Return a failure as problem details carry it, discreetly.

    `is_own` tells that what it says of others is said of whoever acts, such as a head itself.
    """
    failure = failure if is_own else discreet(failure)
    at = failure.next_possible_at
    return {
        "rule": failure.rule,
        "limit": failure.limit,
        "used": failure.used,
        "remaining": failure.remaining,
        "next_possible_at": None if at is None else at.isoformat(),
    }
