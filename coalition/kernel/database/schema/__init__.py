"""Migrations of the database itself: the roles that the features grant rights to."""
