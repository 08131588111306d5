"""What falls due in families while a story's time goes by, each at its own instant.

Transfers that were held or that nobody agreed to, invitations that run out, birthdays by which
somebody counts as another or has to leave.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from coalition.families.evaluator.windows import birthday
from coalition.families.kin.ages import OF_AGE
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.transfers import deciding
from coalition.kernel.database import transaction
from server.scenario.family_founding import expanded
from server.scenario.family_steps import RuleSetStep
from server.scenario.founding import midnight
from server.scenario.story import Story
from server.scenario.world import World

_NEXT: Final = """
SELECT least(
    (SELECT min(least(expires_at, held_until)) FROM transfer
     WHERE state IN ('requested', 'awaiting_payment', 'held')
         AND least(expires_at, held_until) > $1),
    (SELECT min(expires_at) FROM invitation WHERE state = 'open' AND expires_at > $1))
"""


async def next_due(world: World) -> datetime | None:
    """Return the next instant at which something falls due in families, if there is any."""
    if not world.story.rule_sets:
        return None
    async with transaction() as connection:
        waits_until: datetime | None = await connection.fetchval(_NEXT, world.families_at)
    grows_at = next((at for at in world.birthdays if at > world.families_at), None)
    return min(filter(None, (waits_until, grows_at)), default=None)


async def do_due(world: World, at: datetime) -> None:
    """Do what falls due in families at `at`, as the jobs of the worker do."""
    await deciding.run_due(world.transfers, at)
    await world.groups.expire_invitations(at)
    if at in world.birthdays:
        await world.groups.grow_up(at)
    world.families_at = at


async def pass_until(world: World, end: datetime) -> None:
    """Do all that falls due in families until `end`."""
    while (due := await next_due(world)) is not None and due <= end:
        await do_due(world, due)
    world.families_at = max(world.families_at, end)
    if world.follows_heads:
        await world.groups.follow_heads(end)


def prepare(world: World) -> None:
    """Tell a world what its story can come to by time alone, from its rule sets and members."""
    rule_sets = list(_rule_sets(world.story))
    world.birthdays = _birthdays(world.story, rule_sets, world.zone)
    world.follows_heads = any(one.expiry.suspended_by_head_tier for one in rule_sets)


def _birthdays(story: Story, rule_sets: list[RuleSet], zone: ZoneInfo) -> list[datetime]:
    """Return when members of a story come to an age that its rule sets or guardians ask for."""
    ages = {OF_AGE}
    zones = {zone}
    for one in rule_sets:
        ages |= {one.group.adult_from, one.group.infant_below, one.exits.at_age or OF_AGE}
        zones |= {ZoneInfo(one.timezone)} if one.timezone is not None else set()
    born = [one.born for one in story.members.values() if one is not None and one.born is not None]
    days = {birthday(day, age) for day in born for age in ages}
    return sorted({midnight(day, of) for day in days for of in zones})


def _rule_sets(story: Story) -> Iterator[RuleSet]:
    written = [*story.rule_sets.values()]
    written += [step.rules for step in story.steps if isinstance(step, RuleSetStep)]
    for plain in written:
        rule_set = expanded(plain)
        if rule_set is not None:
            yield rule_set
