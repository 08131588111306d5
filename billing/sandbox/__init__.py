"""A stand-in for Stripe that speaks its HTTP, for demos and tests without a key."""

from billing.sandbox.account import Sandbox
from billing.sandbox.deliveries import Delivery
from billing.sandbox.faults import Faults

create = Sandbox

__all__ = ["Delivery", "Faults", "Sandbox", "create"]
