"""Tests of groups: forming, joining, changing, leaving, pooling, and what ends them."""
