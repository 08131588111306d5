"""Events of groups: what happened, to whom, by ids alone."""

from coalition.families.gathering import OpenGroup
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, shard_of
from coalition.kernel.outbox import events
from coalition.kernel.outbox.events import Event


async def tell(connection: Connection, what: str, group: OpenGroup, **facts: object) -> None:
    """Write the event `families.<what>` of a group into the outbox of its transaction."""
    payload = {"group_id": group.id, "kind": group.row.kind, **facts}
    event = Event(f"families.{what}", payload, shard=shard_of(bucket_of(group.id)))
    await events.append(connection, [event], group.at)
