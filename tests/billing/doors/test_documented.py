"""What is sent to the doors of memberships, of things that are there, is answered as documented."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation.case import Case

from billing.plans import registering
from billing.plans.countries import shipped
from billing.subscriptions import granting
from billing.subscriptions.campaigns import proposing
from billing.subscriptions.campaigns.documents import CampaignDocument
from billing.subscriptions.granting import PreparedGrant
from billing.subscriptions.views import GiftOrder
from coalition.kernel.database import open_database, transaction
from coalition.kernel.ids import MemberId, random_id
from server.apps import APPS
from tests.billing.campaigns.world import rising, run
from tests.billing.doors.club_doors import ClubDoors, open_doors
from tests.billing.plans.written import on_sale, plan
from tests.billing.seats.home import Home
from tests.journeys import documented
from tests.journeys.documented import Operation
from tests.journeys.world import Scene
from tests.support.postgres import create_database, drop_database

OPERATIONS = {
    operation.label: operation
    for operation in documented.operations(documented.schema())
    if documented.needs_a_club(operation)
}
OF_OTHERS = {
    label: one
    for label, one in OPERATIONS.items()
    if "_id}" in one.path and documented.is_members(one)
}
ELSEWHERE = {"/v1/membership/price-consent", "/v1/membership/seats", "/v1/membership/seats/remove"}
"""What wants a price that changes, or a family: done where tests have those."""
_OF_THE_DESK = ("/v1/admin/memberships/{member_id}/", "/v1/admin/membership-refunds")
FEW = settings(
    max_examples=4,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """Hold one loop for the club of this module."""
    with asyncio.Runner() as held:
        yield held


@pytest.fixture(scope="module")
def house(runner: asyncio.Runner, postgres_url: str) -> Iterator[ClubDoors]:
    """Yield a club that takes whatever comes."""
    url = create_database(postgres_url)
    engine = runner.run(open_database(url, apps=APPS, pool_size=10))
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    doors = runner.run(open_doors(at))
    runner.run(on_sale(plan("shared", rank=30, seats=5), at))
    yield doors
    runner.run(engine.close())
    drop_database(postgres_url, url)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_what_is_sent_is_answered_as_documented(
    operation: Operation, runner: asyncio.Runner, house: ClubDoors
) -> None:
    reached = set()

    @FEW
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        member = runner.run(_member(house, operation.path))
        there = runner.run(_there(house, operation.path, member))
        own = {name: text for name, text in there.items() if f"{{{name}}}" in operation.path}
        case = data.draw(operation.as_strategy(path_parameters=own))
        body = runner.run(_body(house, operation.path, member))
        if body is not None and isinstance(case.body, dict):
            case.body = body
        answer = _send(runner, house, case, member)
        reached.add(answer.status_code // 100)
        documented.check(case, answer)

    ask()
    assert operation.path in ELSEWHERE or 2 in reached, "some of them are done"


@pytest.mark.parametrize("operation", OF_OTHERS.values(), ids=OF_OTHERS)
def test_anothers_id_and_one_of_nobody_cannot_be_told_apart(
    operation: Operation, runner: asyncio.Runner, house: ClubDoors
) -> None:
    member = runner.run(_member(house, operation.path))
    there = runner.run(_there(house, operation.path, member))
    stranger = runner.run(house.app(runner.run(_new(house))))
    nobodys = {name: str(random_id()) for name in there}
    headers = stranger.headers | {"x-request-id": "same", "idempotency-key": house.club.key()}
    told = [
        runner.run(
            house.http.request(
                operation.method.upper(), operation.path.format(**ids), headers=headers
            )
        )
        for ids in (there, nobodys)
    ]
    assert told[0].status_code == 404
    assert told[0].json() == told[1].json()


def _send(runner: asyncio.Runner, house: ClubDoors, case: Case[Any], member: MemberId) -> Any:
    path, token = case.operation.path, None
    if path.startswith("/v1/admin/"):
        token = runner.run(house.desk("memberships:prepare", "memberships:approve")).token
    elif documented.is_members(case.operation):
        token = runner.run(house.app(member)).token
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = house.club.key()
    # Of a scene it is only the way in that is wanted.
    return documented.send(runner, cast("Scene", house), case, token)


async def _new(house: ClubDoors) -> MemberId:
    return await house.club.enrol(f"m{random_id().hex}")


async def _member(house: ClubDoors, path: str) -> MemberId:
    """Return a member who may do what the address is for."""
    club, member = house.club, await _new(house)
    if path.startswith(_OF_THE_DESK):
        return await _served(house, path, member)
    if path.endswith(("/checkout", "/drop")) or path.startswith(("/v1/gifts", "/v1/admin/")):
        return member
    if "/checkout/" in path:
        await club.memberships.checkout(member, await club.order(), key=club.key(), at=club.now())
        return member
    if path.endswith("/price-consent"):
        await club.join(member, country="DE")
        await rising(club)
        await run(club)
        return member
    if path.startswith("/v1/membership/seats"):
        await club.join(member, "shared")
        return member
    await club.join(member)
    if path.endswith("/uncancel"):
        await club.memberships.cancel(member, key=club.key(), at=club.now())
    if path.endswith("/resume"):
        await club.memberships.pause(member, months=1, key=club.key(), at=club.now())
    return member


async def _served(house: ClubDoors, path: str, member: MemberId) -> MemberId:
    """Return a member for whom the service desk may do what the address is for."""
    await house.club.join(member)
    if path.endswith("/uncancel"):
        key = house.club.key()
        await house.club.memberships.cancel(member, key=key, at=house.club.now())
    return member


async def _there(house: ClubDoors, path: str, member: MemberId) -> dict[str, str]:
    """Return the ids that the address names, of things that are there."""
    club = house.club
    there = {"member_id": str(member)}
    if "{checkout_id}" in path:
        seen = await club.view(member)
        assert seen.checkout is not None
        there["checkout_id"] = seen.checkout.checkout_id
    if "{withdrawal_id}" in path:
        declared = await club.memberships.declare_withdrawal(member, at=club.now())
        there["withdrawal_id"] = str(declared.withdrawal_id)
    if "{fee_id}" in path:
        home = Home(club)
        family = await home.costly(await _new(house))
        there["fee_id"] = str(await home.joining(family, member))
    if "{name}" in path:
        there["name"] = await _campaign(house)
    if "{approval_id}" in path:
        there["approval_id"] = str(await _waiting(house, path, member))
    return there


async def _waiting(house: ClubDoors, path: str, member: MemberId) -> object:
    at, by = house.club.now(), "staff:anna"
    if "campaign" in path:
        return await proposing.prepare(
            await _document(house), countries=shipped(), prepared_by=by, at=at
        )
    if "plan" in path:
        return await registering.prepare(plan("more"), valid_from=None, prepared_by=by, at=at)
    wanted = PreparedGrant(
        member_id=member, ground="comped", plan="plus", months=1, reason="a test"
    )
    return await granting.prepare(wanted, prepared_by=by, at=at)


async def _body(
    house: ClubDoors, path: str, member: MemberId
) -> dict[str, Any] | None:  # Any: a JSON object
    """Return a body that is about things that are there; None leaves what was made up."""
    make = _BODIES.get(path)
    return None if make is None else await make(house, member)


async def _order(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del member
    order = await house.club.order()
    return {
        "price_no": order.price_no,
        "country": order.country,
        "language": order.language,
        "disclosure_version": order.disclosure_version,
    }


async def _price(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del member
    return {"price_no": await house.club.price_no("premium")}


async def _change(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    return await _price(house, member) | {"previewed_at": house.club.now().isoformat()}


async def _gift(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del house, member
    return {"plan": "plus", "months": 2, "currency": "SEK"}


async def _code_of_gift(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del member
    return {"code": await _code(house)}


async def _reference(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    async with transaction() as connection:
        person = await house.club.memberships.house.person(connection, member)
    seen = await house.club.view(member)
    return {"reference": str(seen.membership_id), "email": person.email}


async def _plan(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del house, member
    return {"plan": msgspec.to_builtins(plan("more"))}


async def _end(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del house, member
    return {"plan": "plus"}


async def _document(house: ClubDoors) -> CampaignDocument:
    """Return a campaign for whoever has the first version of a plan that has become dearer."""
    plans = await house.club.plans()
    before, *later = [one for one in plans.plans if one.code == "plus"]
    if not later:
        await rising(house.club)
    written = {
        "code": f"c{random_id().hex[:12]}",
        "plan": "plus",
        "from_version": before.version,
        "applies_from": house.club.now().isoformat(),
    }
    return msgspec.convert(written, CampaignDocument)


async def _campaign(house: ClubDoors) -> str:
    """Let a campaign begin that nobody has stopped; return its code."""
    document, at = await _document(house), house.club.now()
    proposed = await proposing.prepare(
        document, countries=shipped(), prepared_by="staff:anna", at=at
    )
    await proposing.approve(proposed, approved_by="staff:bertil", at=at)
    return document.code


async def _written_campaign(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del member
    return {"campaign": msgspec.to_builtins(await _document(house))}


async def _grant(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del house
    facts = {"ground": "comped", "plan": "plus", "months": 1, "reason": "a test"}
    return {"member_id": str(member)} | facts


async def _refund(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    del house
    return {"member_id": str(member), "reason": "a test", "amount_minor": 100}


Make = Callable[[ClubDoors, MemberId], Awaitable[dict[str, Any]]]


async def _relative(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    other = await _new(house)
    await Home(house.club).family(member, other)
    return {"member_id": str(other)}


async def _sharer(house: ClubDoors, member: MemberId) -> dict[str, Any]:
    told = await _relative(house, member)
    other = MemberId(UUID(told["member_id"]))
    await house.club.memberships.add_seat(member, other, at=house.club.now())
    return told


_BODIES: dict[str, Make] = {
    "/v1/membership/seats": _relative,
    "/v1/membership/seats/remove": _sharer,
    "/v1/membership/checkout": _order,
    "/v1/membership/preview": _price,
    "/v1/membership/change": _change,
    "/v1/gifts": _gift,
    "/v1/gifts/redeem": _code_of_gift,
    "/v1/withdrawals": _reference,
    "/v1/cancellations": _reference,
    "/v1/admin/plans": _plan,
    "/v1/admin/plans/check": _plan,
    "/v1/admin/price-campaigns": _written_campaign,
    "/v1/admin/price-campaigns/dry-run": _written_campaign,
    "/v1/admin/plans/end": _end,
    "/v1/admin/membership-grants": _grant,
    "/v1/admin/membership-refunds": _refund,
}


async def _code(house: ClubDoors) -> str:
    club, giver = house.club, await _new(house)
    order = GiftOrder(plan="plus", months=1, currency="SEK")
    gift = await club.memberships.buy_gift(giver, order, key=club.key(), at=club.now())
    assert gift.url is not None
    await club.pay(gift.url)
    (paid,) = await club.memberships.gifts(giver, at=club.now())
    assert paid.code is not None
    return paid.code
