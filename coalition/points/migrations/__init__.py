"""The schema of points, forward only."""
