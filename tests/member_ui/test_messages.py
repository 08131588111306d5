"""The inbox: what was told is there, unread until it is read, in the language that one wants."""

import re

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members.sealing import MemberKeys
from coalition.messages import saying, tongues, unsubscribing
from tests.member_ui.world import READS, Person, Town
from tests.support.altering import altered
from tests.support.http import ACTOR


def subjects(html: str) -> list[str]:
    """Return the subjects of the messages on a page, the latest first."""
    return re.findall(r'href="/messages/[0-9a-f-]{36}" lang="\w\w">([^<]+)<', html)


async def test_an_order_is_confirmed_in_the_inbox_with_the_text_that_was_shown(
    town: Town,
) -> None:
    person: Person = await town.member(**{"accept-language": "sv"})
    assert "Inget än." in (await person.get("/messages")).text
    await person.order()
    page = (await person.get("/messages")).text
    assert subjects(page) == ["Din beställning av Plus"]
    assert "1<span" in page
    (address,) = re.findall(r"/messages/[0-9a-f-]{36}", page)
    opened = (await person.get(address)).text
    assert "79,00" in opened
    assert "version" in opened
    assert "1<span" not in opened
    assert "1<span" not in (await person.get("/wallet")).text


async def test_whose_browser_speaks_none_of_our_languages_gets_the_coalitions(town: Town) -> None:
    german, british = town.person(**{"accept-language": "de"}), town.person()
    assert '<html lang="en">' in (await german.get("/")).text
    await tongues.speak("nb", actor=ACTOR, at=town.service.payments.clock.now())
    assert '<html lang="nb">' in (await german.get("/")).text
    assert '<html lang="nb">' in (await german.get("/nowhere")).text
    assert '<html lang="en">' in (await british.get("/")).text


async def test_nobody_reads_what_others_were_told(town: Town) -> None:
    person, other = await town.member(), await town.member()
    await person.order()
    (address,) = re.findall(r"/messages/[0-9a-f-]{36}", (await person.get("/messages")).text)
    assert (await other.get(address)).status_code == 404
    assert (await other.get("/messages/x")).status_code == 404


async def test_a_member_chooses_its_language_and_says_yes_and_no_to_offers(town: Town) -> None:
    person = await town.member()
    kept = await person.send(
        "/messages/settings", "/messages/settings", language="nb", marketing="yes"
    )
    assert kept.headers["location"] == "/messages/settings?done=settings_kept"
    await person.order()
    assert subjects((await person.get("/messages")).text) == ["Bestillingen din av Plus"]
    settings = (await person.get("/messages/settings")).text
    assert 'value="nb" lang="nb" selected' in settings
    assert 'value="yes" checked' in settings

    async with transaction() as connection:
        found = await connection.fetchval(
            "SELECT member_id FROM message_language WHERE language = 'nb'"
        )
    stranger, member = town.person(), MemberId(found)
    path = unsubscribing.path_of(member, MemberKeys.of(town.service.settings))
    assert "No more offers" in (await stranger.get(path)).text
    place, token = path.rsplit("/", 1)
    assert (await stranger.get(f"{place}/{altered(token)}")).status_code == 404
    # A mail program names no origin (RFC 8058).
    said = await stranger.http.post(
        path, headers=READS, files={"List-Unsubscribe": (None, "One-Click")}
    )
    assert said.status_code == 200
    async with transaction() as connection:
        assert not await saying.wants_marketing(connection, member)
