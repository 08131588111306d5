"""The inbox in an app and in a copy of what is kept, and what staff see of e-mails."""

import functools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args
from uuid import UUID

import httpx
import pytest

from coalition.access import freshness
from coalition.access.signing_keys import ensure_signing_key
from coalition.kernel.clock import FixedClock
from coalition.kernel.database import transaction
from coalition.kernel.identity import TokenVerifier, audience_of
from coalition.kernel.ids import MemberId, random_id
from coalition.kernel.web.hot import Door
from coalition.ledger.partitions import ensure_partition
from coalition.members import consents, merging, service
from coalition.messages import inbox, my_doors, saying, tongues, watching
from coalition.messages.keeping import KEEPER
from coalition.messages.refusals import UnknownMessage
from coalition.messages.wording import LANGUAGES
from server import mail_checks
from server.people import FOLLOWERS
from tests.members.world import KEYS, enrolled
from tests.messages.world import WORDS, open_town
from tests.support.http import ISSUER, SETTINGS, serve
from tests.support.members import App, open_app

pytestmark = pytest.mark.usefixtures("database")

STAFF = "staff:anna"


async def open_apps(at: datetime, *members: MemberId) -> list[App]:
    """Return the apps of members, at a service that has messages alone."""
    await ensure_signing_key(master_key=SETTINGS.master_key, at=at)
    verifier = TokenVerifier(issuer=ISSUER, audience=audience_of(ISSUER))
    await freshness.refresh(verifier, at)
    served = serve(my_doors.routes(Door(clock=FixedClock(at), authenticate=verifier.verify)))
    transport = httpx.ASGITransport(app=served)  # type: ignore[arg-type]  # httpx names its own
    http = httpx.AsyncClient(transport=transport, base_url=ISSUER)
    return [await open_app(http, member, SETTINGS, at) for member in members]


async def say(member: MemberId, key: str, at: datetime) -> UUID:
    """Say something to a member."""
    async with transaction() as connection:
        said = await saying.say(connection, WORDS, member=member, key=key, kind="test", at=at)
    assert said is not None
    return said


async def test_an_app_reads_page_by_page_and_says_what_was_read(at: datetime) -> None:
    anna, bo = await enrolled(at, card="97520001"), await enrolled(at, card="97520002")
    said = [await say(anna, f"{no}", at + timedelta(seconds=no)) for no in range(3)]
    app, other = await open_apps(at, anna, bo)
    first = (await app.get("/v1/me/messages", limit=2)).json()
    assert [UUID(one["message_id"]) for one in first["items"]] == said[:0:-1]
    assert first["unread"] == 3
    assert first["items"][0] | {"message_id": "", "said_at": ""} == {
        "message_id": "",
        "kind": "test",
        "purpose": "contract",
        "language": "en",
        "subject": "Your trial ends",
        "body": "On Monday.",
        "path": "/membership",
        "said_at": "",
        "read_at": None,
    }
    rest = (await app.get("/v1/me/messages", limit=2, cursor=first["next_cursor"])).json()
    assert ([UUID(one["message_id"]) for one in rest["items"]], rest["next_cursor"]) == (
        said[:1],
        None,
    )
    address = f"/v1/me/messages/{said[0]}/read"
    for _ in range(2):
        read = await app.http.put(address, headers=app.headers)
        assert read.json()["read_at"] == "2026-11-21T12:00:00Z"
    assert (await app.get("/v1/me/messages")).json()["unread"] == 2
    refused = await other.http.put(address, headers=other.headers)
    assert (refused.status_code, refused.json()["code"]) == (404, "message_not_found")


async def test_an_app_says_in_which_language_and_whether_offers_may_come(at: datetime) -> None:
    assert get_args(my_doors.Language) == LANGUAGES
    anna = await enrolled(at, card="97520001")
    await service.freeze(anna, actor=STAFF, at=at)
    (app,) = await open_apps(at, anna)
    address = "/v1/me/preferences"
    yes = {"granted": True, "text_version": "app-7.sv"}
    nothing = {"language": None, "offers_by_email": False}
    both = {"language": "sv", "offers_by_email": True}
    assert (await app.get(address)).json() == nothing
    for body, answer in (
        ({}, nothing),
        ({"language": "sv"}, {"language": "sv", "offers_by_email": False}),
        ({"offers_by_email": yes}, both),
        ({"language": "sv", "offers_by_email": yes}, both),
        ({"offers_by_email": yes | {"granted": False}}, both | {"offers_by_email": False}),
    ):
        put = await app.http.put(address, json=body, headers=app.headers)
        assert (put.status_code, put.json()) == (200, answer)
    for wrong in ({"language": "de"}, {"offers_by_email": {"granted": True}}, {"sms": True}):
        put = await app.http.put(address, json=wrong, headers=app.headers)
        assert put.status_code == 422
    assert (await app.get(address)).json() == {"language": "sv", "offers_by_email": False}
    async with transaction() as connection:
        words = await consents.history(connection, anna)
    assert [(word.granted, word.text_version, word.source) for word in words] == [
        (True, "app-7.sv", "member:app"),
        (False, "app-7.sv", "member:app"),
    ]


async def test_whoever_was_merged_reads_and_hears_as_who_it_is_now(at: datetime) -> None:
    before, now = await enrolled(at, card="97520001"), await enrolled(at, card="97520002")
    first = await say(before, "a", at)
    await ensure_partition(at)
    async with transaction() as connection:
        both = {"from_id": before, "into_id": now}
        await merging.merge(connection, **both, keys=KEYS, followers=(), actor=STAFF, at=at)
    await say(before, "b", at + timedelta(seconds=1))
    async with transaction() as connection:
        found = await inbox.page(connection, now, before=None, limit=10)
        assert await inbox.unread(connection, now) == 2
        read = await inbox.read(connection, now, first, at)
    assert len(found) == 2
    assert read.read_at == at


async def test_the_language_of_who_was_merged_is_the_survivors_that_has_chosen_none(
    at: datetime,
) -> None:
    gone, chooser, silent = [await enrolled(at, card=f"9752000{no}") for no in (1, 2, 3)]
    await ensure_partition(at)
    async with transaction() as connection:
        await tongues.choose(connection, gone, "sv", at)
        await tongues.choose(connection, chooser, "nb", at)
        merge = functools.partial(
            merging.merge, connection, keys=KEYS, followers=FOLLOWERS, actor=STAFF, at=at
        )
        await merge(from_id=gone, into_id=silent)
        everybody = [gone, chooser, silent]
        assert await tongues.chosen_by(connection, everybody) == {chooser: "nb", silent: "sv"}
        await merge(from_id=silent, into_id=chooser)
        assert await tongues.chosen_by(connection, everybody) == {chooser: "nb"}


async def test_a_copy_has_every_word_and_an_erasure_leaves_none(at: datetime) -> None:
    member = await enrolled(at, card="97520001")
    await say(member, "a", at)
    async with transaction() as connection:
        await tongues.choose(connection, member, "nb", at)
        kept = dict([piece async for piece in KEEPER.export(connection, member, at)])
        (row,) = [one async for one in kept["messages"]]  # type: ignore[attr-defined]  # its rows
        assert (row["body"], kept["language_of_messages"]) == (WORDS.body, "nb")
        await KEEPER.erase(connection, member, at)
        await KEEPER.erase(connection, member, at)
        assert await inbox.page(connection, member, before=None, limit=10) == []
        assert await tongues.chosen(connection, member) is None


async def test_staff_see_what_became_of_an_email_and_send_it_again(at: datetime) -> None:
    async with open_town(at) as town:
        member = await town.member("asa@exempel.example")
        town.mailbox.refuses["*"] = "550 5.1.1 nobody"
        said = await town.say(member)
        assert said is not None
        await town.send()
        async with transaction() as connection:
            (seen,) = await watching.of_member(connection, member, most=10)
            waits = await watching.read(connection, at)
        assert (seen.email, seen.error, seen.attempts) == ("failed", "550 5.1.1", 1)
        assert waits == (0, None, 1)
        town.mailbox.refuses.clear()
        assert await watching.send_again(said, actor=STAFF, at=at)
        assert not await watching.send_again(said, actor=STAFF, at=at)
        assert await town.send() == 1
        assert await watching.send_failed_again(since=at, actor=STAFF, at=at) == 0
        with pytest.raises(UnknownMessage):
            await watching.send_again(random_id(), actor=STAFF, at=at)


async def test_the_doctor_says_how_to_send_emails_and_when_nobody_does(at: datetime) -> None:
    later = at + timedelta(hours=1)
    async with open_town(at) as town, transaction() as connection:
        await say(await enrolled(at, card="97520001"), "a", at)
        place = f"smtp://127.0.0.1:{town.post.office.port}"
        mailed = replace(SETTINGS, smtp_url=place, mail_from="a@points.example")
        none = await mail_checks.emails(connection, SETTINGS, later)
        late = await mail_checks.emails(connection, mailed, later)
        fresh = await mail_checks.emails(connection, mailed, at)
    async with transaction() as connection:
        away = await mail_checks.emails(connection, mailed, at)
    assert (none.ok, "set COALITION_SMTP_URL" in none.found) == (True, True)
    assert (late.ok, "coalition worker" in late.mend) == (False, True)
    assert (fresh.ok, fresh.found) == (True, "1 wait, 0 failed within a week")
    assert (away.ok, "COALITION_SMTP_URL" in away.mend) == (False, True)


async def test_a_members_own_word_is_written_once(at: datetime) -> None:
    async with open_town(at) as town:
        member = await town.member()
        for granted in (True, True, False, False):
            await town.agree(member, granted=granted)
        async with transaction() as connection:
            words = await consents.history(connection, member)
    assert [word.granted for word in words] == [True, False]
