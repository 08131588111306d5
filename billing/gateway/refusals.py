"""Refusals of the gateway: Stripe did not answer, or said no."""

from coalition.kernel.errors import Conflict, Malformed, Unavailable


class StripeUnavailable(Unavailable):
    """The payment service did not answer in time; send the same request with the same key again."""

    code, title = "stripe_unavailable", "Payment service unavailable"


class PaymentsNotSetUp(Conflict):
    """Nothing can be paid here yet: the operator has set up no payments; see `coalition doctor`."""

    code, title = "payments_not_set_up", "Payments are not set up"


class StripeRefused(Conflict):
    """The payment service refused; what it says tells what would be right.

    `reason` is Stripe's own code, such as card_declined or resource_missing; `decline_code` the
    bank's.
    """

    code, title = "stripe_refused", "Refused by the payment service"

    def __init__(self, reason: str, decline_code: str | None, message: str) -> None:
        """Refuse with Stripe's own words."""
        facts = {"decline_code": decline_code} if decline_code else {}
        super().__init__(message or "The payment service refused", reason=reason, **facts)
        self.reason, self.decline_code, self.message = reason, decline_code, message

    @property
    def is_missing(self) -> bool:
        """Tell whether Stripe has nothing under that id."""
        return self.reason == "resource_missing"


class IntentReused(Conflict):
    """That key was used for another request to the payment service; take a new key."""

    code, title = "intent_reused", "Key used for another request"


class SignatureInvalid(Malformed):
    """The Stripe-Signature header does not prove that Stripe sent this body."""

    code, title = "webhook_signature_invalid", "Signature invalid"


class SignatureStale(Malformed):
    """The time in Stripe-Signature is more than five minutes from now; it may be a replay."""

    code, title = "webhook_signature_stale", "Signature out of time"


class EventUnreadable(Malformed):
    """The signed body is no event: JSON in UTF-8 with the id and the type of an event."""

    code, title = "webhook_unreadable", "Event unreadable"
