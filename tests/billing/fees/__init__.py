"""Tests of fees in money that families ask for."""
