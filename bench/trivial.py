"""The reference for one request: a typed Litestar handler that touches nothing."""

import sys
from typing import Any

import msgspec
from granian import Granian
from granian.constants import Interfaces
from litestar import Litestar, post
from litestar.params import JSONBody

from server.serving import threads_wait_their_turn


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """What a till sends for an issue."""

    member_id: str
    receipt: str
    occurred_at: str
    store: str
    purchase: dict[str, Any]  # Any: the reference does not look inside


class Answer(msgspec.Struct):
    """As much as an issue answers."""

    posting_id: str
    member_id: str
    points: int
    balance: int


@post("/v1/points/issue")
async def answer(data: JSONBody[Body]) -> Answer:
    """Answer at once."""
    return Answer(data.receipt, data.member_id, 123, 123)


app = Litestar([answer], openapi_config=None)

if __name__ == "__main__":
    with threads_wait_their_turn():  # as the service's do
        Granian(
            "bench.trivial:app",
            address="127.0.0.1",
            port=int(sys.argv[1]),
            interface=Interfaces.ASGI,
            workers=1,
            log_enabled=False,
        ).serve()
