"""HTTP for memberships: members, visitors who are not signed in, and the operator's staff."""
