"""Finance's side of the API against its own document, also tried from the wrong side of it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation.case import Case

from coalition.families.kin import relationships
from coalition.federation import defaults
from coalition.federation.terms import OnDefault
from coalition.kernel.database import transaction
from partners.settlement import clearing, closing, sealing
from tests.families.doors.world import Town, done, transfer
from tests.families.groups.world import account
from tests.journeys import documented
from tests.journeys.documented import Operation
from tests.journeys.world import Scene
from tests.support.http import ACTOR, Desk, open_desk

SECURED = [
    operation
    for operation in documented.operations(documented.schema())
    if operation.definition.raw.get("security")
]
OF_FINANCE = {one.label: one for one in SECURED if one.path.startswith("/v1/admin/")}
OF_THIS_HOUSE = {
    label: one for label, one in OF_FINANCE.items() if not documented.needs_a_club(one)
}
OF_PARTNERS = {one.label: one for one in SECURED if one.label not in OF_FINANCE}

FEW = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
FIRST, SECOND = "2025-07", "2025-08"
ADMIN = "/v1/admin/settlement"
FEE = {"amount_minor": 500, "currency": "SEK"}
FREE = {"amount_minor": 0, "currency": "SEK"}
RULE_SET = {"name": "ours", "preset": {"preset": "hilton"}}


@pytest.fixture(scope="module")
def preparer(runner: asyncio.Runner, standing: Scene) -> Desk:
    """Return a desk whose proposals the scene's finance may approve."""
    return runner.run(open_desk(standing.http, standing.grocer.at))


@pytest.fixture(scope="module")
def cycle(runner: asyncio.Runner, standing: Scene) -> str:
    """Return a cycle with the grocer's first month.

    Its second month is closed and not cleared, and the fuel station's first is provisional. The
    fuel station is going to be in default tomorrow, so that nothing else is touched by it.
    """
    return runner.run(_settle(standing))


@pytest.fixture(scope="module")
def town(runner: asyncio.Runner, standing: Scene) -> Town:
    """Return the service with rules for families, and for transfers that wait for staff."""
    there = Town(standing)
    costs = {"kind": "bracket", "brackets": [{"up_to": 39, "money": FREE}, {"money": FEE}]}
    plain = {"control": {"approvals": [{"by": "staff"}], "undo_hours": 24}, "fees": [costs]}
    runner.run(there.plain(**plain))
    runner.run(there.rules("family", account()))
    joining = {"kind": "flat", "on": "join", "money": FEE, "payer": "head"}
    runner.run(there.rules("costly", account(fees=[joining])))
    return there


async def _family(town: Town, path: str) -> dict[str, str]:
    """Return a family, and a transfer that can be decided on, where `path` names any."""
    if path.startswith("/v1/admin/families/"):
        return {"group_id": await town.family("family", await town.member())}
    if path.startswith("/v1/admin/family-acts/"):
        head = await town.member()
        return {"act_id": done(await head.post("/v1/families", {"kind": "costly"}), 202)["act_id"]}
    if not path.startswith("/v1/admin/transfers/"):
        return {}
    if path.endswith("/paid"):
        return {"transfer_id": await _unpaid(town)}
    wish = transfer(await town.member(), 5)
    made = done(await (await town.member(50)).post("/v1/transfers", wish), 202)
    if path.endswith("/undo"):
        desk = await town.desk("families:decide")
        done(await desk.post(f"/v1/admin/transfers/{made['transfer_id']}/approve"))
    return {"transfer_id": made["transfer_id"]}


async def _unpaid(town: Town) -> str:
    """Return a transfer that waits for its fee: one that is large enough to cost something."""
    desk = await town.desk("families:decide")
    wish = transfer(await town.member(), 40)
    made = done(await (await town.member(50)).post("/v1/transfers", wish), 202)
    address = f"/v1/admin/transfers/{made['transfer_id']}"
    assert done(await desk.post(f"{address}/approve"))["state"] == "awaiting_payment"
    return str(made["transfer_id"])


async def _relationship(town: Town) -> dict[str, Any]:  # Any: a JSON object
    """Return who is related to whom, as one of them has declared."""
    member, other = (await town.member()).member, (await town.member()).member
    await relationships.declare(member, other, "sibling", at=town.at)
    return {"member_id": str(member), "other_id": str(other)}


async def _guardian(town: Town) -> dict[str, Any]:  # Any: a JSON object
    """Return a minor with its guardian, whom staff note again or dismiss."""
    guardian = await town.member()
    kid = await town.child(guardian)
    return {"minor": str(kid.member), "guardian": str(guardian.member)}


async def _settle(standing: Scene) -> str:
    at, grocer, fuel = standing.grocer.at, standing.grocer.partner.no, standing.fuel.partner.no
    await sealing.seal(grocer, 2, at)
    await sealing.seal(fuel, 1, at)
    async with transaction() as connection:
        await defaults.declare(
            connection,
            partner_no=fuel,
            on_default=OnDefault.HONOUR,
            prepared_by=ACTOR,
            approved_by="staff:other",
            at=at + timedelta(days=1),
        )
    waiting = await closing.prepare(period=SECOND, partner_no=grocer, prepared_by=ACTOR, at=at)
    await closing.approve(waiting, approved_by="staff:other", at=at)
    (waiting,) = await clearing.prepare(
        names=[FIRST], partner_nos=[grocer], prepared_by=ACTOR, at=at
    )
    return str((await clearing.approve(waiting, approved_by="staff:other", at=at)).id)


@pytest.mark.parametrize("operation", OF_FINANCE.values(), ids=OF_FINANCE)
def test_a_partner_gets_nowhere_in_finance_whatever_it_sends(
    operation: Operation, runner: asyncio.Runner, standing: Scene
) -> None:
    _stays_out(operation, lambda case: _sent(runner, standing, case, standing.grocer.token))


@pytest.mark.parametrize("operation", OF_PARTNERS.values(), ids=OF_PARTNERS)
def test_staff_get_nowhere_at_the_partners_doors_whatever_they_send(
    operation: Operation, runner: asyncio.Runner, standing: Scene
) -> None:
    _stays_out(operation, lambda case: _sent(runner, standing, case, standing.finance.token))


def _stays_out(operation: Operation, send: Callable[[Case[Any]], tuple[int, str]]) -> None:
    @FEW
    @given(case=operation.as_strategy())
    def ask(case: Case[Any]) -> None:
        assert send(case) in {(403, "forbidden"), (404, "not_found")}

    ask()


def _sent(runner: asyncio.Runner, standing: Scene, case: Case[Any], token: str) -> tuple[int, str]:
    answer = documented.send(runner, standing, case, token)
    documented.check_named(case.operation, answer)
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("operation", OF_THIS_HOUSE.values(), ids=OF_THIS_HOUSE)
def test_what_finance_sends_of_things_that_are_there_is_answered_as_documented(
    *,
    operation: Operation,
    runner: asyncio.Runner,
    standing: Scene,
    preparer: Desk,
    cycle: str,
    town: Town,
) -> None:
    reached = set()

    @FEW
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        there = {
            "statement_id": standing.statement,
            "posting_id": standing.posting,
            "cycle_id": cycle,
            "approval_id": runner.run(_waiting(standing, preparer, operation.path)),
            "name": "hilton",
            **runner.run(_family(town, operation.path)),
        }
        own = {name: text for name, text in there.items() if f"{{{name}}}" in operation.path}
        case = data.draw(operation.as_strategy(path_parameters=own))
        _bring_to_life(case, standing)
        if operation.path.startswith("/v1/admin/relationships/"):
            case.body = runner.run(_relationship(town))
        elif operation.path.startswith("/v1/admin/guardians/"):
            case.body = runner.run(_guardian(town))
        if case.headers and "Idempotency-Key" in case.headers:
            # The same few keys are made up for each operation; here each is a new request.
            case.headers["Idempotency-Key"] = preparer.new_key()
        answer = documented.send(runner, standing, case, standing.finance.token)
        reached.add(answer.status_code // 100)
        documented.check(case, answer)

    ask()
    assert 2 in reached, "some of them are done"


async def _waiting(standing: Scene, preparer: Desk, path: str) -> str:
    """Return an approval that waits for the second person of whatever `path` decides on."""
    if path.startswith("/v1/admin/rule-approvals"):
        answer = await preparer.post("/v1/admin/rule-sets", RULE_SET)
    else:
        answer = await preparer.post(f"{ADMIN}/adjustments", _adjustment(standing))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["approval_id"])


def _adjustment(standing: Scene) -> dict[str, Any]:  # Any: a JSON object
    return {
        "partner": str(standing.grocer.partner.id),
        "amount": {"amount_minor": 100, "currency": "SEK"},
        "reason": "agreed",
    }


def _bring_to_life(case: Case[Any], standing: Scene) -> None:
    """Let a generated request speak of partners and periods that are there."""
    grocer, fuel = str(standing.grocer.partner.id), str(standing.fuel.partner.id)
    label = case.operation.label
    if label.startswith("GET "):
        queries: dict[str, dict[str, object]] = {
            f"GET {ADMIN}/live": {"partner": grocer},
            f"GET {ADMIN}/statements/{{statement_id}}/lines": {"line": 1},
        }
        case.query = queries.get(label, {})
        return
    bodies: dict[str, dict[str, Any]] = {  # Any: JSON objects
        f"POST {ADMIN}/seal": {"period": FIRST, "partner": grocer},
        f"POST {ADMIN}/close": {"period": FIRST, "partner": fuel},
        f"POST {ADMIN}/adjustments": _adjustment(standing),
        f"POST {ADMIN}/clearing": {"periods": [SECOND], "partners": [grocer]},
        f"POST {ADMIN}/clearing/{{cycle_id}}/default": {"partner": grocer, "reserve_minor": 100},
        f"POST {ADMIN}/defaults/end": {"partner": fuel},
        f"POST {ADMIN}/prepayments": {
            "partner": grocer,
            "amount": {"amount_minor": 100, "currency": "SEK"},
            "reference": "bank 4711",
        },
        "POST /v1/admin/approvals/{approval_id}/reject": {"reason": "not now"},
        "POST /v1/admin/rule-approvals/{approval_id}/reject": {"reason": "not now"},
        "POST /v1/admin/rule-sets": RULE_SET,
        "POST /v1/admin/family-acts/{act_id}/paid": {"amount": FEE},
        "POST /v1/admin/transfers/{transfer_id}/paid": {"amount": FEE},
        "POST /v1/admin/rule-bindings": {"kind": "p2p", "rule_set": None},
    }
    if label in bodies:
        case.body = bodies[label]
