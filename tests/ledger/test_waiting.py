"""Of which batches lots may wait."""

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from coalition.ledger.batch import Batch
from coalition.ledger.drafts import Grant
from coalition.ledger.journal import Journal
from coalition.ledger.provenance import ORDINARY_CLASS, RECEIVED_CLASS
from coalition.ledger.waiting import Waiting, lots_may_wait
from tests.support.ledger import issue


def test_lots_of_a_class_that_is_not_built_in_do_not_wait(at: datetime) -> None:
    draft = issue(UUID(int=1), 10, at)
    (grant,) = draft.grants
    for class_no, may in ((ORDINARY_CLASS, True), (RECEIVED_CLASS, True), (2, False)):
        of_class = Grant(grant.provenance._replace(class_no=class_no), grant.points)
        waiting = Waiting(defers=True)
        batch = Batch([replace(draft, grants=(of_class,))], Journal(at, at.date()))
        assert lots_may_wait(waiting, batch) is (waiting if may else None)
