"""A rule set, and a failure of a rule, in plain Swedish, Norwegian and English."""
