"""What is done while a story's time goes by: holds let go, families, points booked as expired."""

from datetime import date, datetime, timedelta
from typing import Final

from coalition.kernel.database import transaction
from server import upkeep
from server.scenario import family_time
from server.scenario.founding import midnight
from server.scenario.world import World

# Held points do not expire while their hold stands. A suspension without an end lasts until 9999.
_NEXT_END: Final = """
SELECT min(greatest(least(expires_on, live_until), expiry_suspended_until, share.until))
FROM lot
LEFT JOIN kept_share AS share ON share.bucket = lot.bucket AND share.holder = lot.holder
    AND share.contributor = lot.contributor
JOIN holder ON holder.bucket = lot.bucket AND holder.id = lot.holder
LEFT JOIN holder_clock AS clock ON clock.bucket = lot.bucket AND clock.holder = lot.holder
    AND clock.currency_no = lot.currency_no AND clock.clock_no = lot.clock_no
WHERE points_in > points_out + held AND least(expires_on, live_until) IS NOT NULL
  AND coalesce(greatest(expiry_suspended_until, share.until), '2000-01-01') < '9999-12-31'
"""


async def pass_until(world: World, until: date | None) -> int:
    """Do what falls due until now, or until `until` begins; return the points that expired.

    Only instants at which something falls due are gone through, each in its order.
    """
    end = world.at if until is None else max(world.at, midnight(until, world.zone))
    points = 0
    await upkeep.let_holds_go(end)
    while (night := await _next_night(world)) is not None and night <= end:
        await family_time.pass_until(world, night)
        if world.club is not None:
            await world.club.pass_until(night)
        # What ended before the step before this one is booked now, and not in the past.
        booked = await upkeep.expire_points(max(night, world.before))
        if not booked:
            break
        points += booked
    await family_time.pass_until(world, end)
    if world.club is not None:
        await world.club.pass_until(end)
    world.move_to(end)
    return points


async def _next_night(world: World) -> datetime | None:
    async with transaction() as connection:
        last_day = await connection.fetchval(_NEXT_END)
    if last_day is None:
        return None
    return midnight(last_day + timedelta(days=1), world.zone)
