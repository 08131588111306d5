"""The journeys that have to hold however webhooks come."""
