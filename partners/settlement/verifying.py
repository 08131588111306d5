"""Verifies the file of a closed statement, without a database and without a network.

Everything that was frozen is made once more from the charges: the digest of each drain and their
chain, points, rounded lines, VAT and totals.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, localcontext
from itertools import zip_longest
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from coalition.kernel.errors import Refused
from partners.settlement import digests, packed, rules, statement_file
from partners.settlement.kinds import ChargeKind
from partners.settlement.rules import Composed, Fee, FeeOf, Group, Total
from partners.settlement.statement_file import (
    FORMAT,
    KINDS,
    AdjustedByHand,
    DrainEnd,
    End,
    FrozenLine,
    Head,
    Part,
    Told,
    frozen_line,
)

DIFFERENCES_MOST = 100
"""After so many differences the file is given up: something is wrong as a whole."""

_DIGITS = 60

_POWER_MOST = 40
"""Every number of a statement is far below ten to this; one above is not worth writing out."""

_Row = TypeVar("_Row", FrozenLine, Total)


class Difference(msgspec.Struct, frozen=True):
    """What the file tells differently from what it proves; `line` counts the file's from 1."""

    line: int
    what: str
    told: str
    found: str


class Named(msgspec.Struct, frozen=True):
    """What names a statement."""

    partner_no: int
    period: str
    number: int
    digest: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying a file came to; what it names is worth something only when it is `ok`."""

    ok: bool
    statement: Named | None
    """Of which statement the file says that it is; null where it does not get so far."""
    drains: int
    charges: int
    totals: list[Total]
    differences: list[Difference]


def verify(lines: Iterable[bytes], *, expected_digest: str | None = None) -> Verdict:
    """Return how the file, given by its lines with their ends, holds against itself.

    `expected_digest` is the one that the partner was told elsewhere, in hexadecimal.
    """
    check = _Check()
    for no, line in enumerate(lines, 1):
        check.read(no, line)
        if check.is_lost:
            break
    return check.verdict(expected_digest)


class _Check:
    """What has been read of a file so far, and how it held."""

    def __init__(self) -> None:
        self.is_lost = False
        self._differences: list[Difference] = []
        self._line = 0
        self._whole = hashlib.sha256()
        self._head: Head | None = None
        self._is_ended = False
        self._chain = b""
        self._drain: UUID | None = None
        self._drain_before: UUID | None = None
        self._parts = hashlib.sha256()
        self._drains = 0
        self._charges = 0
        # Points, points that count and charges of each group and unit price.
        self._sums: dict[tuple[Group, Decimal], list[int]] = defaultdict(lambda: [0, 0, 0])

    def read(self, no: int, line: bytes) -> None:
        """Take in one line of the file."""
        self._line = no
        try:
            told = statement_file.read(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._give_up("a line of the file", f"it cannot be read: {error}")
            return
        if isinstance(told, Head) == (self._head is not None) or self._is_ended:
            self._give_up("the order of the file", "a line that does not belong here")
            return
        try:
            self._follow(told, line)
        except (ArithmeticError, LookupError, TypeError, ValueError, Refused) as error:
            self._give_up("a line of the file", f"no sense can be made of it: {error!r}")
            return
        self._whole.update(line)
        if len(self._differences) >= DIFFERENCES_MOST:
            self._give_up("the file", "it has too many differences")

    def verdict(self, expected_digest: str | None) -> Verdict:
        """Return how the file held, now that all of it was read."""
        if not self._is_ended and not self.is_lost:
            self._differ("the end of the file", "nothing", "there should be more")
        head = self._head
        if head is not None and expected_digest is not None:
            self._compare("the digest of the statement", head.digest, expected_digest.lower())
        return Verdict(
            ok=not self._differences,
            statement=None if head is None else _named(head),
            drains=self._drains,
            charges=self._charges,
            totals=[] if head is None else head.totals,
            differences=self._differences[:DIFFERENCES_MOST],
        )

    def _follow(self, told: Told, line: bytes) -> None:
        match told:
            case Head():
                _refuse_immense(*_numbers_in(msgspec.to_builtins(told, builtin_types=(Decimal,))))
                self._begin(told)
            case Part():
                _refuse_immense(told.unit_price, told.vat_rate)
                self._take(told)
            case DrainEnd():
                self._close_drain(told)
            case End():
                self._end(told, line)

    def _begin(self, head: Head) -> None:
        self._head = head
        self._chain = digests.chain_start(head.partner_no, head.period_no)
        self._compare("the format of the file", head.format, FORMAT)

    def _take(self, part: Part) -> None:
        if part.kind not in KINDS:
            self._give_up("the kind of a charge", f"{part.kind} is none")
            return
        if self._drain is None:
            self._drain = part.drain
        self._compare("the drain of some charges", part.drain, self._drain)
        self._parts.update(statement_file.canonical(part, packed.pack(part.charges)))
        points = sum(points for _, points in part.charges)
        self._charges += len(part.charges)
        sums = self._sums[_group_of(part), part.unit_price]
        sums[0] += points
        sums[1] += points if part.counts_points else 0
        sums[2] += len(part.charges)

    def _close_drain(self, told: DrainEnd) -> None:
        self._compare("the drain of a digest", told.drain, self._drain)
        if self._drain_before is not None and told.drain <= self._drain_before:
            self._differ("the order of drains", str(told.drain), f"after {self._drain_before}")
        digest = self._parts.digest()
        self._compare("the digest of a drain", told.digest, digest.hex())
        self._chain = digests.chained(self._chain, digest)
        self._drains += 1
        self._drain_before, self._drain, self._parts = told.drain, None, hashlib.sha256()

    def _end(self, told: End, line: bytes) -> None:
        assert self._head is not None, "the first line is the head"
        self._is_ended = True
        self._compare("the last line", line, statement_file.written(told))
        self._compare("the bytes of the file", told.sha256, self._whole.hexdigest())
        self._compare("a drain without its digest", self._drain, None)
        charges = self._charges + len(self._head.adjustments)
        self._compare("the number of charges", self._head.charges, charges)
        composed = self._composed(self._head)
        digest = digests.sealed(self._chain, composed.lines)
        self._compare("the digest of the statement", self._head.digest, digest.hex())
        self._compare_rows(
            "line {0.no} of the statement", self._head.lines, [*map(frozen_line, composed.lines)]
        )
        self._compare_rows("the total in {0.currency}", self._head.totals, composed.totals)

    def _composed(self, head: Head) -> Composed:
        """Make the statement again from its charges, adjustments and terms."""
        versions = {contract.no: contract for contract in head.versions}
        with localcontext() as context:
            context.prec = _DIGITS
            groups = [
                msgspec.structs.replace(
                    group, points=counted, charges=charges, exact=points * unit_price
                )
                for (group, unit_price), (points, counted, charges) in self._sums.items()
            ]
        return rules.compose(
            [*groups, *map(_group_by_hand, head.adjustments)],
            period_no=head.period_no,
            standing=None if head.standing is None else versions[head.standing],
            versions=versions,
            earlier_fees={
                FeeOf(fee.contract_no, fee.period_no, fee.currency): Fee(fee.points, fee.exact)
                for fee in head.earlier_fees
            },
        )

    def _compare_rows(self, named: str, told: Sequence[_Row], found: Sequence[_Row]) -> None:
        for frozen, made in zip_longest(told, found):
            if frozen is None or made is None:
                there = "there is none" if frozen is None else "there is one"
                self._differ(named.format(frozen or made), there, "it is the other way round")
                continue
            for field in frozen.__struct_fields__:
                what = f"{field} of {named.format(frozen)}"
                self._compare(what, getattr(frozen, field), getattr(made, field))

    def _compare(self, what: str, told: object, found: object) -> None:
        if told != found:
            self._differ(what, str(told), str(found))

    def _differ(self, what: str, told: str, found: str) -> None:
        self._differences.append(Difference(self._line, what, told, found))

    def _give_up(self, what: str, why: str) -> None:
        self.is_lost = True
        self._differ(what, "", why)


def _refuse_immense(*numbers: Decimal) -> None:
    """Raise `ValueError` for a number whose digits would fill the memory of whoever reads it."""
    for number in numbers:
        if number.is_finite() and abs(number.adjusted()) > _POWER_MOST:
            message = f"a number like {number:.3E}"
            raise ValueError(message)


def _numbers_in(told: Any) -> Iterator[Decimal]:  # Any: a part of a JSON object
    if isinstance(told, Decimal):
        yield told
    elif isinstance(told, dict | list | tuple):
        for part in told.values() if isinstance(told, dict) else told:
            yield from _numbers_in(part)


def _named(head: Head) -> Named:
    return Named(head.partner_no, head.period, head.number, head.digest)


def _group_of(part: Part) -> Group:
    return Group(
        kind=KINDS[part.kind],
        contract_no=part.contract_no,
        currency=part.currency,
        vat_code=part.vat_code,
        vat_rate=part.vat_rate,
        origin_no=part.origin_no,
    )


def _group_by_hand(adjusted: AdjustedByHand) -> Group:
    return Group(
        kind=ChargeKind.ADJUSTMENT,
        contract_no=adjusted.contract_no,
        currency=adjusted.currency,
        vat_code=adjusted.vat_code,
        vat_rate=adjusted.vat_rate,
        origin_no=adjusted.origin_no,
        charges=1,
        exact=rules.major(adjusted.amount_minor, adjusted.currency),
    )
