r"""Digests of what was drained for a partner, and the chain of them that a closed period carries.

The canonical form is binary, so that it costs little while draining and can be made again from a
download. A part is a tariff and one block of its moves:

    kind|contract|currency|unit price|counts points|VAT code|VAT rate|origin period \n
    number of postings (4 bytes, big endian), then 20 bytes for each (see `pricing.Move`)

The digest of a drain is SHA-256 over its parts in the order of their bytes; the chain begins with
SHA-256 of `partner:<number> period:<number>` and takes each digest in: SHA-256(before, digest), in
the order of the drains' ids. The close seals it with the frozen lines, each as text in the order
of their numbers, so that one digest stands for the whole statement:

    no|kind|contract|currency|VAT code|VAT rate|origin period|points|charges|exact|amount|VAT \n

No personal data goes in. Neither do the statement's number and the name of its period: partner and
period are in by their numbers, and what those are called stands beside the digest in the row of the
audit log that the close wrote, which is chained itself (see docs/adr/0036).
"""

import hashlib
from collections.abc import Iterable
from decimal import Decimal

from partners.settlement.pricing import Charge
from partners.settlement.rules import Line

_DIGEST_BYTES = 32


def part(charge: Charge, *, origin_no: int, postings: int, moves: bytes) -> bytes:
    """Return the canonical form of `moves` charged as `charge`."""
    fields = (
        int(charge.kind),
        charge.contract_no,
        charge.currency,
        _plain(charge.unit_price),
        int(charge.counts_points),
        charge.vat_code,
        _plain(charge.vat_rate),
        origin_no,
    )
    header = "|".join(str(field) for field in fields)
    return b"%b\n%b%b" % (header.encode(), postings.to_bytes(4, "big"), moves)


def digest(parts: Iterable[bytes]) -> bytes:
    """Return the digest of a drain's `parts` for one partner and period."""
    found = hashlib.sha256()
    for one in sorted(parts):
        found.update(one)
    return found.digest()


def chain_start(partner_no: int, period_no: int) -> bytes:
    """Return what the chain of a period begins with."""
    return hashlib.sha256(f"partner:{partner_no} period:{period_no}".encode()).digest()


def chained(before: bytes, drained: bytes) -> bytes:
    """Return the chain after one more drain."""
    return hashlib.sha256(before + drained).digest()


def chained_all(before: bytes, drained: bytes) -> bytes:
    """Return the chain after all drains whose digests are `drained`, one after the other."""
    chain = before
    for start in range(0, len(drained), _DIGEST_BYTES):
        chain = chained(chain, drained[start : start + _DIGEST_BYTES])
    return chain


def sealed(chain: bytes, lines: Iterable[Line]) -> bytes:
    """Return the digest of a statement: the end of its chain, and its frozen lines."""
    found = hashlib.sha256(chain)
    for line in lines:
        fields = (
            *(line.no, int(line.kind), line.contract_no, line.currency, line.vat_code),
            *(_plain(line.vat_rate), line.origin_no, line.points, line.charges),
            *(_plain(line.exact), line.amount_minor, line.vat_minor),
        )
        found.update("|".join(str(field) for field in fields).encode() + b"\n")
    return found.digest()


def _plain(number: Decimal) -> str:
    """Write a number without trailing zeros, so that its form does not depend on its origin."""
    if not number:
        return "0"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
