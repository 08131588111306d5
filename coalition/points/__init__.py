"""Points as tills see them: earned by rules, redeemed, held, returned, expired."""
