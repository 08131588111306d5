"""What a rule document says: earning rules as data, written in JSON or YAML, unknown keys refused.

The Structs are the format; `coalition earning schema` publishes their JSON Schema. Amounts are
whole minor units, decimals are text, and days and hours are those of the coalition's zone.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from coalition.kernel.money import Rounding

CONDITION_LENGTH_MOST = 1000
"""How long the CEL text of a condition may be."""

_END = r"(?![\s\S])"  # as JSON Schema writes the end of a text, where $ lets a line end through
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"

Code = Annotated[
    str,
    Meta(
        pattern=rf"^[a-z0-9]+(-[a-z0-9]+)*{_END}",
        max_length=64,
        description="Names the rule over all its versions, such as weekend-fruit",
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=100, description="What members are told")]
Word = Annotated[str, Meta(min_length=1, max_length=64)]
Named = Annotated[int, Meta(ge=1)] | Word
"""A partner by number or by name; a stored document has numbers only."""
Points = Annotated[int, Meta(ge=1, le=1_000_000)]
Amount = Annotated[int, Meta(ge=1, le=10**12, description="Whole minor units (öre, cent)")]
Least = Annotated[int, Meta(ge=1, le=10**12)]
CapPoints = Annotated[int, Meta(ge=1, le=2**31 - 1)]
DecimalText = Annotated[
    str,
    Meta(
        pattern=rf"^[0-9]{{1,4}}(\.[0-9]{{1,6}})?{_END}",
        description='A decimal as text, such as "1.5"',
    ),
]
When = Annotated[
    str,
    Meta(
        pattern=rf"^{_DAY}(T{_CLOCK}:[0-5][0-9](Z|[+-]{_CLOCK}))?{_END}",
        description="A day of the coalition's zone, or an instant with its offset",
    ),
]
Hours = Annotated[
    str,
    Meta(
        pattern=rf"^{_CLOCK}-({_CLOCK}|24:00){_END}",
        description="From and until, such as 17:00-20:00; 22:00-02:00 goes over midnight",
    ),
]


class Weekday(StrEnum):
    """A day of the week, in ISO order."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a document; a key that it does not know is refused."""


class LeastAmount(_Part, frozen=True):
    """What a basket must come to: all of it, or the lines of the rule's categories."""

    amount_minor: Amount
    of: Literal["basket", "lines"] = "basket"


class AppliesTo(_Part, frozen=True):
    """What a rule looks at before its condition; a key left out lets everything through.

    Of several values in one key any will do; all keys that are given must hold.
    """

    partners: tuple[Named, ...] = ()
    stores: tuple[Word, ...] = ()
    """Codes of stores; only together with the one partner whose codes they are."""
    categories: tuple[Word, ...] = ()
    """The rule then counts only the lines of these categories, and needs one of them."""
    currency: Annotated[str, Meta(pattern=rf"^[A-Z]{{3}}{_END}")] | None = None
    least: LeastAmount | None = None
    tiers: tuple[Word, ...] = ()
    plans: tuple[Word, ...] = ()
    segments: tuple[Word, ...] = ()
    flags: tuple[Word, ...] = ()
    weekdays: tuple[Weekday, ...] = ()
    hours: tuple[Hours, ...] = ()


class Rate(_Part, frozen=True, tag_field="kind", tag="rate"):
    """`points` for every `per_minor` minor units; in place of the base rate unless it adds."""

    points: Points
    per_minor: Amount


class Multiplier(_Part, frozen=True, tag_field="kind", tag="multiplier"):
    """`factor` times the points of the base rate, or of all rules so far; the base is in it."""

    factor: DecimalText
    of: Literal["base", "so_far"] = "base"


class Bonus(_Part, frozen=True, tag_field="kind", tag="bonus"):
    """`points` once per basket, or for each line, or for each item of the lines that count."""

    points: Points
    per: Literal["basket", "line", "item"] = "basket"


class PerMeasure(_Part, frozen=True, tag_field="kind", tag="per_measure"):
    """`points` for every `per` of a measure that the till sends, such as visits or hours.

    The measure `quantity` is the number of items in the lines that count.
    """

    points: Points
    measure: Word
    per: Least = 1


Effect = Rate | Multiplier | Bonus | PerMeasure


class Combine(StrEnum):
    """How a rule stands to the others."""

    ADD = "add"
    BEST_OF = "best_of"
    """Of the rules of one group only the one that gives most counts."""
    REPLACES_BASE = "replaces_base"
    """Its points stand in place of the base rate's; of two such rules the first in order does."""
    STOP = "stop"
    """It adds, and no rule after it is looked at."""


class Stacking(_Part, frozen=True):
    """In which order a rule comes (smaller first, then the older rule), and how it combines."""

    order: Annotated[int, Meta(ge=0, le=999_999)] = 100
    combine: Combine | None = None
    """Left out: `replaces_base` for a rate, `add` for the rest."""
    group: Word | None = None


class Caps(_Part, frozen=True):
    """The most points that one member gets from a rule, over all its versions.

    Days, ISO weeks, months and years are those of the coalition's zone; `campaign` is all time.
    """

    basket: CapPoints | None = None
    day: CapPoints | None = None
    week: CapPoints | None = None
    month: CapPoints | None = None
    year: CapPoints | None = None
    campaign: CapPoints | None = None


class FundingPart(_Part, frozen=True):
    """Who pays a part: a partner, `operator`, or `issuer` (the partner at the till).

    Either all parts have a share (decimals that add up to 1) or all have a weight.
    """

    funder: Named
    share: DecimalText | None = None
    weight: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class RuleDocument(_Part, frozen=True, kw_only=True):
    """One version of an earning rule, as staff write it.

    `valid_from` left out is the moment of activation. A day begins at 00:00 as `valid_from` and is
    the last day on which the rule holds as `valid_until`; an instant is exact, its end excluded.
    """

    code: Code
    name: Name
    effect: Effect
    applies_to: AppliesTo = AppliesTo()
    rounding: Rounding = Rounding.DOWN
    stacking: Stacking = Stacking()
    caps: Caps = Caps()
    funding: tuple[FundingPart, ...] = ()
    """Left out: the partner at the till pays."""
    condition: Annotated[str, Meta(min_length=1, max_length=CONDITION_LENGTH_MOST)] | None = None
    """An expression in CEL that yields a bool; see `coalition earning check`."""
    valid_from: When | None = None
    valid_until: When | None = None
