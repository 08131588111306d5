"""Spans of time, from an instant until just before another: what they cover together, and lack.

Pure. A list of spans is sorted and its spans neither overlap nor touch; `union` makes one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

Span = tuple[datetime, datetime]

FOREVER = datetime.max.replace(tzinfo=UTC)
"""Where a span ends that has no end."""


def union(spans: Iterable[Span]) -> list[Span]:
    """Return what any of `spans` covers; those that end before they begin cover nothing."""
    joined: list[Span] = []
    for begins, ends in sorted(spans):
        if ends <= begins:
            continue
        if joined and begins <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], ends)
        else:
            joined.append((begins, ends))
    return joined


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what `spans` cover and `taken` do not."""
    left = union(spans)
    for begins, ends in union(taken):
        left = [
            part
            for span in left
            for part in ((span[0], min(span[1], begins)), (max(span[0], ends), span[1]))
            if part[0] < part[1]
        ]
    return left


def covers(spans: Iterable[Span], at: datetime) -> bool:
    """Tell whether one of `spans` covers the instant."""
    return any(begins <= at < ends for begins, ends in spans)
