"""Tests of plans, their prices and the terms of countries."""
