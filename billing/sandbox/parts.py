"""All modules that answer something: importing this fills the registries of `routing`."""

from billing.sandbox import clocks, events, webhook_endpoints

PARTS = (clocks, events, webhook_endpoints)
