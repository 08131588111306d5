"""Amounts and days as people read them, on lines and on the sandbox's pages."""

from datetime import UTC, datetime

from billing.sandbox.calendar import Recurrence
from billing.sandbox.documents import Document

_WITHOUT_MINOR = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf"
_IN_THOUSANDTHS = "bhd jod kwd omr tnd"


def money(amount: int, currency: str) -> str:
    """Return an amount in minor units with its currency, such as `-1,250.00 SEK`."""
    places = 0 if currency in _WITHOUT_MINOR else 3 if currency in _IN_THOUSANDTHS else 2
    whole, part = divmod(abs(amount), 10**places)
    text = f"{whole:,}" + (f".{part:0{places}d}" if places else "")
    return f"{'-' if amount < 0 else ''}{text} {currency.upper()}"


def every(price: Document) -> str:
    """Return how often a price is charged: `month`, or `3 months`."""
    recurrence = Recurrence.of(price)
    if recurrence.every == 1:
        return recurrence.interval
    return f"{recurrence.every} {recurrence.interval}s"


def day(instant: int) -> str:
    """Return a day such as `28 Feb 2027`, in UTC."""
    moment = datetime.fromtimestamp(instant, UTC)
    return f"{moment.day} {moment:%b %Y}"


def hour(instant: int) -> str:
    """Return the time of day, in UTC."""
    return f"{datetime.fromtimestamp(instant, UTC):%H:%M}"
