"""Tests of plans that are shared with the family."""
