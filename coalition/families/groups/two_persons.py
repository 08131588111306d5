"""What staff do in groups by two persons: the second one's word, with what is agreed on at hand."""

from contextvars import ContextVar
from datetime import datetime
from uuid import UUID

from coalition.families.transfers.judging import Book
from coalition.oversight import approvals

_book: ContextVar[Book] = ContextVar("what is agreed on while a second person approves")


def book_in_hand() -> Book:
    """Return what is agreed on at the instant of the approval; for those who apply it."""
    return _book.get()


async def approve(approval_id: UUID, kind: str, book: Book, *, approved_by: str) -> object:
    """Do as the second person what was prepared, in the caller's transaction.

    Raises what `approvals.approve` does and what the act refuses; then it still waits.
    """
    token = _book.set(book)
    try:
        at: datetime = book.at
        return await approvals.approve(approval_id, approved_by=approved_by, at=at, kind=kind)
    finally:
        _book.reset(token)
