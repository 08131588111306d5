"""Tests of campaigns by which prices change."""
