"""What each verb does: it asks the services of tills and staff, and keeps no rule itself."""

from partners.settlement import credit, draining
from server import upkeep
from server.scenario import (
    at_tills,
    by_families,
    by_households,
    by_memberships,
    by_plans,
    by_settlement,
    by_staff,
    family_time,
)
from server.scenario.staff_steps import Advance
from server.scenario.steps import Step, TillStep
from server.scenario.world import Done, World

_FAMILIES = by_families.ACTS | by_households.ACTS
_MEMBERSHIPS = by_memberships.ACTS | by_plans.ACTS
_ACTS = at_tills.ACTS | by_staff.ACTS | by_settlement.ACTS | _FAMILIES | _MEMBERSHIPS


async def act(world: World, step: Step, n: int) -> Done:
    """Do the step with the number `n` at the world's present instant. Raises its refusal."""
    if world.holds_end and min(world.holds_end) <= world.at:
        # In life it is done each minute.
        await upkeep.let_holds_go(world.at)
        world.holds_end = [end for end in world.holds_end if end > world.at]
    if not isinstance(step, Advance):  # which does so night by night
        # In life it is done each minute.
        await family_time.pass_until(world, world.at)
        if world.club is not None:
            await world.club.pass_until(world.at)
    if world.limits_credit and isinstance(step, TillStep):
        # In life it is done each second.
        await draining.drain_all(world.at)
        await credit.judge(world.at)
    return await _ACTS[type(step)](world, step, n)
