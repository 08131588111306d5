"""What types cannot say of paid memberships in a story: plans that could be sold, and are named."""

from collections.abc import Iterator

from billing.plans import checking
from coalition.points.bonuses.checking import Known
from server.documents.nodes import Path
from server.scenario.membership_steps import Downgrade, Subscribe, Upgrade
from server.scenario.plan_steps import Campaign, Gift, Sell
from server.scenario.steps import MembershipStep, PlanStep
from server.scenario.story import Story

_Complaints = Iterator[tuple[Path, str]]


def complaints(story: Story, known: Known) -> _Complaints:
    """Yield what is wrong with plans, and with the steps that name them."""
    codes = [plan.code for plan in story.plans]
    sold_later = [step.plan.code for step in story.steps if isinstance(step, Sell)]
    for position, plan in enumerate(story.plans):
        path = ("plans", position)
        if plan.code in codes[:position]:
            yield (*path, "code"), "a plan of the story is called so already; take another code"
        for complaint in checking.complaints(plan, known):
            yield (*path, *complaint.path), complaint.text
    for position, step in enumerate(story.steps):
        path = ("steps", position)
        if isinstance(step, MembershipStep | PlanStep):
            yield from _of_step(path, step, codes and [*codes, *sold_later])
        if isinstance(step, Sell):
            for complaint in checking.complaints(step.plan, known):
                yield (*path, "plan", *complaint.path), complaint.text


def _of_step(path: Path, step: MembershipStep | PlanStep, codes: list[str]) -> _Complaints:
    if not codes:
        yield path, "the story has no plans; write them under plans"
    elif isinstance(step, Gift) and step.plan not in codes:
        yield (*path, "plan"), _unknown(codes)
    elif isinstance(step, Campaign) and step.campaign.plan not in codes:
        yield (*path, "campaign", "plan"), _unknown(codes)
    elif isinstance(step, Subscribe | Upgrade | Downgrade):
        if step.plan is not None and step.plan not in codes:
            yield (*path, "plan"), _unknown(codes)
        elif step.plan is None and step.interval is None:
            yield path, "name the plan, or the interval, or both"


def _unknown(codes: list[str]) -> str:
    return f"there is no such plan; the story has {', '.join(codes)}"
