"""The schema of batches, forward only."""
