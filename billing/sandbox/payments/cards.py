"""Test cards: what each number does when it is kept, charged or asked to authenticate.

The numbers and names are those of docs.stripe.com/testing.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

Authentication = Literal["never", "always", "until_set_up", "on_session"]


@dataclass(frozen=True)
class Card:
    """A test card; `name` is that of the payment method Stripe has for it, `pm_card_…`."""

    number: str
    name: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: tuple[str, str | None] | None = None
    """Error code and decline code of every charge."""
    keeps: bool = True
    """Whether it can be attached to a customer; a card that always declines cannot."""
    authentication: Authentication = "never"
    dispute: str | None = None
    """The reason for which a charge is disputed at once."""
    refund: Literal["succeeded", "pending", "failed"] = "succeeded"

    @property
    def fingerprint(self) -> str:
        """Return what is the same for each use of the same number."""
        return hashlib.blake2b(self.number.encode(), digest_size=8).hexdigest()


def _declining(number: str, name: str, code: str, decline_code: str | None = None) -> Card:
    return Card(number, name, decline=(code, decline_code), keeps=False)


def _declined(number: str, name: str, decline_code: str) -> Card:
    return _declining(number, name, "card_declined", decline_code)


CARDS = (
    Card("4242424242424242", "visa"),
    Card("4000056655665556", "visa_debit", funding="debit"),
    Card("5555555555554444", "mastercard", "mastercard"),
    Card("5200828282828210", "mastercard_debit", "mastercard", funding="debit"),
    Card("5105105105105100", "mastercard_prepaid", "mastercard", funding="prepaid"),
    Card("378282246310005", "amex", "amex"),
    Card("6011111111111117", "discover", "discover"),
    Card("3056930009020004", "diners", "diners"),
    Card("3566002020360505", "jcb", "jcb"),
    Card("6200000000000005", "unionpay", "unionpay"),
    Card("4000000400000008", "at", country="AT"),
    Card("4000000560000004", "be", country="BE"),
    Card("4000007560000009", "ch", country="CH"),
    Card("4000002760000016", "de", country="DE"),
    Card("4000007240000007", "es", country="ES"),
    Card("4000002500000003", "fr", country="FR"),
    Card("4000008260000000", "gb", country="GB"),
    Card("4000003800000008", "it", country="IT"),
    Card("4000005280000002", "nl", country="NL"),
    _declined("4000000000000002", "chargeDeclined", "generic_decline"),
    _declined("4000000000009995", "chargeDeclinedInsufficientFunds", "insufficient_funds"),
    _declined("4000000000009987", "chargeDeclinedLostCard", "lost_card"),
    _declined("4000000000009979", "chargeDeclinedStolenCard", "stolen_card"),
    _declined("4000000000006975", "chargeDeclinedVelocityLimitExceeded", "card_velocity_exceeded"),
    _declined("4100000000000019", "radarBlock", "fraudulent"),
    _declining("4000000000000069", "chargeDeclinedExpiredCard", "expired_card"),
    _declining("4000000000000127", "chargeDeclinedIncorrectCvc", "incorrect_cvc"),
    _declining("4000000000000119", "chargeDeclinedProcessingError", "processing_error"),
    Card("4000000000000341", "chargeCustomerFail", decline=("card_declined", "generic_decline")),
    Card("4000002500003155", "authenticationRequiredOnSetup", authentication="until_set_up"),
    Card("4000002760003184", "authenticationRequired", authentication="always"),
    Card(
        "4000003800000446", "authenticationRequiredSetupForOffSession", authentication="on_session"
    ),
    Card(
        "4000008260003178",
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        authentication="always",
        decline=("card_declined", "insufficient_funds"),
    ),
    Card("4000000000003220", "threeDSecure2Required", authentication="always"),
    Card("4000000000003063", "threeDSecureRequired", authentication="always"),
    Card(
        "4000008400001629",
        "threeDSecureRequiredChargeDeclined",
        authentication="always",
        decline=("card_declined", "generic_decline"),
    ),
    Card("4000000000003055", "threeDSecureOptional"),
    Card("4000000000000259", "createDispute", dispute="fraudulent"),
    Card("4000000000002685", "createDisputeProductNotReceived", dispute="product_not_received"),
    Card("4000000000001976", "createDisputeInquiry", dispute="warning"),
    Card("4000000000007726", "pendingRefund", refund="pending"),
    Card("4000000000005126", "refundFail", refund="failed"),
)
BY_NUMBER = {card.number: card for card in CARDS}
_BY_NAME = {card.name: card for card in CARDS}


def by_name(name: str) -> Card | None:
    """Return the card of a name such as `pm_card_visa` or `tok_visa`, or None.

    Stripe writes most names also with the brand (`pm_card_visa_chargeDeclined`).
    """
    for prefix in ("pm_card_visa_", "pm_card_", "tok_visa_", "tok_"):
        if name.startswith(prefix) and (card := _BY_NAME.get(name.removeprefix(prefix))):
            return card
    return None


def is_number(number: str) -> bool:
    """Tell whether the last digit of a card number is the one that its others ask for."""
    if not number.isdecimal() or not 12 <= len(number) <= 19:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
