"""The least that Stripe charges in a currency (docs.stripe.com/currencies), in minor units."""

from billing.sandbox.errors import Invalid

_LEAST = {
    **dict.fromkeys(("aud", "brl", "cad", "chf", "eur", "inr", "nzd", "sgd", "usd"), 50),
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17_500,
    "jpy": 50,
    "mxn": 1000,
    "nok": 300,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "aed": 200,
    "myr": 200,
    "thb": 1000,
}


def least_of(currency: str) -> int:
    """Return the least amount of one charge; of a currency that is not listed, one unit."""
    return _LEAST.get(currency.lower(), 1)


def check_amount(amount: int, currency: str) -> None:
    """Refuse an amount that is too small to be charged."""
    least = least_of(currency)
    if amount < least:
        raise Invalid(
            f"Amount must be at least {least} in the minor unit of {currency}.",
            param="amount",
            code="amount_too_small",
        )


def settled(owed: int, currency: str) -> tuple[int, int]:
    """Return a customer's balance after an invoice, and what of `owed` is due for it now.

    Credit is kept for the next invoice, and so is what is too little to be charged.
    """
    return (owed, 0) if owed < least_of(currency) else (0, owed)
