"""Personal data at rest: nothing readable, nothing that can be changed, swapped or rolled over."""

import json
from datetime import date, datetime

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, bucket_of, random_id
from coalition.kernel.settings import Settings
from coalition.members import sealing, service
from coalition.members.personal import Enrolment, PersonalData
from coalition.members.sealing import MemberKeys, SealBrokenError

pytestmark = pytest.mark.usefixtures("database")

PERSON = Enrolment(
    card="KORT97520001",
    email="Hemliga.Personen@Exempel.se",
    phone="+46701234567",
    first_name="Hjördis",
    last_name="Ljungström",
    born=date(1971, 3, 29),
)


async def enrolled(person: Enrolment, keys: MemberKeys, at: datetime) -> MemberId:
    return (await service.enrol(person, partner_no=1, keys=keys, at=at)).member_id


async def everything_in_the_database() -> str:
    """Return all rows of all tables as text, bytes also decoded as far as they can be read."""
    async with transaction() as connection:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        rows = [
            (row["text"], [v for v in row["whole"].values() if isinstance(v, bytes)])
            for (name,) in tables
            for row in [
                {"text": record[0], "whole": dict(record[1])}
                for record in await connection.fetch(
                    f"SELECT everything::text, everything FROM {name} AS everything"
                )
            ]
        ]
    readable = [text for text, _ in rows]
    readable += [data.decode("utf-8", "replace") for _, blobs in rows for data in blobs]
    return "\n".join(readable)


async def test_no_personal_data_stand_readably_anywhere_in_the_database(
    keys: MemberKeys, at: datetime
) -> None:
    await enrolled(PERSON, keys, at)
    dump = (await everything_in_the_database()).casefold()
    assert "active" in dump
    values = ["kort97520001", "97520001", "hemliga", "personen", "exempel", "46701234567"]
    values += ["701234567", "hjördis", "ljungström", "1971-03-29"]
    for value in values:
        assert value not in dump
        assert value.encode().hex() not in dump
        assert json.dumps(value)[1:-1] not in dump
    assert keys.master_key.hex() not in dump
    assert keys.blind_index_key.hex() not in dump


async def test_what_was_sealed_is_shown_to_the_partner_it_was_told_to(
    keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(PERSON, keys, at)
    view = await service.show(member_id, partner_no=1, keys=keys)
    assert view.personal == PersonalData(
        email="Hemliga.Personen@Exempel.se",
        phone="+46701234567",
        first_name="Hjördis",
        last_name="Ljungström",
        born=date(1971, 3, 29),
        cards=("KORT97520001",),
    )


def flipped(column: str, byte: int) -> str:
    return f"{column} = set_byte({column}, {byte}, get_byte({column}, {byte}) # 1)"


def swapped(table: str, columns: str) -> str:
    other = f"SELECT {columns} FROM {table} AS other WHERE other.member_id <> {table}.member_id"
    return f"UPDATE {table} SET ({columns}) = ({other})"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE personal_data SET " + flipped("ciphertext", 0),
        "UPDATE personal_data SET " + flipped("nonce", 11),
        "UPDATE personal_data SET version = version + 1",
        "UPDATE member_key SET " + flipped("wrapped_key", 0),
        "UPDATE member_key SET " + flipped("wrapped_key", 59),
        swapped("personal_data", "nonce, ciphertext"),
        swapped("member_key", "wrapped_key"),
    ],
    ids=["data", "nonce", "version", "key", "tag of key", "swapped data", "swapped keys"],
)
async def test_rows_that_were_changed_or_swapped_do_not_open(
    keys: MemberKeys, at: datetime, damage: str
) -> None:
    member_id = await enrolled(PERSON, keys, at)
    await enrolled(Enrolment(card="OTHER"), keys, at)
    async with transaction() as connection:
        await connection.execute(damage)
    with pytest.raises(SealBrokenError):
        await service.show(member_id, partner_no=1, keys=keys)


async def test_key_and_data_swapped_together_do_not_open_either(
    keys: MemberKeys, at: datetime
) -> None:
    thief = await enrolled(Enrolment(card="THIEF"), keys, at)
    await enrolled(PERSON, keys, at)
    async with transaction() as connection:
        await connection.execute(swapped("member_key", "wrapped_key"))
        await connection.execute(swapped("personal_data", "nonce, ciphertext"))
    with pytest.raises(SealBrokenError):
        await service.show(thief, partner_no=1, keys=keys)


async def test_another_master_key_opens_nothing(keys: MemberKeys, at: datetime) -> None:
    member_id = await enrolled(PERSON, keys, at)
    other = MemberKeys(blind_index_key=keys.blind_index_key, master_key=b"n" * 32)
    with pytest.raises(SealBrokenError):
        await service.show(member_id, partner_no=1, keys=other)


def test_two_seals_of_the_same_data_differ() -> None:
    member_id, key = MemberId(random_id()), sealing.new_key()
    first = sealing.seal(b"data", member_id=member_id, key=key, version=1)
    second = sealing.seal(b"data", member_id=member_id, key=key, version=1)
    assert first.nonce != second.nonce
    assert first.ciphertext != second.ciphertext


def test_the_keys_are_those_of_the_settings(keys: MemberKeys) -> None:
    environ = {
        "COALITION_BLIND_INDEX_KEY": keys.blind_index_key.hex(),
        "COALITION_MASTER_KEY": keys.master_key.hex(),
    }
    assert MemberKeys.of(Settings.load(environ, database_url="postgresql:///")) == keys


def test_nothing_personal_shows_when_it_is_printed(keys: MemberKeys) -> None:
    data = PersonalData(email="hemlig@exempel.se", first_name="Hjördis")
    printed = f"{PERSON!r} {PERSON} {data!r} {data} {keys!r} {keys}".casefold()
    for value in ("hemlig", "hjördis", "97520001", "mmmm", "iiii"):
        assert value not in printed


async def test_deleting_rows_and_key_erases_a_person_and_leaves_the_holder(
    keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(PERSON, keys, at)
    async with transaction() as connection:
        await connection.execute("DELETE FROM contact_index WHERE member_id = $1", member_id)
        for table in ("partner_member", "personal_data", "member_key"):
            await connection.execute(
                f"DELETE FROM {table} WHERE bucket = $1 AND member_id = $2",
                bucket_of(member_id),
                member_id,
            )
    view = await service.show(member_id, partner_no=1, keys=keys)
    assert view.personal is None
    async with transaction() as connection:
        assert await connection.fetchval("SELECT id FROM holder") == member_id
