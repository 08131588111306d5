"""Tells of seats: who is given one and who loses it, and who pays that one was given up."""

from datetime import datetime

from billing.subscriptions import deriving, register
from billing.subscriptions.seats.rows import Seat
from billing.subscriptions.telling.telling import tell
from coalition.kernel.database import Connection

SEATS = "/membership/seats"


async def tell_of_given(connection: Connection, seat: Seat, plan: str, *, at: datetime) -> None:
    """Tell a member that a plan is shared with it, without saying by whom."""
    await tell(
        connection,
        seat.member_id,
        "seat_given",
        seat.id,
        at=at,
        like=seat.payer,
        facts={"plan": plan},
    )


async def tell_of_ended(connection: Connection, seat: Seat, *, why: str, at: datetime) -> None:
    """Tell that a seat has ended whoever did not end it."""
    shared = await register.by_id(connection, seat.membership_id)
    assert shared is not None, "memberships are never deleted"
    plans = await deriving.plans_now(connection)
    plan = plans.plan(shared.plan_no).document.name
    if why == "given_up":
        await tell(
            connection,
            seat.payer,
            "seat_given_up",
            seat.id,
            at=at,
            path=SEATS,
            facts={"plan": plan},
        )
        return
    await tell(
        connection,
        seat.member_id,
        "seat_ended",
        seat.id,
        at=at,
        like=seat.payer,
        facts={"plan": plan, "ended": at},
    )
