"""What the operator's staff say and hear of rule sets over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from coalition.families.rule_sets.books import KeptBinding, KeptVersion, RuleBook
from coalition.families.rule_sets.documents import PresetUse
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.registering import BINDING, PreparedBinding, PreparedRuleSet
from coalition.families.words.describing import Section, described
from coalition.families.words.wording import Language
from coalition.kernel.web.fields import Body, Instant, ShortText
from coalition.oversight.approvals import Approval

NameText = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_-]{0,39}(?![\s\S])",
        description="Small letters, digits, `_` and `-`, a letter first",
        examples=["household"],
    ),
]
ReasonText = Annotated[ShortText, Meta(description="Why; it is kept in the audit log")]


class ShowQuery(Body, frozen=True):
    """In which language the rules are said."""

    language: Language = Language.EN


class ProposalBody(Body, frozen=True):
    """A version of a rule set: its rules, or a preset with other numbers; one of the two."""

    name: NameText
    rules: RuleSet | None = None
    preset: PresetUse | None = None
    valid_from: Annotated[Instant, Meta(description="At the earliest its approval")] | None = None


class BindingBody(Body, frozen=True):
    """That a kind runs under a rule set; under none: such acts are refused."""

    kind: Annotated[NameText, Meta(description="`p2p`, or a kind of group")]
    rule_set: NameText | None
    valid_from: Instant | None = None


class RejectionBody(Body, frozen=True):
    """Why it is not to be."""

    reason: ReasonText


class RuleSetRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a rule set, or a preset that is shipped and binds nothing."""

    name: str
    version: int | None
    state: Literal["holds", "to come", "ended", "preset"]
    mechanism: str
    title: str
    kinds: list[str]
    """What is bound to it now."""
    valid_from: datetime | None
    prepared_by: str | None
    approved_by: str | None


class RuleSetList(msgspec.Struct, frozen=True):
    """All versions of all rule sets, then the presets."""

    items: list[RuleSetRow]


class RuleSetView(RuleSetRow, frozen=True, kw_only=True):
    """A version with its document, and what it says in plain words."""

    document: RuleSet
    said: list[Section]


class RuleSetViews(msgspec.Struct, frozen=True):
    """Every version of one rule set, the first first."""

    items: list[RuleSetView]


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for its second person: a version of a rule set, or what a kind runs under."""

    approval_id: UUID
    act: Literal["activate", "bind"]
    rule_set: str | None
    kind: str | None
    document: RuleSet | None
    valid_from: datetime | None
    prepared_by: str
    prepared_at: datetime
    expires_at: datetime


class ProposalList(msgspec.Struct, frozen=True):
    """What waits for its second person, the oldest first."""

    items: list[Proposal]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it stands, and what holds by it."""

    approval_id: UUID
    state: Literal["applied", "rejected"]
    decided_by: str
    rule_set: str | None
    version: int | None
    kind: str | None
    valid_from: datetime | None


def row_of(version: KeptVersion, book: RuleBook, at: datetime) -> RuleSetRow:
    """Return a version as it stands at `at`."""
    return RuleSetRow(
        name=version.name,
        version=version.version,
        state=book.state(version, at),
        mechanism=version.document.mechanism.value,
        title=version.document.title,
        kinds=book.kinds_of(version, at),
        valid_from=version.valid_from,
        prepared_by=version.prepared_by,
        approved_by=version.approved_by,
    )


def preset_row(name: str, document: RuleSet) -> RuleSetRow:
    """Return a preset as it is listed."""
    return RuleSetRow(
        name=name,
        version=None,
        state="preset",
        mechanism=document.mechanism.value,
        title=document.title,
        kinds=[],
        valid_from=None,
        prepared_by=None,
        approved_by=None,
    )


def view_of(row: RuleSetRow, document: RuleSet, language: Language) -> RuleSetView:
    """Return a version whole, and in the reader's language."""
    said = described(document, language)
    return RuleSetView(**msgspec.structs.asdict(row), document=document, said=said)


def proposal_of(one: Approval) -> Proposal:
    """Return what waits as it is shown."""
    wanted: PreparedBinding | PreparedRuleSet
    if one.kind == BINDING:
        wanted = msgspec.json.decode(one.payload, type=PreparedBinding)
        act, name, kind, document = "bind", wanted.rule_set, wanted.kind, None
    else:
        wanted = msgspec.json.decode(one.payload, type=PreparedRuleSet)
        act, name, kind, document = "activate", wanted.name, None, wanted.document
    return Proposal(
        approval_id=one.id,
        act="bind" if act == "bind" else "activate",
        rule_set=name,
        kind=kind,
        document=document,
        valid_from=wanted.valid_from,
        prepared_by=one.prepared_by,
        prepared_at=one.prepared_at,
        expires_at=one.expires_at,
    )


def decision_of(
    approval_id: UUID, decided_by: str, done: KeptVersion | KeptBinding | None
) -> Decision:
    """Return a decision with what holds by it; None: it was rejected."""
    return Decision(
        approval_id=approval_id,
        state="rejected" if done is None else "applied",
        decided_by=decided_by,
        rule_set=_name_of(done),
        version=done.version if isinstance(done, KeptVersion) else None,
        kind=done.kind if isinstance(done, KeptBinding) else None,
        valid_from=None if done is None else done.valid_from,
    )


def _name_of(done: KeptVersion | KeptBinding | None) -> str | None:
    if isinstance(done, KeptVersion):
        return done.name
    return None if done is None else done.rule_set
