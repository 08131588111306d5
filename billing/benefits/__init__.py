"""What a plan gives while it holds: standings, bonuses, points, tokens for tills, and its use."""
