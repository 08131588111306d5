"""The command line, except that it kills itself at a commit, or with an answer of Stripe's.

    python -m tests.faults.failing_service before_commit:3 serve ...
    python -m tests.faults.failing_service "stripe_answered post /v1/subscriptions/:1" worker ...

Only tests start this program; the product itself has no failpoints.
"""

import os
import signal
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from billing.gateway.client import Gateway
from coalition.kernel.database import engine
from server.cli import main

BEFORE_COMMIT = "before_commit"
AFTER_COMMIT = "after_commit"
STRIPE_ANSWERED = "stripe_answered"

_HAS_WRITTEN = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"


class FailingTransaction(engine.Transaction):
    """A transaction that ends the process when the wanted one of those that post commits."""

    point = ""
    left = 0

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Commit or roll back as the product does, but for the one moment."""
        is_wanted = exception is None and self._parent is None and await self._is_wanted()
        if is_wanted and self.point == BEFORE_COMMIT:
            os.kill(os.getpid(), signal.SIGKILL)
        done = await super().__aexit__(exception_type, exception, traceback)
        if is_wanted and self.point == AFTER_COMMIT:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    async def _is_wanted(self) -> bool:
        if "coalition_poster" not in self.preamble:
            return False
        if not await self.connection.fetchval(_HAS_WRITTEN):
            return False
        FailingTransaction.left -= 1
        return FailingTransaction.left == 0


def arm(failpoint: str) -> None:
    """Let this process die at `failpoint`: "name:count", of transactions or of Stripe's answers."""
    point, _, count = failpoint.rpartition(":")
    if point.startswith(STRIPE_ANSWERED):
        _arm_gateway(point.removeprefix(STRIPE_ANSWERED).strip(), int(count))
        return
    assert point in {BEFORE_COMMIT, AFTER_COMMIT}, f"there is no failpoint {point}"
    FailingTransaction.point = point
    FailingTransaction.left = int(count)
    engine.Transaction = FailingTransaction  # type: ignore[misc]  # the one hook, here in a test


def _arm_gateway(call: str, count: int) -> None:
    """Die with the answer to the wanted one of the calls whose method and path begin so."""
    ask, left = Gateway.ask, [count]

    async def dying(
        self: Gateway, method: str, path: str, asked: Mapping[str, Any], key: str | None
    ) -> dict[str, Any]:
        answer = await ask(self, method, path, asked, key)
        left[0] -= f"{method} {path}".startswith(call)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Gateway.ask = dying  # type: ignore[method-assign]  # the other hook, here in a test


if __name__ == "__main__":
    arm(sys.argv.pop(1))
    main()
