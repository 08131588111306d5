"""Tests of points: rules, drafts and tills."""
