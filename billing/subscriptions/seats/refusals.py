"""What is refused of seats, and what would be right."""

from coalition.kernel.errors import Conflict, NotFound


class NoSeats(Conflict):
    """Your plan is not shared; a plan with `seats` is, while you pay for it or try it."""

    code, title = "no_seats", "Plan not shared"


class SeatsTaken(Conflict):
    """All `seats` of the plan are taken; take one back first."""

    code, title = "seats_taken", "Seats taken"
    constraint = "a_seat_is_held_once"


class NotOfYourFamily(Conflict):
    """A plan is shared with members of a family of yours alone; let them join one first."""

    code, title = "not_of_your_family", "Not of your family"


class HasAPlan(Conflict):
    """This member has a plan already; each has one, so that one has to end first."""

    code, title = "has_a_plan", "Has a plan already"


class UnknownSeat(NotFound):
    """This member holds no seat of your plan, and you hold none of theirs."""

    code, title = "seat_not_found", "Seat not found"
