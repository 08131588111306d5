"""Who pays for what a benefit saved: its funders, and the operator for those who do not pay; pure.

A funder without a contract then, or in default, pays nothing. The partner's own share costs nobody
else anything.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from billing.benefits.funding import funders
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import NoContract
from coalition.kernel.money import split
from coalition.points.bonuses.compiled import OPERATOR


def shares(funding: Mapping[str, int], saved_minor: int) -> dict[int, int]:
    """Return what each funder that a plan names is to pay, in minor units; together it is all."""
    parties = funders(funding)
    parts = split(saved_minor, [weight for _, weight in parties])
    return {no: part for (no, _), part in zip(parties, parts, strict=True)}


def silent(wanted: Mapping[int, int], instant: datetime, known: Catalogue) -> AbstractSet[int]:
    """Return which funders of `wanted` do not pay for what is used at an instant."""
    return {no for no in wanted if not _pays(no, instant, known)}


def owed(wanted: Mapping[int, int], partner_no: int, unpaying: AbstractSet[int]) -> dict[int, int]:
    """Return by payer, in the order of their numbers, what others owe the partner of `wanted`.

    For the `unpaying` the operator pays.
    """
    found: dict[int, int] = {}
    for funder_no, share in wanted.items():
        payer = OPERATOR if funder_no in unpaying else funder_no
        found[payer] = found.get(payer, 0) + share
    return {no: found[no] for no in sorted(found) if found[no] and no != partner_no}


def _pays(funder_no: int, instant: datetime, known: Catalogue) -> bool:
    if funder_no == OPERATOR:
        return True
    try:
        known.contract_at(funder_no, instant)
    except NoContract:
        return False
    return known.default_at(funder_no, instant) is None
