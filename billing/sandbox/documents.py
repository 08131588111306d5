"""Objects as Stripe shows them: plain JSON, with keys of our own (`_…`) that are never shown."""

from typing import Any

Document = dict[str, Any]


def visible(value: Any) -> Any:
    """Return a value without the keys that are the sandbox's own."""
    if isinstance(value, dict):
        return {name: visible(inner) for name, inner in value.items() if name[:1] != "_"}
    if isinstance(value, list):
        return [visible(inner) for inner in value]
    return value


def previous_attributes(before: Document, after: Document) -> Document:
    """Return what changed with its former values, nested as in Stripe's events of changes.

    A list that changed is there as a whole, a key that is new is there as None.
    """
    changed: Document = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed[name] = previous_attributes(old, new)
        else:
            changed[name] = old
    return dict(sorted(changed.items()))


def listed(data: list[Any], url: str, *, has_more: bool = False) -> Document:
    """Return a list object, as lists inside of objects and as answers look."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def at_path(document: Any, path: str) -> Any:
    """Return the value at a dotted path, or None where there is none."""
    for name in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document
