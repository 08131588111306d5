"""The demo's family: a few people with names, who can sign in and try what families do.

They come beside the households of the history, which are cards without people: a head who is a
guardian, her husband and her child in a pool under the rules of a published scheme, and a friend
who may send her points under those of another.
"""

import secrets
from datetime import date, datetime, timedelta
from typing import Any, Final

from coalition.families.groups import forming
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.groups import Groups
from coalition.families.kin import guardians
from coalition.families.rule_sets import registering
from coalition.families.rule_sets.documents import PresetUse
from coalition.families.transfers.judging import P2P
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.ledger.partitions import ensure_partition
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys
from coalition.points import adjusting
from server import people
from server.demo.companies import APPROVES, PREPARES
from server.demo.keepsake import Login

KIND: Final = "family"
POOLS: Final = "sas"
SENDS: Final = "hilton"
"""The presets under which the family pools, and under which anybody sends to anybody."""

_GIVER_NO: Final = 1
_KNOWN_FOR: Final = timedelta(days=120)
"""How long they have been members: the rules ask for a month of somebody who has points."""

_HEAD: Final = ("Anna", "Berg", date(1984, 5, 1), 2_400)
_SPOUSE: Final = ("Bo", "Berg", date(1982, 9, 14), 1_100)
_CHILD: Final = ("Maja", "Berg", date(2014, 3, 2), 300)
_FRIEND: Final = ("Nils", "Lund", date(1979, 1, 30), 5_000)


async def settle_in(settings: Settings, now: datetime) -> list[Login]:
    """Let them become members, found their family and have logins; return how they sign in."""
    keys = MemberKeys.of(settings)
    await ensure_partition(now)
    for kind, preset in ((KIND, POOLS), (P2P, SENDS)):
        await _bind(kind, preset, now)
    head, spouse, child, friend = [
        await _enrol(*one, keys=keys, now=now) for one in (_HEAD, _SPOUSE, _CHILD, _FRIEND)
    ]
    await guardians.appoint(child, head, source="enrolment", actor=PREPARES, keys=keys, at=now)
    founders = [Newcomer(member=spouse, role="spouse"), Newcomer(member=child, role="child")]
    await Groups(keys=keys).do(
        lambda connection, book: forming.form(connection, KIND, head, book, founders=founders), now
    )
    return [
        await _login("member", _FRIEND[0], friend, settings, now),
        await _login("guardian", _HEAD[0], head, settings, now),
    ]


async def _bind(kind: str, preset: str, now: datetime) -> None:
    use = PresetUse(preset=preset)
    approval = await registering.prepare(preset, use, valid_from=None, prepared_by=PREPARES, at=now)
    await registering.approve(approval, approved_by=APPROVES, at=now)
    approval = await registering.prepare_binding(
        kind, preset, valid_from=None, prepared_by=PREPARES, at=now
    )
    await registering.approve_binding(approval, approved_by=APPROVES, at=now)


async def _enrol(
    first_name: str, last_name: str, born: date, points: int, *, keys: MemberKeys, now: datetime
) -> MemberId:
    person: dict[str, Any] = {"first_name": first_name, "last_name": last_name, "born": born}
    wanted = Enrolment(card=f"{first_name}2026".upper(), email=_address(first_name), **person)
    known_since = now - _KNOWN_FOR
    made = await service.enrol(wanted, partner_no=_GIVER_NO, keys=keys, at=known_since)
    approval = await adjusting.prepare(
        member=made.member_id,
        points=points,
        reason="to try families with",
        prepared_by=PREPARES,
        at=now,
        partner_no=_GIVER_NO,
    )
    await adjusting.approve(approval, approved_by=APPROVES, at=now)
    return made.member_id


async def _login(
    role: str, first_name: str, member: MemberId, settings: Settings, now: datetime
) -> Login:
    """Let a member set its password by a code, as the staff would give it one."""
    sign_ins, password = people.sign_ins(settings), secrets.token_urlsafe(15)
    address = _address(first_name)
    code = await sign_ins.give_code(member, address, actor=PREPARES, at=now)
    await sign_ins.set_password(code.code, password, now)
    return Login(role, address, password, "/sign-in", str(member))


def _address(first_name: str) -> str:
    return f"{first_name.lower()}@demo.example"
