"""Enrolment at the till: the least data, one owner per contact, nothing left by a refusal."""

import asyncio
from datetime import date, datetime, timedelta

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.errors import Invalid
from coalition.kernel.ids import MemberId, bucket_of, random_id
from coalition.members import closing, service
from coalition.members.blind_index import card_digest
from coalition.members.contacts import ContactKind
from coalition.members.personal import Enrolment
from coalition.members.queries import holders_of_cards
from coalition.members.refusals import (
    CardTaken,
    ContactTaken,
    EmailTaken,
    InvalidBirthDate,
    InvalidCard,
    InvalidEmail,
    InvalidName,
    InvalidPhone,
    MemberIsClosed,
    NoContact,
    PaymentCardInText,
    PhoneTaken,
    UnknownMember,
)
from coalition.members.sealing import MemberKeys

pytestmark = pytest.mark.usefixtures("database")

TABLES = ("holder", "member", "member_key", "personal_data", "contact_index", "partner_member")


async def row_counts() -> dict[str, int]:
    async with transaction() as connection:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES
        }


@pytest.mark.parametrize(
    ("enrolment", "kind", "looked_up"),
    [
        (Enrolment(card="9752 0001"), ContactKind.CARD, "97520001"),
        (Enrolment(email="Åsa.Öst@Exempel.se"), ContactKind.EMAIL, "åsa.öst@exempel.SE"),
        (Enrolment(phone="+46 70-123 45 67"), ContactKind.PHONE, "+46701234567"),
    ],
    ids=["card", "email", "phone"],
)
async def test_one_contact_is_enough_and_finds_the_member(
    keys: MemberKeys,
    at: datetime,
    enrolment: Enrolment,
    kind: ContactKind,
    looked_up: str,
) -> None:
    enrolled = await service.enrol(enrolment, partner_no=1, keys=keys, at=at)
    assert await service.find(kind, looked_up, keys=keys) == enrolled.member_id
    assert await row_counts() == dict.fromkeys(TABLES, 1)


async def test_a_member_has_an_active_holder_in_the_ledger_under_the_same_id(
    keys: MemberKeys, at: datetime
) -> None:
    enrolled = await service.enrol(Enrolment(card="A1B2"), partner_no=1, keys=keys, at=at)
    async with transaction() as connection:
        holder = await connection.fetchrow("SELECT bucket, id, state FROM holder")
    assert holder is not None
    assert tuple(holder) == (bucket_of(enrolled.member_id), enrolled.member_id, 1)


@pytest.mark.parametrize(
    ("enrolment", "refusal"),
    [
        (Enrolment(), NoContact),
        (Enrolment(first_name="Åsa", born=date(1980, 1, 1)), NoContact),
        (Enrolment(card="123"), InvalidCard),
        (Enrolment(card="97520001", email="nobody"), InvalidEmail),
        (Enrolment(card="97520001", phone="0701234567"), InvalidPhone),
        (Enrolment(card="97520001", first_name="\0"), InvalidName),
        (Enrolment(card="97520001", last_name=" "), InvalidName),
        (Enrolment(card="97520001", last_name="4111 1111 1111 1111"), PaymentCardInText),
        (Enrolment(card="97520001", born=date(2026, 11, 22)), InvalidBirthDate),
        (Enrolment(card="97520001", born=date(1899, 12, 31)), InvalidBirthDate),
    ],
    ids=[
        *("nothing", "only a name", "short card", "no domain", "national number", "NUL"),
        *("empty name", "payment card", "born tomorrow", "born long ago"),
    ],
)
async def test_what_is_not_valid_is_refused_and_leaves_nothing(
    keys: MemberKeys,
    at: datetime,
    enrolment: Enrolment,
    refusal: type[Invalid],
) -> None:
    with pytest.raises(refusal):
        await service.enrol(enrolment, partner_no=1, keys=keys, at=at)
    assert await row_counts() == dict.fromkeys(TABLES, 0)


async def test_every_wrong_field_is_named_by_its_pointer(keys: MemberKeys, at: datetime) -> None:
    wrong = Enrolment(card="!", email="@", phone="1", last_name="", born=date(1066, 10, 14))
    with pytest.raises(Invalid, match="5 fields") as refused:
        await service.enrol(wrong, partner_no=1, keys=keys, at=at)
    errors = refused.value.facts["errors"]
    assert isinstance(errors, list)
    pointers = [error["pointer"] for error in errors]
    assert pointers == ["/card", "/email", "/phone", "/last_name", "/born"]


@pytest.mark.parametrize(
    ("second", "refusal", "taken"),
    [
        (Enrolment(card="9752-0001"), CardTaken, ["card"]),
        (Enrolment(card="97520002", email="ASA@exempel.se"), EmailTaken, ["email"]),
        (Enrolment(phone="+46701234567"), PhoneTaken, ["phone"]),
        (Enrolment(card="97520001", email="asa@exempel.se"), CardTaken, ["card", "email"]),
    ],
    ids=["card", "email", "phone", "both"],
)
async def test_a_contact_belongs_to_one_member_at_a_time(
    keys: MemberKeys,
    at: datetime,
    second: Enrolment,
    refusal: type[ContactTaken],
    taken: list[str],
) -> None:
    first = Enrolment(card="97520001", email="asa@exempel.se", phone="+46701234567")
    await service.enrol(first, partner_no=1, keys=keys, at=at)
    before = await row_counts()
    with pytest.raises(refusal) as refused:
        await service.enrol(second, partner_no=2, keys=keys, at=at)
    assert refused.value.facts == {"taken": taken}
    assert await row_counts() == before


async def test_of_two_enrolments_with_one_card_at_once_one_wins(
    keys: MemberKeys, at: datetime
) -> None:
    async def attempt(partner_no: int) -> MemberId | CardTaken:
        enrolment = Enrolment(card="97520001", email=f"member{partner_no}@exempel.se")
        try:
            return (
                await service.enrol(enrolment, partner_no=partner_no, keys=keys, at=at)
            ).member_id
        except CardTaken as refusal:
            return refusal

    outcomes = await asyncio.gather(*(attempt(number) for number in range(1, 7)))
    winners = [outcome for outcome in outcomes if not isinstance(outcome, CardTaken)]
    assert len(winners) == 1
    assert await service.find(ContactKind.CARD, "97520001", keys=keys) == winners[0]
    assert (await row_counts())["contact_index"] == 2
    assert (await row_counts())["member"] == 1


async def test_a_list_is_answered_line_by_line_and_a_bad_line_spoils_no_other(
    keys: MemberKeys, at: datetime
) -> None:
    await service.enrol(Enrolment(email="taken@exempel.se"), partner_no=1, keys=keys, at=at)
    outcomes = await service.enrol_many(
        [
            Enrolment(card="CARD1", email="taken@exempel.se"),
            Enrolment(card="CARD1", email="free@exempel.se"),
            Enrolment(card="CARD2", email="free@exempel.se"),
            Enrolment(card="?"),
            Enrolment(card="CARD2"),
            Enrolment(card="CARD3"),
        ],
        partner_no=2,
        keys=keys,
        at=at,
    )
    assert [type(outcome) for outcome in outcomes] == [
        EmailTaken,
        service.Enrolled,
        EmailTaken,
        InvalidCard,
        service.Enrolled,
        service.Enrolled,
    ]
    found = [await service.find(ContactKind.CARD, f"CARD{n}", keys=keys) for n in (1, 2, 3)]
    assert found == [
        outcome.member_id for outcome in outcomes if isinstance(outcome, service.Enrolled)
    ]
    assert (await row_counts())["contact_index"] == 5


async def test_thousands_are_enrolled_in_one_set_of_statements(
    keys: MemberKeys, at: datetime
) -> None:
    cards = [f"{number:08}" for number in range(3_000)]
    outcomes = await service.enrol_many(
        [Enrolment(card=card) for card in cards], partner_no=1, keys=keys, at=at
    )
    digests = [card_digest(keys.blind_index_key, card) for card in cards]
    async with transaction() as connection:
        found = await holders_of_cards(connection, [*digests, bytes(16)])
    assert [found[digest] for digest in digests] == [
        outcome.member_id for outcome in outcomes if isinstance(outcome, service.Enrolled)
    ]
    assert len(found) == 3_000


async def test_an_empty_list_has_no_answers(keys: MemberKeys, at: datetime) -> None:
    assert await service.enrol_many([], partner_no=1, keys=keys, at=at) == []


async def test_an_enrolment_is_undone_with_the_transaction_of_its_caller(
    keys: MemberKeys, at: datetime
) -> None:
    class ClientWentAwayError(Exception):
        pass

    async def enrol_and_fail() -> None:
        async with transaction():
            await service.enrol(Enrolment(card="97520001"), partner_no=1, keys=keys, at=at)
            raise ClientWentAwayError

    with pytest.raises(ClientWentAwayError):
        await enrol_and_fail()
    assert await row_counts() == dict.fromkeys(TABLES, 0)


async def test_nobody_is_found_by_what_nobody_has(keys: MemberKeys, at: datetime) -> None:
    await service.enrol(Enrolment(card="4670123456"), partner_no=1, keys=keys, at=at)
    with pytest.raises(UnknownMember):
        await service.find(ContactKind.CARD, "4670123457", keys=keys)
    with pytest.raises(UnknownMember):
        await service.find(ContactKind.PHONE, "+4670123456", keys=keys)
    with pytest.raises(InvalidCard) as refused:
        await service.find(ContactKind.CARD, "no card!", keys=keys)
    detail = refused.value.detail
    assert refused.value.facts == {"errors": [{"parameter": "card", "detail": detail}]}


async def test_freezing_and_closing_reach_the_ledger_and_closing_is_final(
    keys: MemberKeys, at: datetime
) -> None:
    member_id = (
        await service.enrol(Enrolment(card="97520001"), partner_no=1, keys=keys, at=at)
    ).member_id
    for change, state in (
        (service.freeze, 2),
        (service.freeze, 2),
        (service.unfreeze, 1),
        (closing.close, 3),
        (closing.close, 3),
    ):
        await change(member_id, actor="staff:anna", at=at + timedelta(days=1))
        async with transaction() as connection:
            assert await connection.fetchval("SELECT state FROM holder") == state
    with pytest.raises(MemberIsClosed):
        await service.unfreeze(member_id, actor="staff:anna", at=at)
    with pytest.raises(UnknownMember):
        await service.freeze(MemberId(random_id()), actor="staff:anna", at=at)
    async with transaction() as connection:
        logged = await connection.fetch("SELECT actor, action, subject FROM audit_log ORDER BY no")
    assert [tuple(row) for row in logged] == [
        ("staff:anna", f"member.{action}", f"member:{member_id}")
        for action in ("frozen", "unfrozen", "closed")
    ]


async def test_a_closed_members_card_is_free_for_another(keys: MemberKeys, at: datetime) -> None:
    first = await service.enrol(Enrolment(card="97520001"), partner_no=1, keys=keys, at=at)
    await closing.close(first.member_id, actor="staff:anna", at=at)
    second = await service.enrol(Enrolment(card="97520001"), partner_no=1, keys=keys, at=at)
    assert await service.find(ContactKind.CARD, "97520001", keys=keys) == second.member_id


def test_an_enrolment_is_read_from_json_and_an_unknown_field_is_refused() -> None:
    read = msgspec.json.decode(b'{"card": "9752 0001", "born": "1971-03-29"}', type=Enrolment)
    assert (read.card, read.born, read.email) == ("9752 0001", date(1971, 3, 29), None)
    with pytest.raises(msgspec.ValidationError, match="unknown field `kard`"):
        msgspec.json.decode(b'{"kard": "97520001"}', type=Enrolment)
