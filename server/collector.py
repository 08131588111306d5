"""Keeps the search for reference cycles out of the way of a long-lived process."""

import gc

# Lines and requests leave no cycles, yet a batch of 5,000 makes enough objects to start hundreds of
# collections, nearly half of its time.
_THRESHOLDS = (200_000, 20, 20)


def calm() -> None:
    """Leave what was made so far alone, and look at the rest when it is worth it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
