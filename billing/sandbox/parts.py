"""All modules that answer something: importing this fills the registries of `routing`."""

from billing.sandbox import clocks, events, searching, webhook_endpoints
from billing.sandbox.catalogue import coupons, features, prices, products, promotion_codes
from billing.sandbox.checkout import page as checkout_page
from billing.sandbox.checkout import paying, sessions
from billing.sandbox.engine.parts import ENGINE
from billing.sandbox.pages import challenge, invoice_page, rendering, time_machine
from billing.sandbox.payments import (
    balance,
    charges,
    customers,
    payment_intent_routes,
    payment_methods,
    setup_intents,
)
from billing.sandbox.portal import configurations
from billing.sandbox.portal import page as portal_page
from billing.sandbox.portal import sessions as portal_sessions

PARTS = (
    *(clocks, events, searching, webhook_endpoints),
    *(coupons, features, prices, products, promotion_codes),
    *(
        balance,
        charges,
        customers,
        payment_intent_routes,
        payment_methods,
        setup_intents,
    ),
    *ENGINE,
    *(checkout_page, paying, sessions),
    *(configurations, portal_page, portal_sessions),
    *(challenge, invoice_page, rendering, time_machine),
)
