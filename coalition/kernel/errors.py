"""Refusals: what is wrong and what would be right, with a stable code and the facts.

    Refused                 the act is not done; nothing was changed
    ├── Malformed    400    the message cannot be read
    ├── Unauthenticated 401 no valid token
    ├── Forbidden    403    the token lacks a scope
    ├── NotFound     404    not there, or not yours
    ├── NotAllowed   405    this address takes other methods
    ├── Conflict     409    state or balance does not allow it
    ├── TooLarge     413    more than is taken at once
    ├── Invalid      422    understood, but not valid
    ├── TooMany      429    asked too often
    └── Unavailable  503    try again later

A refusal is an answer (RFC 9457 problem details at the doors). A broken promise of our own is an
assertion or a crash, never a refusal.
"""

from typing import ClassVar

_BY_CONSTRAINT: dict[str, type["Refused"]] = {}


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """The act was not done and nothing was changed.

    `detail` says in a sentence what is wrong and what would be right, without secrets or personal
    data; `facts` are members of the answer beside it (limit, remaining, errors ...).
    """

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "Refused"
    status: ClassVar[int] = 409
    constraint: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        """Let the database's own guard of the same rule be answered by this class."""
        super().__init_subclass__()
        own = cls.__dict__.get("constraint")
        if own is not None:
            assert own not in _BY_CONSTRAINT, f"two refusals claim the constraint {own}"
            _BY_CONSTRAINT[own] = cls

    def __init__(self, detail: str | None = None, **facts: object) -> None:
        """Refuse with `detail`, or with the class's own sentence when none is given."""
        self.detail = (
            detail if detail is not None else (type(self).__doc__ or "").partition("\n")[0]
        )
        self.facts = facts
        super().__init__(self.detail)


class Malformed(Refused):
    """The message cannot be read."""

    code, title, status = "malformed", "Malformed", 400


class Unauthenticated(Refused):
    """A valid access token is needed."""

    code, title, status = "unauthenticated", "Unauthenticated", 401


class Forbidden(Refused):
    """The token does not allow this."""

    code, title, status = "forbidden", "Forbidden", 403


class NotFound(Refused):
    """There is nothing here that you may see."""

    code, title, status = "not_found", "Not found", 404


class NotAllowed(Refused):
    """This address does not take that method."""

    code, title, status = "method_not_allowed", "Method not allowed", 405


class Conflict(Refused):
    """The present state does not allow this."""

    code, title, status = "conflict", "Conflict", 409


class TooLarge(Refused):
    """The message is larger than what is taken at once."""

    code, title, status = "too_large", "Too large", 413


class Invalid(Refused):
    """The message is understood but not valid."""

    code, title, status = "invalid", "Invalid", 422


class TooMany(Refused):
    """Too many requests in a short time."""

    code, title, status = "too_many_requests", "Too many requests", 429


class Unavailable(Refused):
    """The service cannot answer now; the same request may be tried again."""

    code, title, status = "unavailable", "Unavailable", 503


def refusal_for_constraint(name: str | None) -> type[Refused] | None:
    """Return the refusal that a feature has named for the database constraint `name`, or None."""
    return _BY_CONSTRAINT.get(name) if name else None
