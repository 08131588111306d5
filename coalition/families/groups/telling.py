"""What is told of groups: events by ids alone, and in the audit log what staff did in them."""

from coalition.families.groups.gathering import OpenGroup
from coalition.families.kin.speaking import By
from coalition.kernel.database import Connection
from coalition.kernel.ids import bucket_of, shard_of
from coalition.kernel.outbox import events
from coalition.kernel.outbox.events import Event
from coalition.oversight import audit_log

_PEOPLE = ("staff:", "client:")


async def tell(connection: Connection, what: str, group: OpenGroup, **facts: object) -> None:
    """Write the event `families.<what>` of a group into the outbox of its transaction."""
    payload = {"group_id": group.id, "kind": group.row.kind, **facts}
    event = Event(f"families.{what}", payload, shard=shard_of(bucket_of(group.id)))
    await events.append(connection, [event], group.at)


async def note(
    connection: Connection, action: str, group: OpenGroup, by: By, **facts: object
) -> None:
    """Write into the audit log what somebody of the staff did; of members nothing is logged.

    Done last in the act: the head of the log is locked from here on.
    """
    if by.is_staff and by.name.startswith(_PEOPLE):
        await audit_log.record(
            connection,
            actor=by.name,
            action=f"group.{action}",
            subject=f"group:{group.id}",
            facts=facts,
            at=group.at,
        )
