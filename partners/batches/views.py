"""What a partner is told of its batches."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from partners.batches.queries import Stored
from partners.batches.results import LineResult


class BatchState(StrEnum):
    """How far a batch is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"


class BatchHead(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that was posted: `lines` = `posted` + `refused`.

    A line that earns nothing counts as posted, though it makes no posting.
    """

    batch_id: UUID
    state: BatchState
    lines: int
    posted: int
    refused: int


class BatchAnswer(BatchHead, frozen=True, kw_only=True):
    """A batch that was answered in its request, with an answer for each line."""

    results: list[LineResult]


class BatchAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that a job works off; ask for it by its id."""

    batch_id: UUID
    state: BatchState
    lines: int


class BatchView(BatchHead, frozen=True, kw_only=True):
    """A batch as it stands; the lines that are not yet answered come next, in their order."""

    received_at: datetime
    finished_at: datetime | None


class BatchPage(msgspec.Struct, frozen=True):
    """Batches, the latest first; ask again with `cursor` set to `next_cursor` for those before."""

    items: list[BatchView]
    next_cursor: UUID | None


def head_of(stored: Stored) -> BatchHead:
    """Return the part of a batch that comes before its results."""
    return BatchHead(
        batch_id=stored.id,
        state=BatchState(stored.state),
        lines=stored.lines,
        posted=stored.posted,
        refused=stored.refused,
    )


def view_of(stored: Stored) -> BatchView:
    """Return a batch as it stands."""
    return BatchView(
        batch_id=stored.id,
        state=BatchState(stored.state),
        lines=stored.lines,
        posted=stored.posted,
        refused=stored.refused,
        received_at=stored.received_at,
        finished_at=stored.finished_at,
    )
