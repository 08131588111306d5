"""Stripe's errors: type, code, parameter and status, as its own clients tell them apart."""

from typing import Any, ClassVar

from billing.sandbox.documents import Document, visible

DECLINES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "incorrect_number": "Your card number is incorrect.",
    "authentication_required": (
        "Your card was declined. This transaction requires authentication."
    ),
    "fraudulent": "Your card was declined.",
}


class Refusal(Exception):  # noqa: N818 - an answer, no fault of ours
    """An answer that is an error; the transaction is rolled back unless `is_kept`."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"
    is_kept: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code

    def shown(self) -> Document:
        """Return the body of the answer."""
        error: Document = {"type": self.type, "message": self.message}
        if self.param is not None:
            error["param"] = self.param
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        return {"error": error | self._more()}

    def _more(self) -> Document:
        return {}


class Invalid(Refusal):
    """The request cannot be done as it was asked: mend the parameter, or the order of steps."""


class Missing(Refusal):
    """There is no such object. In the path of a request that is 404, in a parameter 400."""

    status = 404

    def __init__(self, kind: str, id_: str, param: str | None = None) -> None:
        name = kind.rsplit(".", 1)[-1]
        super().__init__(f"No such {name}: '{id_}'", param=param or "id", code="resource_missing")
        if param not in {None, "id"}:
            self.status = 400  # type: ignore[misc]  # the one class whose status depends


class UnknownRoute(Refusal):
    """Stripe has no such address: see its reference for the right one."""

    status = 404

    def __init__(self, method: str, path: str) -> None:
        super().__init__(
            f"Unrecognized request URL ({method}: {path}). "
            "Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
        )


class NotInSandbox(Refusal):
    """Stripe has it, the sandbox does not: use a test key of Stripe's for this."""

    status = 501

    def __init__(self, method: str, path: str) -> None:
        super().__init__(
            f"Stripe has {method} {path}, but this sandbox does not; "
            "use Stripe with a test key for it.",
            code="not_in_sandbox",
        )


class Lacking(Refusal):
    """Stripe has it, the sandbox would have to ignore it: leave it out, or use a test key."""

    status = 501

    def __init__(self, what: str, *, param: str | None = None) -> None:
        super().__init__(f"This sandbox has no {what}.", param=param, code="not_in_sandbox")


class Unauthorized(Refusal):
    """The request has no key, or none of this account's: send `Authorization: Bearer sk_test_…`."""

    status = 401


class IdempotencyMismatch(Refusal):
    """The key was used with other parameters: a new wish needs a new key."""

    type = "idempotency_error"


class KeyInUse(Refusal):
    """A request with this key is still at work: ask again with the same key."""

    status = 409
    type = "idempotency_error"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"There is currently another in-progress request using this Idempotent Key ({key}). "
            "Please try again later.",
            code="idempotency_key_in_use",
        )


class LockTimeout(Refusal):
    """Another request holds the object: ask again with the same key."""

    status = 429

    def __init__(self) -> None:
        super().__init__(
            "This object cannot be accessed right now because another API request or Stripe "
            "process is currently accessing it.",
            code="lock_timeout",
        )


class RateLimited(Refusal):
    """Too many requests: wait longer each time, and ask again with the same key."""

    status = 429

    def __init__(self) -> None:
        super().__init__("Request rate limit exceeded.", code="rate_limit")


class Broken(Refusal):
    """Stripe failed: ask again with the same key."""

    status = 500
    type = "api_error"

    def __init__(self) -> None:
        super().__init__("An unknown error occurred.")


class CardDeclined(Refusal):
    """The card refuses. What was tried stays: the intent, the failed charge and their events."""

    status = 402
    type = "card_error"
    is_kept = True

    def __init__(
        self,
        *,
        code: str = "card_declined",
        decline_code: str | None = None,
        message: str | None = None,
        param: str | None = None,
        charge: str | None = None,
        payment_method: Document | None = None,
        payment_intent: Document | None = None,
    ) -> None:
        """Name what was declined; the objects concerned are shown in the answer."""
        text = message or DECLINES.get(decline_code or code, DECLINES["generic_decline"])
        super().__init__(text, param=param, code=code)
        self.decline_code = decline_code
        self.charge = charge
        given = {"payment_method": payment_method, "payment_intent": payment_intent}
        self.objects = {name: value for name, value in given.items() if value is not None}

    def as_last_error(self) -> dict[str, Any]:
        """Return what an intent keeps as its last error."""
        error: dict[str, Any] = self.shown()["error"]
        return {
            name: value
            for name, value in error.items()
            if name not in {"payment_intent", "setup_intent"}
        }

    def _more(self) -> Document:
        more: Document = {name: visible(value) for name, value in self.objects.items()}
        if self.charge is not None:
            more["charge"] = self.charge
        if self.decline_code is not None:
            more["decline_code"] = self.decline_code
            more["advice_code"] = (
                "confirm_card_data" if self.code == "incorrect_cvc" else "try_again_later"
            )
        return more
