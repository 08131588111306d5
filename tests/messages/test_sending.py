"""E-mails: each said once, sent at least once, to whom it should, with nothing slipped in."""

from datetime import datetime, timedelta

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.members import queries
from coalition.messages import unsubscribing
from coalition.messages.keeping import KEEPER
from coalition.messages.refusals import UnknownUnsubscription
from coalition.messages.rules import ATTEMPTS_MOST, LEASE, STALE_AFTER, pause_after
from coalition.messages.saying import Purpose
from tests.members.world import KEYS, enrolled
from tests.messages.world import HOME, WORDS, open_town
from tests.support.altering import altered

pytestmark = pytest.mark.usefixtures("database")


async def test_a_message_comes_by_email_with_its_words_and_where_there_is_more(
    at: datetime,
) -> None:
    async with open_town(at) as town:
        member = await town.member("asa@exempel.example")
        said = await town.say(member, msgspec.structs.replace(WORDS, subject="Välkommen, 99 kr"))
        assert await town.send() == 1
        assert await town.send() == 0
        (mail,) = town.mailbox.mails
        assert mail["To"] == "asa@exempel.example"
        assert mail["From"] == "Nørre Points <hello@points.example>"
        assert mail["Subject"] == "Välkommen, 99 kr"
        assert mail["Message-ID"] == f"<{said}@points.example>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["List-Unsubscribe"] is None
        assert mail.get_content().splitlines() == [
            "On Monday.",
            "",
            f"{HOME}/membership",
            "",
            "-- ",
            f"All messages lie in your inbox: {HOME}/messages",
        ]
        assert await town.state(said) == ("sent", 1, None)


async def test_what_no_header_can_hold_fails_alone_and_keeps_no_other_waiting(
    at: datetime,
) -> None:
    async with open_town(at) as town:
        member = await town.member()
        broken = msgspec.structs.replace(WORDS, subject="Hej\u2028Bcc: all")
        said = await town.say(member, broken, key="broken")
        await town.say(member, key="whole")
        assert await town.send() == 1
        assert await town.state(said) == ("failed", 1, "the message cannot be written")


async def test_the_same_is_said_once(at: datetime) -> None:
    async with open_town(at) as town:
        member = await town.member()
        assert await town.say(member, key="trial") is not None
        assert await town.say(member, key="trial") is None
        assert await town.send() == 1


async def test_whoever_has_no_address_has_it_in_the_inbox_alone(at: datetime) -> None:
    async with open_town(at) as town:
        member, card_only = await town.member(), await enrolled(town.at, card="97520001")
        said = await town.say(card_only)
        await town.say(member)
        assert await town.send() == 1
        assert await town.state(said) == ("none", 1, "the member has no address")


async def test_marketing_comes_to_those_alone_who_want_it_and_tells_how_to_say_no(
    at: datetime,
) -> None:
    async with open_town(at) as town:
        never, once, still = [await town.member() for _ in range(3)]
        for member in (once, still):
            await town.agree(member)
        assert await town.say(never, purpose=Purpose.MARKETING) is None
        said = await town.say(once, purpose=Purpose.MARKETING)
        await town.say(still, purpose=Purpose.MARKETING)
        await town.agree(once, granted=False)
        assert await town.send() == 1
        assert await town.state(said) == ("none", 1, "the member does not want it")
        (mail,) = town.mailbox.mails
        address = mail["List-Unsubscribe"].strip("<>")
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert address in mail.get_content()
        token = address.removeprefix(f"{HOME}{unsubscribing.PATH}/")
        with pytest.raises(UnknownUnsubscription):
            await unsubscribing.unsubscribe(altered(token), KEYS, town.at)
        await unsubscribing.unsubscribe(token, KEYS, town.at)
        await unsubscribing.unsubscribe(token, KEYS, town.at)
        assert await town.say(still, purpose=Purpose.MARKETING) is None


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("550 5.1.1 no such mailbox asa@exempel.example", ("failed", 1, "550 5.1.1")),
        ("451 4.7.1 greylisted", ("waiting", 1, "451 4.7.1")),
    ],
    ids=["for good", "for now"],
)
async def test_a_refusal_for_good_is_final_and_one_for_now_is_tried_again(
    at: datetime, said: str, state: tuple[str, int, str]
) -> None:
    async with open_town(at) as town:
        refused, other = await town.member("asa@exempel.example"), await town.member()
        town.mailbox.refuses["asa@exempel.example"] = said
        message = await town.say(refused)
        await town.say(other)
        assert await town.send() == 1
        assert await town.state(message) == state
        town.mailbox.refuses.clear()
        town.clock.advance(timedelta(minutes=1))
        assert await town.send() == (0 if state[0] == "failed" else 1)


async def test_what_a_dying_sender_had_taken_is_sent_by_the_next(at: datetime) -> None:
    async with open_town(at) as town:
        message = await town.say(await town.member())
        assert message is not None
        async with transaction() as connection:
            taken = "UPDATE message SET email_due_at = $2, email_attempts = 1 WHERE id = $1"
            await connection.execute(taken, message, town.at + LEASE)
        assert await town.send() == 0
        town.clock.advance(LEASE)
        assert await town.send() == 1
        assert town.mailbox.mails[0]["Message-ID"] == f"<{message}@points.example>"
        assert await town.state(message) == ("sent", 2, None)


async def test_while_the_mail_server_is_away_nothing_is_counted_and_nothing_is_lost(
    at: datetime,
) -> None:
    async with open_town(at) as town:
        message = await town.say(await town.member())
    assert await town.send() == 0
    assert await town.state(message) == ("waiting", 0, None)
    town.clock.advance(STALE_AFTER + timedelta(seconds=1))
    assert await town.send() == 0
    assert await town.state(message) == ("failed", 0, "it waited for too long")


async def test_a_server_that_closes_the_door_stops_the_run(at: datetime) -> None:
    async with open_town(at) as town:
        town.mailbox.refuses["*"] = "421 4.3.2 closing"
        messages = [await town.say(await town.member()) for _ in range(2)]
        assert await town.send() == 0
        states = sorted([await town.state(one) for one in messages])
        assert states == [("waiting", 0, None), ("waiting", 1, "421 4.3.2")]


async def test_addresses_of_all_letters_are_written_to(at: datetime) -> None:
    async with open_town(at) as town:
        for email in ("åsa@räksmörgås.example", "bo@blåbær.example"):
            await town.say(await town.member(email))
        assert await town.send() == 2
        assert sorted(town.mailbox.recipients) == [
            "bo@xn--blbr-roah.example",
            "åsa@xn--rksmrgs-5wao1o.example",
        ]


async def test_a_server_without_such_letters_refuses_for_good(at: datetime) -> None:
    async with open_town(at, takes_utf8=False) as town:
        message = await town.say(await town.member("åsa@exempel.example"))
        assert await town.send() == 0
        assert (await town.state(message))[0] == "failed"


async def test_nobody_slips_a_header_in(at: datetime) -> None:
    async with open_town(at) as town:
        member = await town.member()
        hostile = msgspec.structs.replace(WORDS, subject="Hi\r\nBcc: all@exempel.example")
        with pytest.raises(Exception, match="a_subject_is_one_short_line"):
            await town.say(member, hostile)


async def test_the_words_go_with_the_member_and_no_more_are_said(at: datetime) -> None:
    async with open_town(at) as town:
        member = await town.member()
        await town.say(member)
        async with transaction() as connection:
            await KEEPER.erase(connection, member, at)
            await queries.forget(connection, member)
            left = await connection.fetchval("SELECT count(*) FROM message")
        assert left == 0
        assert await town.say(member) is None


def test_pauses_double_up_to_six_hours_and_end() -> None:
    pauses = [pause_after(number) for number in range(1, ATTEMPTS_MOST + 1)]
    assert pauses[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert pauses[-2:] == [timedelta(hours=6), None]
