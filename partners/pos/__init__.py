"""What tills ask, one request at a time: points, postings, members."""
