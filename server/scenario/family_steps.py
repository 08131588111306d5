"""What families do in a story: one Struct per verb, told apart by `do`.

Fees in money are paid at once, as with a card that works; what has to be approved waits for a step
that does so.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from coalition.families.rule_sets.vocabulary import Channel
from coalition.kernel.web.fields import PointsAmount
from server.scenario.names import Name, PointCurrency, Word
from server.scenario.till_steps import Happening

WrittenRules = Annotated[
    Any,
    Meta(
        description="a rule set as in a rule file, or {preset: …, override: {…}}",
        extra_json_schema={"type": "object"},
    ),
]
"""Any: judged by itself, as what it says it is; see `loading`."""
Share = Annotated[int, Meta(ge=0, le=100, description="in percent of what is earned from now on")]
STAFF = "staff"
"""How a story calls somebody of the operator's staff who approves."""


class Transfer(Happening, frozen=True, kw_only=True, tag="transfer"):
    """Points go from one member to another, if the rules let them."""

    from_member: Name = msgspec.field(name="from")
    to: Name
    points: PointsAmount
    currency: PointCurrency | None = None
    purpose: Word | None = "a reward of the story"
    """The reward that the points are for; null is none in particular."""
    relationship: Word | None = None
    """What the receiver is to the sender, as the sender says."""
    name: Word | None = None
    """The receiver's full name, as the sender says; left out it is the right one."""
    channel: Channel = Channel.ONLINE
    device: Word | None = None
    fee_in_points: bool = False
    by: Name | None = None
    """Who asks for it, where that is not the sender: the head of a group, or a guardian."""
    signed_in: bool = False
    """Whether the sender has just signed in with everything that takes."""


class Approve(Happening, frozen=True, kw_only=True, tag="approve"):
    """Somebody agrees to the transfer `id`: a member of the story, or `staff`."""

    id: Name
    by: Name


class Reject(Happening, frozen=True, kw_only=True, tag="reject"):
    """Somebody turns down the transfer `id`, which waits: a member of the story, or `staff`."""

    id: Name
    by: Name


class Undo(Happening, frozen=True, kw_only=True, tag="undo"):
    """The sender takes the transfer `id` back while it may."""

    id: Name


class Pool(Happening, frozen=True, kw_only=True, tag="pool"):
    """A member brings points of its own into the pool of its family."""

    family: Name
    member: Name
    points: PointsAmount


class Join(Happening, frozen=True, kw_only=True, tag="join"):
    """A member is invited into a family and accepts, as does a guardian where one has to."""

    family: Name
    member: Name
    role: Word
    share: Share | None = None
    relationship: Word | None = None
    """What the member is to the head, where the role does not say it."""
    by: Name | None = None
    """The head who takes along its own ward, where nobody has to be invited."""


class Leave(Happening, frozen=True, kw_only=True, tag="leave"):
    """A member leaves a family, or is removed by `by`; a head names its `successor`."""

    family: Name
    member: Name
    by: Name | None = None
    successor: Name | None = None


class RuleSetStep(Happening, frozen=True, kw_only=True, tag="rule_set"):
    """A new version of the rule set `name`, or a further one; also written as the verb `rules`."""

    name: Name
    rules: WrittenRules
