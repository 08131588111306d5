"""What counts as a reason when a person must say why."""

from coalition.oversight.refusals import ReasonNeeded

REASON_LENGTH_MAX = 500


def valid_reason(reason: str) -> str:
    """Return `reason` without outer spaces; refuse an empty, long or unprintable one."""
    trimmed = reason.strip()
    if not 1 <= len(trimmed) <= REASON_LENGTH_MAX or not trimmed.isprintable():
        raise ReasonNeeded
    return trimmed
