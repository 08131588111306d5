"""Seats: a plan that is paid by one and shared with others of its family."""
