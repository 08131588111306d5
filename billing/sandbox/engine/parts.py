"""The modules of the engine that answer something; importing this registers them."""

from billing.sandbox.engine import (
    disputes,
    invoice_items,
    invoices,
    previewing,
    refunds,
    running,
    schedules,
    standing,
    subscriptions,
    taxes,
    updating,
)

ENGINE = (
    *(disputes, invoice_items, invoices, previewing, refunds, running, schedules),
    *(standing, subscriptions, taxes, updating),
)
