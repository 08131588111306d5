"""Campaigns: what members pay changes for those who bought at another price."""
