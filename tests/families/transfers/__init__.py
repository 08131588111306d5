"""Tests of transfers between members."""
