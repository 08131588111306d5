"""Tests of families: rule sets, groups that pool points, and points sent between members."""
