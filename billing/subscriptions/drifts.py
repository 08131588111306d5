"""How what Stripe shows differs from what we keep of it: pure, in words that staff can read."""

from collections.abc import Iterable, Iterator

import msgspec

from billing.gateway.shapes import Dispute, Invoice, Picture, Refund
from billing.subscriptions.stretches import is_over
from coalition.kernel.money import Money


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription, a gift's payment or a customer that is not here as at Stripe, and how."""

    subscription: str
    member_id: str | None
    differences: tuple[str, ...]


def differences(kept: Picture | None, shown: Picture) -> tuple[str, ...]:
    """Return how `shown` differs from what is `kept`; nothing where they are the same."""
    if kept is None:
        return ("unknown here",)
    invoices = ([lasting(one) for one in side.invoices] for side in (kept, shown))
    return (
        *_fields(kept.subscription, shown.subscription),
        *_credit(kept, shown),
        *_each("invoice", *invoices),
        *_each("refund", kept.refunds, shown.refunds),
        *_each("dispute", kept.disputes, shown.disputes),
    )


def _credit(kept: Picture, shown: Picture) -> Iterator[str]:
    # The credit is its customer's: it changes on after a subscription has ended, which needs none.
    if kept.credit != shown.credit and not is_over(shown.subscription):
        yield f"credit: {_told(kept.credit)} here, {_told(shown.credit)} at Stripe"


def lasting(invoice: Invoice) -> Invoice:
    """Return an invoice without the address of its page, which Stripe makes anew as it likes."""
    return msgspec.structs.replace(invoice, hosted_url=None)


def _fields(kept: msgspec.Struct, shown: msgspec.Struct) -> Iterator[str]:
    before, now = (msgspec.structs.asdict(one) for one in (kept, shown))
    for name in before:
        if before[name] == now[name]:
            continue
        if isinstance(now[name], tuple):
            yield f"{name} differ"
        else:
            yield f"{name}: {_told(before[name])} here, {_told(now[name])} at Stripe"


def _told(value: object) -> str:
    return f"{value.amount_minor} {value.currency}" if isinstance(value, Money) else str(value)


def _money(one: Invoice | Refund | Dispute) -> str:
    return _told(one.amount_paid if isinstance(one, Invoice) else one.amount)


def _each(
    what: str,
    kept: Iterable[Invoice | Refund | Dispute],
    shown: Iterable[Invoice | Refund | Dispute],
) -> Iterator[str]:
    before, now = ({one.id: one for one in side} for side in (kept, shown))
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            yield f"{what} {name} of {_money(now[name])} is missing here"
        elif name not in now:
            yield f"{what} {name} of {_money(before[name])} is missing at Stripe"
        else:
            yield from (f"{what} {name}, {how}" for how in _fields(before[name], now[name]))
