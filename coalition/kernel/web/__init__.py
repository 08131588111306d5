"""The door: one error shape, strict bodies, request ids, logs, metrics, health, API pages."""
