"""Families against a model that was written from the rules alone."""
