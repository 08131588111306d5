"""Tests of stories that run."""
