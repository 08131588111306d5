"""Rule sets in memory, as of one version of the catalogue: which hold, and what they are bound to.

A version of a rule set holds from its `valid_from` until a later version does. Every change counts
the catalogue's version up first, so that whoever sees that version sees the change.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from coalition.families.rule_sets.countries import resolved
from coalition.families.rule_sets.notation import RuleSet
from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection

_VERSIONS = """
SELECT rule_set_no, name, version, document, valid_from, prepared_by, approved_by, made_at
FROM rule_set_version JOIN rule_set ON rule_set.no = rule_set_no
ORDER BY rule_set_no, version
"""
_BINDINGS = """
SELECT binding.no, kind, rule_set_no, name AS rule_set, valid_from, prepared_by, approved_by,
    made_at
FROM rule_binding AS binding LEFT JOIN rule_set ON rule_set.no = rule_set_no
ORDER BY binding.no
"""


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The version of a rule set that acts run under, countries by code, and its zone."""

    rule_set_no: int
    version: int
    name: str
    rule_set: RuleSet
    zone: ZoneInfo


class KeptVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a rule set as it was approved: never changed."""

    rule_set_no: int
    name: str
    version: int
    document: RuleSet
    valid_from: datetime
    prepared_by: str
    approved_by: str
    made_at: datetime


class KeptBinding(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind runs under from a time on; no rule set: such acts are refused."""

    no: int
    kind: str
    rule_set_no: int | None
    rule_set: str | None
    valid_from: datetime
    prepared_by: str
    approved_by: str
    made_at: datetime


class RuleBook:
    """All rule sets and bindings as of one version of the catalogue. It is never changed."""

    def __init__(
        self,
        version: int,
        versions: Iterable[KeptVersion] = (),
        bindings: Iterable[KeptBinding] = (),
        zone: ZoneInfo | None = None,
        before: "RuleBook | None" = None,
    ) -> None:
        """Index what was read; what `before` had made of the same versions is used again."""
        self.version = version
        """Of the catalogue."""
        self.versions = tuple(versions)
        self.bindings = tuple(bindings)
        self._zone = zone or ZoneInfo("UTC")
        known = before._made if before is not None and before._zone == self._zone else {}  # noqa: SLF001 - its own kind
        self._made: dict[tuple[int, int], Bound] = {}
        self._of: Mapping[int, list[KeptVersion]] = defaultdict(list)
        self._numbers: dict[str, int] = {}
        for one in self.versions:
            key = (one.rule_set_no, one.version)
            self._made[key] = known.get(key) or self._bound(one)
            self._of[one.rule_set_no].append(one)
            self._numbers[one.name] = one.rule_set_no

    @classmethod
    async def refresh(
        cls, connection: Connection, before: "RuleBook | None", catalogue: Catalogue
    ) -> "RuleBook":
        """Return `before` as long as the catalogue has its version, else what is kept now."""
        if before is not None and before.version == catalogue.version:
            return before
        versions = await kept_versions(connection)
        zone = catalogue.zone if catalogue.is_set_up else None
        return cls(catalogue.version, versions, await kept_bindings(connection), zone, before)

    def rule_set(self, no: int, at: datetime) -> Bound | None:
        """Return the version in force at `at` of the rule set with this number, if there is one."""
        for one in reversed(self._of.get(no, [])):
            if one.valid_from <= at:
                return self._made[one.rule_set_no, one.version]
        return None

    def of_version(self, no: int, version: int) -> Bound | None:
        """Return that version of the rule set, in force or not, if there is one."""
        return self._made.get((no, version))

    def by_name(self, name: str, at: datetime) -> Bound | None:
        """Return the version in force at `at` of the rule set with this name, if there is one."""
        no = self._numbers.get(name)
        return None if no is None else self.rule_set(no, at)

    def bound(self, kind: str, at: datetime) -> Bound | None:
        """Return what acts of `kind` run under at `at`; None: they are refused."""
        for one in reversed(self.bindings):
            if one.kind == kind and one.valid_from <= at:
                return None if one.rule_set_no is None else self.rule_set(one.rule_set_no, at)
        return None

    def kinds(self, at: datetime) -> dict[str, Bound]:
        """Return all kinds that are bound at `at`, by name, with what they run under."""
        names = sorted({one.kind for one in self.bindings})
        found = {kind: self.bound(kind, at) for kind in names}
        return {kind: bound for kind, bound in found.items() if bound is not None}

    def state(self, version: KeptVersion, at: datetime) -> Literal["holds", "to come", "ended"]:
        """Tell whether a version holds at `at`, or will, or does no longer."""
        if version.valid_from > at:
            return "to come"
        now = self.rule_set(version.rule_set_no, at)
        return "holds" if now is not None and now.version == version.version else "ended"

    def kinds_of(self, version: KeptVersion, at: datetime) -> list[str]:
        """Return the kinds that run under this very version at `at`."""
        key = version.rule_set_no, version.version
        found = self.kinds(at).items()
        return [kind for kind, bound in found if (bound.rule_set_no, bound.version) == key]

    def _bound(self, kept: KeptVersion) -> Bound:
        named = kept.document.timezone
        return Bound(
            rule_set_no=kept.rule_set_no,
            version=kept.version,
            name=kept.name,
            rule_set=resolved(kept.document),
            zone=ZoneInfo(named) if named else self._zone,
        )


async def kept_versions(connection: Connection) -> list[KeptVersion]:
    """Return every version of every rule set, by number and version."""
    return [
        msgspec.convert(
            dict(row) | {"document": msgspec.json.decode(row["document"], type=RuleSet)},
            KeptVersion,
        )
        for row in await connection.fetch(_VERSIONS)
    ]


async def kept_bindings(connection: Connection) -> list[KeptBinding]:
    """Return every binding in the order in which they were made."""
    return [msgspec.convert(dict(row), KeptBinding) for row in await connection.fetch(_BINDINGS)]
