"""A guard rule as a document: what is counted, of whom, in which window, and up to which number."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from coalition.points.guards.refusals import InvalidGuard

MINUTES_MOST = 120
HOURS_MOST = 168
DAYS_MOST = 92
POINTS_MOST = 2_147_483_647


class Mode(StrEnum):
    """What happens when a guard's number is passed."""

    REPORT = "report"
    """A case is opened after the commit; the till is told nothing."""
    CONFIRM = "confirm"
    """The redemption needs `confirmed_by`."""
    REFUSE = "refuse"
    """The act is refused before anything is posted."""
    FREEZE = "freeze"
    """A case is opened after the commit and the member frozen."""


class Measure(StrEnum):
    """What is counted."""

    ISSUES = "issues"
    ISSUED_POINTS = "issued_points"
    MANUAL_POINTS = "manual_points"
    """Points that were given without a purchase."""
    REDEMPTIONS = "redemptions"
    REDEEMED_POINTS = "redeemed_points"
    POINTS_OF_ONE_REDEMPTION = "points_of_one_redemption"
    REVERSALS = "reversals"
    REVERSAL_PERCENT = "reversal_percent"
    """Reversals in percent of issues and redemptions, from `at_least` of these on."""
    DISTINCT_MEMBERS = "distinct_members"
    DISTINCT_STORES = "distinct_stores"
    DUPLICATE_RECEIPTS = "duplicate_receipts"
    """Requests that were refused because their receipt had been used."""


class Subject(StrEnum):
    """Of whom it is counted; two of them together are a pair, such as a cashier and a member."""

    MEMBER = "member"
    CARD = "card"
    CASHIER = "cashier"
    """By the name that the till sends; the names of two partners are two cashiers."""
    STORE = "store"
    PARTNER = "partner"
    CLIENT = "client"


REDEEMING = frozenset(
    {Measure.REDEMPTIONS, Measure.REDEEMED_POINTS, Measure.POINTS_OF_ONE_REDEMPTION}
)
ISSUING = frozenset({Measure.ISSUES, Measure.ISSUED_POINTS, Measure.MANUAL_POINTS})
DISTINCT = frozenset({Measure.DISTINCT_MEMBERS, Measure.DISTINCT_STORES})
ENFORCING = frozenset({Mode.CONFIRM, Mode.REFUSE})


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How far back is counted: one of minutes, hours, or days of the coalition (1 is today)."""

    minutes: Annotated[int, Meta(ge=1, le=MINUTES_MOST)] | None = None
    hours: Annotated[int, Meta(ge=1, le=HOURS_MOST)] | None = None
    days: Annotated[int, Meta(ge=1, le=DAYS_MOST)] | None = None

    @property
    def text(self) -> str:
        """Return the window in words."""
        named = (("minute", self.minutes), ("hour", self.hours), ("day", self.days))
        ((unit, number),) = [(unit, number) for unit, number in named if number is not None]
        return f"{number} {unit}{'' if number == 1 else 's'}"


Points = Annotated[int, Meta(ge=1, le=POINTS_MOST)]


class GuardDocument(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One guard rule: `most` of `measure` per `subject` within `window`; what is more is a hit."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{1,59}(?![\s\S])")]
    measure: Measure
    subject: Annotated[tuple[Subject, ...], Meta(min_length=1, max_length=2)]
    most: Annotated[int, Meta(ge=0, le=10**15)]
    window: Window | None = None
    """Needed, except for `points_of_one_redemption`."""
    mode: Mode = Mode.REPORT
    partner: Annotated[int, Meta(ge=1)] | None = None
    """Only acts at the partner with this number; None is all."""
    points_from: Points | None = None
    """Only acts of at least so many points."""
    points_to: Points | None = None
    """Only acts of at most so many points."""
    at_least: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    """How many issues and redemptions there must be before a percentage is judged."""


class GuardRule(msgspec.Struct, frozen=True):
    """One version of a guard rule, as it was approved; `no` is global and written on cases."""

    no: int
    version: int
    document: GuardDocument
    active_from: datetime
    retired_at: datetime | None
    proposed_by: str
    approved_by: str


def parse(text: str | bytes) -> GuardDocument:
    """Return the document that `text` (JSON) is. Raises `InvalidGuard`, naming the field."""
    try:
        found = msgspec.json.decode(text, type=GuardDocument)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message, _, path = str(error).partition(" - at `$")
        raise InvalidGuard(
            f"{message}{' in ' + path.strip('.`') if path else ''}; "
            "`coalition guard schema` shows what a rule may say"
        ) from error
    return checked(found)


def checked(document: GuardDocument) -> GuardDocument:
    """Return `document` if its parts fit together. Raises `InvalidGuard` with every complaint."""
    complaints = [sentence for wrong, sentence in _complaints(document) if wrong]
    if complaints:
        raise InvalidGuard("; ".join(complaints))
    return document


def _complaints(document: GuardDocument) -> list[tuple[bool, str]]:
    measure, mode, window = document.measure, document.mode, document.window
    alone = measure is Measure.POINTS_OF_ONE_REDEMPTION
    return [
        (len(set(document.subject)) < len(document.subject), "a subject is named twice"),
        (alone != (window is None), f"{measure} needs {'no' if alone else 'a'} window"),
        (
            window is not None
            and sum(one is not None for one in msgspec.structs.astuple(window)) != 1,
            "a window has exactly one of minutes, hours and days",
        ),
        (
            measure in DISTINCT and (window is None or window.days != 1),
            f'{measure} is counted by the day: its window is {{"days": 1}}',
        ),
        (
            (measure is Measure.REVERSAL_PERCENT) != (document.at_least is not None),
            "at_least belongs to reversal_percent, which needs it",
        ),
        (
            mode is Mode.CONFIRM and measure not in REDEEMING,
            "only redemptions can be confirmed",
        ),
        (
            mode is Mode.REFUSE and measure not in REDEEMING | ISSUING,
            "only what counts issues or redemptions can be refused",
        ),
        (
            mode is Mode.FREEZE and not {Subject.MEMBER, Subject.CARD} & set(document.subject),
            "to freeze somebody a guard's subject names the member or the card",
        ),
        (
            (document.points_from or 0) > (document.points_to or POINTS_MOST),
            "points_from is at most points_to",
        ),
        (
            measure is Measure.DUPLICATE_RECEIPTS
            and (document.points_from or document.points_to) is not None,
            "duplicate receipts are counted whatever their points",
        ),
    ]


def schema() -> Mapping[str, Any]:  # Any: JSON Schema
    """Return the JSON Schema of a guard rule."""
    return msgspec.json.schema(GuardDocument)
