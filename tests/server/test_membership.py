"""Memberships on the command line: events of Stripe, failed ones again, and the comparison."""

from pathlib import Path

from billing.gateway import events, inbox
from billing.gateway.inbox import Arrival
from billing.subscriptions import unexplained
from billing.subscriptions.unexplained import Kind, Unexplained
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import transaction
from coalition.kernel.settings import Settings
from server.databases import do
from server.place import Place
from tests.billing.gateway.webhooks import event
from tests.server.processes import Ended, within


def membership(data: Path, *words: str) -> Ended:
    return within("membership", *words, "--data", data)


def _has_failed(data: Path) -> None:
    """Let an event have failed."""

    async def work(_: Settings) -> None:
        at = SystemClock().now()
        body = event(7)
        async with transaction() as connection:
            await inbox.store(connection, [Arrival(events.read(body), body, None)], at)
            await inbox.failed(connection, ["evt_7"], "ConnectionError: nobody there", None)

    do(Place(environ={}, data=data), work)


def _is_unexplained(data: Path) -> None:
    """Let a comparison have found a subscription that is nobody's."""

    async def work(_: Settings) -> None:
        found = Unexplained(id="sub_1", kind=Kind.FOREIGN, told="nobody's here")
        async with transaction() as connection:
            await unexplained.keep(connection, [found], SystemClock().now())

    do(Place(environ={}, data=data), work)


def test_staff_see_what_failed_have_it_again_and_compare_with_stripe(data: Path) -> None:
    assert membership(data, "events", "--json").document == {"items": []}
    _has_failed(data)
    (shown,) = membership(data, "events", "--failed", "--json").document["items"]
    assert (shown["id"], shown["target"], shown["due_at"]) == ("evt_7", "sub_1", None)
    assert "evt_7" in membership(data, "events").out
    assert "0 events are handled again" in membership(data, "again", "evt_8").err
    assert "1 events are handled again" in membership(data, "again").err
    assert membership(data, "unexplained", "--json").document == {"items": []}
    reason = ("--reason", "a shop's own", "--by", "anna")
    assert "nothing_unexplained" in membership(data, "set-aside", "sub_1", *reason).err
    _is_unexplained(data)
    (foreign,) = membership(data, "unexplained", "--json").document["items"]
    assert (foreign["id"], foreign["kind"], foreign["reason"]) == ("sub_1", "foreign", None)
    assert membership(data, "set-aside", *reason).status == 2
    unseen = ("--reason", "a\nb", "--by", "staff: Anna")
    assert "reason_needed" in membership(data, "set-aside", "sub_1", *unseen).err
    reason = ("--reason", "a shop's own", "--by", "staff: Anna")
    assert "1 set aside" in membership(data, "set-aside", "sub_1", *reason).err
    assert membership(data, "unexplained", "--json").document == {"items": []}
    (aside,) = membership(data, "unexplained", "--all", "--json").document["items"]
    assert (aside["set_aside_by"], aside["reason"]) == ("staff:anna", "a shop's own")
    dry = membership(data, "reconcile", "--dry-run", "--json").document
    assert (dry["is_dry"], dry["is_whole"], dry["drifted"]) == (True, False, 0)
    told = membership(data, "reconcile", "--whole")
    assert (told.status, "0 subscriptions were compared, 0 differed" in told.err) == (0, True)
