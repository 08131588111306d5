"""The whole product through its door: what a till does all day, and what an attacker tries."""
