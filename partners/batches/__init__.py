"""Many lines in one upload: answered at once, or worked off by a job; an answer for each line."""
