"""What was promised to be asked of Stripe, and what came of it, for rules to judge by."""

from datetime import datetime
from typing import Any

import msgspec


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised, with Stripe's words where it refused; lost is what nobody heard of."""

    request: dict[str, Any]  # Any: JSON of the kind
    begun_at: datetime
    refusal: str | None = None
    is_lost: bool = False
