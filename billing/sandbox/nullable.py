"""Fields that Stripe shows as null when nothing is there, so that clients may read them always.

They are read from the installed package's text (its classes name every field), once for each kind.
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from billing.sandbox import routing

_FIELD = re.compile(r"^    (\w+): Optional\[", re.MULTILINE)
# A payment method has a field for each type there is, of which Stripe shows its own alone.
_AS_KEPT = {"payment_method", "event", "list", "search_result"}
_NEVER = {"deleted"}
# Two kinds of lines whose files have other names: of invoices, and of checkouts.
_FILES = {"line_item": "invoice_line_item", "item": "line_item"}


@cache
def package() -> Path:
    """Return where the installed package of Stripe lies."""
    found = find_spec("stripe")
    assert found is not None, "the stripe package is part of the installation"
    assert found.origin is not None, "and a package of files"
    return Path(found.origin).parent


@cache
def nulls_of(kind: str) -> dict[str, None]:
    """Return the fields of a kind of object that may be null, each as None."""
    if kind in _AS_KEPT:
        return {}
    *folders, name = _FILES.get(kind, kind).split(".")
    file = package().joinpath(*folders, f"_{name}.py")
    if not file.exists():
        return {}
    asked = {field for known, field in routing.EXPANSIONS if known == kind}
    return {
        field: None
        for field in _FIELD.findall(file.read_text("utf-8"))
        if field not in _NEVER | asked
    }
