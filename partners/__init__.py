"""The partners' door: how a partner's systems talk to the coalition."""
