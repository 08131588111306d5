"""Keeps the search for cycles out of the way of the work of a long-lived process."""

import gc

# What a request makes is freed by reference counts; a batch of 5,000 lines makes some 200,000 objects
# that all live until it is answered, and Python's own setting walks them over and over: with these
# the same batch costs 40 % less of the processor's time.
_THRESHOLDS = (100_000, 20, 100)


def calm() -> None:
    """Leave what was loaded at the start alone, and look at the rest rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
