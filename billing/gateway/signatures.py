"""Whether Stripe sent a webhook: the header Stripe-Signature over the raw bytes of the body.

Source: Stripe's "Verify webhook signatures", manual steps. Ours, not the library's: that one takes
any time in the future, reads the clock itself, and knows one secret. While a secret is rolled there
are two, and as many signatures `v1=`.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from billing.gateway.refusals import SignatureInvalid, SignatureStale

TOLERANCE = timedelta(minutes=5)
_SIGNATURES_MOST = 16
_HEADER_MOST = 4096
_DIGITS_MOST = 12


def check(header: bytes, body: bytes, secrets: Sequence[str], at: datetime) -> None:
    """Refuse a body that was not signed with one of `secrets` within five minutes of `at`.

    Raises `SignatureInvalid`, or `SignatureStale` for one that is signed well but not now.
    """
    signed_at, signatures = _read(header)
    message = signed_at + b"." + body
    expected = [hmac.digest(secret.encode(), message, hashlib.sha256).hex() for secret in secrets]
    # Every pair is compared, in constant time: what fits tells nothing by how long it took.
    fits = [
        hmac.compare_digest(one.encode(), signature) for one in expected for signature in signatures
    ]
    if not any(fits):
        raise SignatureInvalid
    if abs(at.timestamp() - int(signed_at)) > TOLERANCE.total_seconds():
        raise SignatureStale


def _read(header: bytes) -> tuple[bytes, list[bytes]]:
    """Return the time, in seconds as it was sent, and the signatures of the scheme v1."""
    if not header or len(header) > _HEADER_MOST:
        raise SignatureInvalid
    pairs = [item.strip().partition(b"=") for item in header.split(b",")]
    times = [value for name, _, value in pairs if name == b"t"]
    signatures = [value for name, _, value in pairs if name == b"v1"]
    if len(times) != 1 or not signatures or len(signatures) > _SIGNATURES_MOST:
        raise SignatureInvalid
    if not times[0].isdigit() or len(times[0]) > _DIGITS_MOST:
        raise SignatureInvalid
    return times[0], signatures
