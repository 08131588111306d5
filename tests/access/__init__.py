"""Tests of coalition.access."""
