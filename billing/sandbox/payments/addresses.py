"""Addresses, which have all their lines when they are shown."""

from billing.sandbox.documents import Document
from billing.sandbox.requests import Params

_LINES = ("city", "country", "line1", "line2", "postal_code", "state")


def address_of(params: Params | None) -> Document:
    """Return an address with all its lines, None where nothing was said."""
    return {line: None if params is None else params.text(line) for line in _LINES}


def optional_address(params: Params, name: str = "address") -> Document | None:
    """Return the address that parameters hold, or None."""
    inner = params.nested(name)
    return address_of(inner) if inner.values else None
