"""Tests of the doors of memberships."""
