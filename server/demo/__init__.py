"""The demo: a coalition of five companies with a year of purchases behind it."""
