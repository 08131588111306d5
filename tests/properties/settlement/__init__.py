"""Settlement against a second computation: plain Python, from the postings, one after the other."""
