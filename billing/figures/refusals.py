"""What is refused of figures."""

from coalition.kernel.errors import Invalid


class MonthAhead(Invalid):
    """The month has not begun; ask for the present one, or one before."""

    code, title = "month_ahead", "Month ahead"
