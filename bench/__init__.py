"""Benchmarks that anyone can run: ratios to references measured in the same run."""
