"""Plays a story: founds its world on a scratch database, does its steps, gathers the outcome."""

import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from coalition.kernel.errors import Refused
from coalition.kernel.settings import BLIND_INDEX_KEY_BYTES, Settings
from server.scenario import family_time, outcome, scratch, verbs
from server.scenario.club import put_on_sale
from server.scenario.family_founding import found_families
from server.scenario.founding import ACTOR, SECOND, enrol_members, found_coalition
from server.scenario.outcome import Outcome, StepOutcome
from server.scenario.steps import Step
from server.scenario.story import Story
from server.scenario.world import Done, World

Told = Callable[[Step, StepOutcome, Done | Refused], None]
"""Who wants to hear of each step as it is done."""

_EMPTY_STORY = datetime(2026, 1, 1, tzinfo=UTC)
"""Where the clock stands in a story without steps."""


async def play(story: Story, *, server_url: str | None, told: Told | None = None) -> Outcome:
    """Play `story` on a database of its own and return what came of it.

    The database lies beside that of `server_url`, or on a server that is started for it. It is
    removed in any case. A refusal of a step is an answer in the outcome; everything else that goes
    wrong is raised.
    """
    async with scratch.database(server_url):
        world = await _found(story)
        steps = [step async for step in _steps(world, told)]
        try:
            return await outcome.gather(world, steps)
        finally:
            if world.club is not None:
                await world.club.close()


async def _found(story: Story) -> World:
    settings = Settings(
        database_url="",  # it is open already
        issuer="https://story.example",
        blind_index_key=secrets.token_bytes(BLIND_INDEX_KEY_BYTES),
        master_key=secrets.token_bytes(BLIND_INDEX_KEY_BYTES),
    )
    begins_at = story.steps[0].at.astimezone(UTC) if story.steps else _EMPTY_STORY
    world = World(story, begins_at=begins_at, settings=settings)
    await found_coalition(world)
    await enrol_members(world)
    if world.club is not None:
        await put_on_sale(world.club, story.plans, by=(ACTOR, SECOND))
    family_time.prepare(world)
    await found_families(world)
    return world


async def _steps(world: World, told: Told | None) -> AsyncIterator[StepOutcome]:
    for n, step in enumerate(world.story.steps, 1):
        world.move_to(max(step.at.astimezone(UTC), world.at))
        answer: Done | Refused
        try:
            answer = await verbs.act(world, step, n)
        except Refused as refusal:
            answer = refusal
        became = _outcome(n, step, answer)
        if isinstance(answer, Done) and step.id is not None:
            world.done[step.id] = answer
        if told is not None:
            told(step, became, answer)
        yield became


def _outcome(n: int, step: Step, answer: Done | Refused) -> StepOutcome:
    if isinstance(answer, Refused):
        failures = answer.facts.get("failures")
        return StepOutcome(
            n=n,
            id=step.id,
            ok=False,
            code=answer.code,
            failures=failures if isinstance(failures, list) else None,
        )
    return StepOutcome(
        n=n,
        id=step.id,
        ok=True,
        posting=answer.posting,
        hold=answer.hold,
        points=answer.points,
        state=answer.state,
        fee=answer.fee,
        fee_points=answer.fee_points,
        paid=answer.paid,
    )
