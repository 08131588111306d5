"""When a failed payment is tried again, and what becomes of a subscription when none succeeds."""

from typing import Literal, NamedTuple

from billing.sandbox.calendar import DAY_S

LastResort = Literal["cancel", "unpaid", "past_due"]


class Timetable(NamedTuple):
    """Days after the first failure on which a payment is tried again, then what is done.

    `cancel` ends the subscription, `unpaid` keeps it without collecting, `past_due` leaves it.
    """

    days: tuple[int, ...] = (1, 3, 5, 7)
    last_resort: LastResort = "cancel"

    def next_attempt(self, first_failed_at: int, attempts: int) -> int | None:
        """Return when to try again after so many attempts; None when there is nothing left."""
        if not 1 <= attempts <= len(self.days):
            return None
        return first_failed_at + self.days[attempts - 1] * DAY_S
