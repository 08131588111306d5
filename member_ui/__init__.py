"""The member's pages: join, sign in, balance, plans and the own membership."""
