"""What staff do with a paid membership for a member who calls or writes."""
