"""A login is in its person's copy without what opens it, and is forgotten with the person."""

import json
from contextlib import aclosing
from datetime import datetime
from typing import Any

import pytest

from coalition.access.refusals import SignInFailed, UnusableCode
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import MemberId
from coalition.members import privacy, service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from server import people
from tests.access.world import ACTOR, SETTINGS, new_world
from tests.support.members import PASSWORD

EMAIL = "asa@exempel.example"
KEEPERS = people.keepers(SETTINGS)


async def signing_in(at: datetime) -> MemberId:
    """Return a member who has a password, and a new code as well."""
    world = await new_world(at)
    keys = MemberKeys.of(SETTINGS)
    wanted = Enrolment(card="97520001", email=EMAIL)
    made = await service.enrol(wanted, partner_no=world.partner_no, keys=keys, at=at)
    sign_ins = people.sign_ins(SETTINGS)
    code = await sign_ins.give_code(made.member_id, EMAIL, actor=ACTOR, at=at)
    await sign_ins.set_password(code.code, PASSWORD, at)
    await sign_ins.sign_in(EMAIL, PASSWORD, at)
    return made.member_id


async def exported(member: MemberId, at: datetime) -> Any:  # Any: a JSON document
    async with aclosing(privacy.export(member, KEEPERS, at=at)) as pieces:
        return json.loads(b"".join([piece async for piece in pieces]))


async def test_the_copy_says_since_when_there_is_a_login(database: Engine, at: datetime) -> None:
    member = await signing_in(at)

    copy = await exported(member, at)

    assert set(copy["login"]) == {"created_at", "password_set_at"}
    assert "argon2" not in json.dumps(copy)


async def test_a_person_that_is_forgotten_signs_in_no_more(database: Engine, at: datetime) -> None:
    member = await signing_in(at)
    sign_ins = people.sign_ins(SETTINGS)
    code = await sign_ins.give_code(member, EMAIL, actor=ACTOR, at=at)
    with pytest.raises(SignInFailed):
        await sign_ins.sign_in(EMAIL, "another password", at)

    await privacy.ask(member, reason="asked by mail", actor=ACTOR, at=at)
    await privacy.erase(member, KEEPERS, at=at)

    with pytest.raises(SignInFailed):
        await sign_ins.sign_in(EMAIL, PASSWORD, at)
    with pytest.raises(UnusableCode):
        await sign_ins.set_password(code.code, PASSWORD, at)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM login") == 0
