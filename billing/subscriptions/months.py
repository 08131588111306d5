"""Months as people count them: the same day of a later month, or the last of a shorter one."""

from datetime import datetime, timedelta


def months_after(instant: datetime, months: int) -> datetime:
    """Return the same day and time `months` later, or the last day of a shorter month."""
    whole = instant.month - 1 + months
    first = instant.replace(year=instant.year + whole // 12, month=whole % 12 + 1, day=1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(instant.day, last.day))
