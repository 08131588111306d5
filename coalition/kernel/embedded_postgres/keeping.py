"""Keep a server up: its owner starts one again that was killed or gave up on a full disk."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from coalition.kernel.embedded_postgres.failures import EmbeddedPostgresError
from coalition.kernel.embedded_postgres.server import EmbeddedServer

_LOOK_INTERVAL_S: Final = 0.25
# After a start that failed; a full disk does not empty itself sooner for being asked often.
_LONGEST_PAUSE_S: Final = 5.0

_logger = logging.getLogger(__name__)


@contextmanager
def kept_up(server: EmbeddedServer) -> Iterator[None]:
    """Start `server` again whenever it ends during the block without having been told to.

    PostgreSQL itself recovers from the death of a backend; this is for the death of the whole. It
    is looked after in a thread, as starting takes its time; a start that fails is tried again.
    """
    leaving = threading.Event()
    keeper = threading.Thread(target=_keep, args=(server, leaving), name="postgres-keeper")
    keeper.start()
    try:
        yield
    finally:
        leaving.set()
        keeper.join()


def _keep(server: EmbeddedServer, leaving: threading.Event) -> None:
    pause_s = _LOOK_INTERVAL_S
    while not leaving.wait(pause_s):
        try:
            if server.revive():
                _logger.warning("PostgreSQL had ended by itself and was started again")
            pause_s = _LOOK_INTERVAL_S
        except EmbeddedPostgresError as error:
            _logger.error("PostgreSQL ended and does not start again: %s", error)  # noqa: TRY400 - the message says all
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
