"""Tests of what partners read of their settlement."""
