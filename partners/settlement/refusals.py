"""What settlement refuses, with the database constraint that guards the same rule."""

from coalition.kernel.errors import Conflict, Invalid, NotFound


class UnknownPeriod(NotFound):
    """The partner has no such period; names are like 2026-10, 2026-10-H1, 2026-W41, 2026-10-02."""

    code, title = "period_not_found", "Period not found"


class PeriodNotOver(Conflict):
    """A period is sealed at its cut-off or later: its end plus the grace of the contract."""

    code, title = "period_not_over", "Period not over"


class EarlierPeriodOpen(Conflict):
    """Periods of a partner are sealed and closed in order; begin with the earlier one."""

    code, title = "earlier_period_open", "Earlier period open"


class PeriodNotSealed(Conflict):
    """Only a sealed period, whose statement is provisional, is closed; seal it first."""

    code, title = "period_not_sealed", "Period not sealed"


class PeriodClosed(Conflict):
    """The period is closed and stays as it is; differences are adjustments in an open one."""

    code, title = "period_closed", "Period closed"


class InvalidPrepayment(Invalid):
    """A prepayment is of 1 minor unit to 10 to the 12th, with a reference of 1 to 64 signs."""

    code, title = "invalid_prepayment", "Invalid prepayment"


class PrepaymentBooked(Conflict):
    """Under this reference money was paid in already; give each payment the bank's reference."""

    code, title = "prepayment_booked", "Prepayment booked already"


class UnknownCycle(NotFound):
    """There is no such clearing cycle; list the cycles to find it."""

    code, title = "cycle_not_found", "Clearing cycle not found"


class NothingToClear(Conflict):
    """No closed statement of these periods and partners waits to be cleared in this currency."""

    code, title = "nothing_to_clear", "Nothing to clear"


class StatementNotClosed(Conflict):
    """Only closed statements are cleared; two persons close the period first."""

    code, title = "statement_not_closed", "Statement not closed"


class StatementCleared(Conflict):
    """A statement is cleared once per currency, and this one was in another cycle."""

    code, title = "statement_cleared", "Statement cleared already"
    constraint = "a_statement_is_cleared_once_per_currency"


class ClaimsDiffer(Conflict):
    """Other claims on partners in default are open by now than when prepared; prepare it anew."""

    code, title = "claims_differ", "Claims differ"


class OwesNothing(Conflict):
    """Who defaults owes something in the cycle; this partner has nothing to pay, or defaulted."""

    code, title = "owes_nothing", "Owes nothing"


class DefaultDiffers(Conflict):
    """The cycle has changed since this default was prepared; look at it and prepare it again."""

    code, title = "default_differs", "Default differs"


class UnknownStatement(NotFound):
    """There is no such statement, or it is another's; list the statements to find it."""

    code, title = "statement_not_found", "Statement not found"


class UnknownLine(NotFound):
    """The statement has no line of this number; they count from 1, as the statement shows them."""

    code, title = "statement_line_not_found", "Statement line not found"


class CursorOfAnotherLine(Invalid):
    """The cursor belongs to another line, or the line has moved: begin again without a cursor."""

    code, title = "cursor_of_another_line", "Cursor of another line"


class StatementChanged(Conflict):
    """The statement comes to something else than when this was prepared; prepare it anew."""

    code, title = "statement_changed", "Statement changed"


class InvalidAdjustment(Invalid):
    """An adjustment is of 1 to 10 to the 12th minor units, up or down, in a currency like EUR."""

    code, title = "invalid_adjustment", "Invalid adjustment"
