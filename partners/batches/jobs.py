"""The job that works a batch off; a worker that is killed midway loses and doubles nothing."""

from datetime import datetime
from uuid import UUID

from coalition.kernel.ids import BatchId
from coalition.kernel.jobs import JobKind
from coalition.points.till import Tills
from partners.batches.service import JOB, Batches, BatchJob


def job_kinds(tills: Tills) -> list[JobKind[BatchJob]]:
    """Return the kinds of jobs of batches, done with the `tills` of the worker."""
    batches = Batches(tills)

    async def handle(job: BatchJob, at: datetime) -> None:
        await run_batch(batches, job.batch_id, at)

    return [JobKind(name=JOB, handle=handle, payload=BatchJob)]


async def run_batch(batches: Batches, batch_id: UUID, at: datetime) -> None:
    """Post the lines of a batch that are not yet answered, chunk by chunk."""
    await batches.run(BatchId(batch_id), at)
