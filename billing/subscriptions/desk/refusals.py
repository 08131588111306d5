"""What is refused of what staff do for a member, and what would be right."""

from coalition.kernel.errors import Conflict, NotFound


class AlreadyCancelled(Conflict):
    """It ends at `ends_at` already; end it at once, or take the cancellation back."""

    code, title = "already_cancelled", "Already cancelled"


class AlreadyEnded(Conflict):
    """It has ended at `ended_at` and charges nothing more; what was paid can be refunded."""

    code, title = "already_ended", "Already ended"


class NothingToRefund(Conflict):
    """No money is left that could go back: nothing was paid, or all of it has gone back."""

    code, title = "nothing_to_refund", "Nothing to refund"


class UnknownPayment(NotFound):
    """The member has made no such payment for a membership; look at what it has paid."""

    code, title = "payment_not_found", "Payment not found"


class PaymentDisputed(Conflict):
    """A bank disputes this payment and holds its money; wait for its decision, or answer it."""

    code, title = "payment_disputed", "Payment disputed"


class AmountAboveLeft(Conflict):
    """Of this payment no more than `left_minor` can go back; the rest has, or is about to."""

    code, title = "amount_above_left", "More than is left"
