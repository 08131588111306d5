"""Settlement: what points cost and earn each partner, in periods that close to the cent."""
