"""What the ledger refuses, with the database constraint that guards the same rule."""

from uuid import UUID

from coalition.kernel.errors import Conflict, NotFound


class UnknownHolder(NotFound):
    """There is no such member."""

    code, title = "member_not_found", "Member not found"


class HolderNotActive(Conflict):
    """The member is frozen or closed; no points move until staff reopen it."""

    code, title = "member_not_active", "Member not active"


class HolderMerged(Conflict):
    """The member was merged into another; use the id in `merged_into`."""

    code, title = "member_merged", "Member merged"
    constraint = "only_a_closed_holder_was_merged"


class HolderHasHolds(Conflict):
    """Points of the member are held; capture or release the holds first."""

    code, title = "member_has_holds", "Member has open holds"


class MergeWithItself(Conflict):
    """A member is merged into another; name two."""

    code, title = "merge_with_itself", "Merge with itself"


class TransferToItself(Conflict):
    """Points are sent to somebody else; name two members."""

    code, title = "transfer_to_itself", "Transfer to itself"


class NotEnoughPoints(Conflict):
    """The member's spendable points do not cover this."""

    code, title = "not_enough_points", "Not enough points"
    constraint = "spendable_points_are_never_negative"


def bound_elsewhere(refusal: NotEnoughPoints, points: int) -> NotEnoughPoints:
    """Return the refusal with how many points more can be spent at other partners only."""
    text = f"{refusal.detail}; {points} more can be spent at other partners only"
    return NotEnoughPoints(text, **refusal.facts, elsewhere=points)


class NeedsPlan(Conflict):
    """The member spends or earns together with others; ask first with whom. No caller hears it."""

    code, title = "needs_plan", "Needs a plan"

    def __init__(self, member: UUID) -> None:
        """Say of whom nobody has asked."""
        super().__init__()
        self.member = member


class NothingToConvert(Conflict):
    """No lot gives a whole multiple of the rate; ask for more points."""

    code, title = "nothing_to_convert", "Nothing to convert"


class PriceNotExact(Conflict):
    """The price of the points cannot be kept exactly at this rate; agree on another rate."""

    code, title = "price_not_exact", "Price not exact"


class ConversionTooLarge(Conflict):
    """A conversion gives at most 2147483647 points; convert fewer at once."""

    code, title = "conversion_too_large", "Conversion too large"


class DuplicateReceipt(Conflict):
    """This receipt is used, or asked for, for this store, business day and kind of posting."""

    code, title = "duplicate_receipt", "Duplicate receipt"
    constraint = "a_receipt_is_used_once"


class UnknownPosting(NotFound):
    """There is no such posting, or it is not yours."""

    code, title = "posting_not_found", "Posting not found"


class NotReversible(Conflict):
    """A posting of this kind cannot be reversed."""

    code, title = "not_reversible", "Not reversible"


class ReversalExceedsOriginal(Conflict):
    """The reversals of a posting never exceed what it moved."""

    code, title = "reversal_exceeds_original", "Reversal exceeds the original"
    constraint = "a_reversal_never_exceeds_the_original"


class PointsAlreadySpent(Conflict):
    """The issued points are spent, held or expired, so the issue cannot be taken back."""

    code, title = "points_already_spent", "Points already spent"


class NothingOwed(Conflict):
    """The member does not owe so many points; what is open of a debt cannot be paid twice."""

    code, title = "nothing_owed", "Nothing owed"
    constraint = "a_debt_never_falls_below_zero"


class UnknownHold(NotFound):
    """There is no such hold, or it is not yours."""

    code, title = "hold_not_found", "Hold not found"


class HoldResolved(Conflict):
    """The hold was captured, voided or has expired; it resolves once."""

    code, title = "hold_resolved", "Hold resolved"


class CaptureExceedsHold(Conflict):
    """A capture takes at most the points of its hold."""

    code, title = "capture_exceeds_hold", "Capture exceeds the hold"
