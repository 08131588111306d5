"""The double entry of points: the only writer of balances."""
