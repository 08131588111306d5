"""What settlement refuses, with the database constraint that guards the same rule."""

from coalition.kernel.errors import Conflict, NotFound


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
