"""Work that is done later, and again until it succeeds; kept in the database.

A job is asked for on the caller's connection, so it exists exactly when the caller's transaction
has committed. It is done at least once: handlers must be idempotent.
"""

from coalition.kernel.jobs.kinds import JobKind, NoPayload, Schedule
from coalition.kernel.jobs.queue import Backlog, JobRequest, backlog, enqueue

__all__ = [
    "Backlog",
    "JobKind",
    "JobRequest",
    "NoPayload",
    "Schedule",
    "backlog",
    "enqueue",
]
