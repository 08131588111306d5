"""Guards of the till: rules, judging, watching, cases."""
