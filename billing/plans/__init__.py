"""Plans and prices as versioned documents, and the law of each country as configuration."""
