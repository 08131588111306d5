"""What memberships come to: for their member, and for the coalition, in figures."""
