"""Idempotency: the first answer to a key is kept, byte for byte, and given again for 48 hours.

Only committed results are kept. A refusal leaves nothing, so that the same key may be tried again.
"""

from coalition.kernel.idempotency.claims import (
    Answer,
    Claim,
    ClaimTakenError,
    KeyReused,
    find,
    forget_before,
    once,
    one_answer_each,
    replay,
    store,
)

__all__ = [
    "Answer",
    "Claim",
    "ClaimTakenError",
    "KeyReused",
    "find",
    "forget_before",
    "once",
    "one_answer_each",
    "replay",
    "store",
]
