"""Tests of the partners' door, through HTTP."""
