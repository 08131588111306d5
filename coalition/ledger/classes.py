"""Classes of lots: whether points were received, and at which partners they can be spent.

A class is a small number in a lot's provenance. Points that rules bind to partners keep that
binding wherever they go; what a pool has bound is free again when whoever brought it takes it home.
A class is registered once, under the lock of the catalogue, and never changed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from coalition.kernel.database import Connection
from coalition.ledger.provenance import ORDINARY_CLASS, RECEIVED_CLASS, Provenance

_ALL = "SELECT no, received, pooled, spend_on, at_issuer FROM lot_class ORDER BY no"

_REGISTER = """
INSERT INTO lot_class (no, received, pooled, spend_on, at_issuer)
SELECT (SELECT max(no) FROM lot_class) + row_number() OVER (), received, pooled, $3, $4
FROM unnest($1::bool[], $2::bool[]) AS wanted (received, pooled)
WHERE NOT EXISTS (
    SELECT FROM lot_class AS kept
    WHERE (kept.received, kept.pooled, kept.at_issuer) = (wanted.received, wanted.pooled, $4)
      AND kept.spend_on = $3::int4[])
"""

_BOUND = ((True, False), (False, True), (True, True))
"""Received and pooled, of the classes that a binding makes."""

IsOpen = Callable[[Provenance], bool]
"""Tells whether points can be spent where somebody asks."""


class Binding(NamedTuple):
    """Where points can be spent: at these partners and, if so, at whoever issued them."""

    partner_nos: frozenset[int]
    at_issuer: bool = False

    def allows(self, issuer_no: int, partner_no: int) -> bool:
        """Tell whether points of an issuer can be spent at a partner."""
        return partner_no in self.partner_nos or (self.at_issuer and issuer_no == partner_no)


class LotClass(NamedTuple):
    """What rules tell apart of points."""

    no: int
    received: bool
    """Another member has sent them: a rule may keep them from moving on."""
    pooled: bool
    """It is for being in a pool that they are bound."""
    binding: Binding | None
    """None: they can be spent at every partner."""


_BUILT_IN = (
    LotClass(ORDINARY_CLASS, received=False, pooled=False, binding=None),
    LotClass(RECEIVED_CLASS, received=True, pooled=False, binding=None),
)


class LotClasses:
    """All classes that are registered."""

    def __init__(self, registered: Iterable[LotClass] = _BUILT_IN) -> None:
        """Index what was read."""
        self._of = {one.no: one for one in registered}
        self._nos = {one[1:]: one.no for one in self._of.values()}
        self.received = frozenset(one.no for one in self._of.values() if one.received)
        """Those of points that others have sent."""
        self.not_received = frozenset(self._of) - self.received
        self.bound = frozenset(one.no for one in self._of.values() if one.binding is not None)
        """Those of points that pay at some partners only."""
        self.ordinary = self.not_received - self.bound
        self.are_bound = bool(self.bound)
        """Whether any points may be bound to partners; nearly always none are."""

    def open_at(self, partner_no: int) -> IsOpen | None:
        """Return what tells which points can be spent at a partner; None: all can.

        Partner 0 is the operator, by whom nothing is bought.
        """
        if not self.are_bound or not partner_no:
            return None

        def is_open(provenance: Provenance) -> bool:
            binding = self._of[provenance.class_no].binding
            return binding is None or binding.allows(provenance.issuer_no, partner_no)

        return is_open

    def when_received(self, binding: Binding | None) -> Mapping[int, int]:
        """Return the class, by what it was, of points that one member sends another.

        Points that are bound stay bound as they are.
        """
        return {one.no: self._nos[True, False, one.binding or binding] for one in self._of.values()}

    def when_pooled(self, binding: Binding | None) -> Mapping[int, int] | None:
        """Return the class, by what it was, of points that come into a pool; None: what it was."""
        if binding is None:
            return None
        return {
            one.no: self._nos[one.received, True, binding]
            for one in self._of.values()
            if one.binding is None
        }

    def when_home(self) -> Mapping[int, int]:
        """Return the class, by what it was, of points that come from a pool to who brought them."""
        return {
            one.no: self._nos[one.received, False, None] for one in self._of.values() if one.pooled
        }


ONLY_BUILT_IN = LotClasses()


async def register(connection: Connection, binding: Binding) -> None:
    """Register the classes of points that are bound so, unless they are; none is ever removed.

    The caller holds the lock of the catalogue.
    """
    received, pooled = zip(*_BOUND, strict=True)
    partners = sorted(binding.partner_nos)
    await connection.execute(_REGISTER, received, pooled, partners, binding.at_issuer)


async def registered(connection: Connection) -> LotClasses:
    """Return every class."""
    return LotClasses(
        LotClass(no, received, pooled, _binding(spend_on, at_issuer))
        for no, received, pooled, spend_on, at_issuer in await connection.fetch(_ALL)
    )


def _binding(spend_on: Collection[int] | None, at_issuer: bool) -> Binding | None:  # noqa: FBT001 - a column
    return None if spend_on is None else Binding(frozenset(spend_on), at_issuer)
