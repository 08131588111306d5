"""The job that works a batch off; a worker that is killed midway loses and doubles nothing."""

from datetime import datetime

from coalition.kernel.clock import Clock
from coalition.kernel.ids import BatchId
from coalition.kernel.jobs import JobKind
from coalition.points.till import Tills
from partners.batches.service import JOB, Batches, BatchJob

ATTEMPTS = 1_000_000
"""A batch that was accepted is never given up: tried every few minutes, for years if need be. The
doctor names one that takes long."""


def job_kinds(tills: Tills, clock: Clock) -> list[JobKind[BatchJob]]:
    """Return the kinds of jobs of batches, done with the `tills` of the worker."""
    batches = Batches(tills)

    async def handle(job: BatchJob, at: datetime) -> None:
        del at  # of the start; each chunk asks for its own time
        await batches.run(BatchId(job.batch_id), clock)

    return [JobKind(name=JOB, handle=handle, payload=BatchJob, attempts=ATTEMPTS)]
