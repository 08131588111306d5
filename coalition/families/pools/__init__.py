"""What a group holds together, and how a redemption is drawn from it."""
