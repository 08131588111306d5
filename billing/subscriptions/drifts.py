"""How what Stripe shows differs from what we keep of it: pure, in words that staff can read."""

from collections.abc import Iterable, Iterator

import msgspec

from billing.gateway.shapes import Dispute, Invoice, Picture, Refund


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that is not here as it is at Stripe, and how."""

    subscription: str
    member_id: str | None
    differences: tuple[str, ...]


def differences(kept: Picture | None, shown: Picture) -> tuple[str, ...]:
    """Return how `shown` differs from what is `kept`; nothing where they are the same."""
    if kept is None:
        return ("unknown here",)
    return (
        *_fields(kept, shown),
        *_each("invoice", _lasting(kept), _lasting(shown)),
        *_each("refund", kept.refunds, shown.refunds),
        *_each("dispute", kept.disputes, shown.disputes),
    )


def _fields(kept: Picture, shown: Picture) -> Iterator[str]:
    before, now = (msgspec.structs.asdict(one.subscription) for one in (kept, shown))
    for name in before:
        if before[name] != now[name]:
            yield f"{name}: {before[name]} here, {now[name]} at Stripe"


def _lasting(picture: Picture) -> list[Invoice]:
    """Return invoices without the address of their page, which Stripe makes anew as it likes."""
    return [msgspec.structs.replace(one, hosted_url=None) for one in picture.invoices]


def _each(
    what: str,
    kept: Iterable[Invoice | Refund | Dispute],
    shown: Iterable[Invoice | Refund | Dispute],
) -> Iterator[str]:
    before, now = ({one.id: one for one in side} for side in (kept, shown))
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            yield f"{what} {name} is missing here"
        elif name not in now:
            yield f"{what} {name} is missing at Stripe"
        elif before[name] != now[name]:
            yield f"{what} {name} differs"
