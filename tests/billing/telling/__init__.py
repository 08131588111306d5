"""Tests of what members are told of their memberships."""
