"""Lines and measures over HTTP: in single requests and batches of every form, and going back."""

import csv
import io
import json

import msgspec

from coalition.kernel.database import transaction
from tests.points.bonuses.world import activated, document
from tests.support.http import Shop

BREAD, FRUIT = (
    {"amount_minor": 8_000, "category": "bread", "sku": "b-1", "quantity": 2},
    {"amount_minor": 2_000, "category": "fruit"},
)
VISITS = document("visit", effect={"kind": "per_measure", "points": 5, "measure": "visits"})


async def test_a_posting_shows_the_lines_that_it_was_issued_for(grocer: Shop) -> None:
    member = await grocer.new_member()
    body = grocer.purchase(member, lines=[BREAD, FRUIT], cashier="till 4, Kim")
    made = (await grocer.post("/v1/points/issue", body)).json()
    shown = (await grocer.get(f"/v1/postings/{made['posting_id']}")).json()
    assert shown["lines"] == [
        {"no": 1, "returned": 0, **BREAD},
        {"no": 2, "returned": 0, "sku": None, "quantity": 1, **FRUIT},
    ]
    async with transaction() as connection:
        assert await connection.fetchval("SELECT cashier FROM posting") == "till 4, Kim"


async def test_a_captured_hold_keeps_the_cashier_who_made_it(grocer: Shop) -> None:
    member = await grocer.new_member()
    await grocer.issue(member, 100)
    body = grocer.payment(member, 10, cashier="Kim", confirmed_by="Ida")
    held = (await grocer.post("/v1/points/holds", body)).json()
    await grocer.post(f"/v1/points/holds/{held['hold_id']}/capture", {})
    async with transaction() as connection:
        cashiers = await connection.fetch("SELECT cashier FROM posting ORDER BY id")
    assert [row[0] for row in cashiers] == [None, "Kim"]


async def test_a_line_goes_back_by_its_number(grocer: Shop) -> None:
    member = await grocer.new_member()
    body = grocer.purchase(member, lines=[BREAD, FRUIT, {"amount_minor": 0}])
    made = (await grocer.post("/v1/points/issue", body)).json()
    address = f"/v1/postings/{made['posting_id']}/reverse"
    returned = await grocer.post(address, {"lines": [{"no": 1, "quantity": 1}]})
    assert (returned.status_code, returned.json()["points"]) == (201, 40)
    nothing = await grocer.post(address, {"lines": [{"no": 3}]})
    assert (nothing.status_code, nothing.json()["posting_id"]) == (200, None)
    refused = await grocer.post(address, {"lines": [{"no": 1, "quantity": 2}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "line_reversed")
    assert refused.json()["remaining"] == 1


async def test_a_quote_of_lines_says_what_the_issue_then_says(grocer: Shop, fuel: Shop) -> None:
    await activated(VISITS, grocer.at)
    member = await grocer.new_member()
    body = grocer.purchase(member, lines=[BREAD], measures={"visits": 1})
    asked = {name: value for name, value in body.items() if name != "receipt"}
    quote = (await grocer.post("/v1/points/quote", asked)).json()
    made = (await grocer.post("/v1/points/issue", body)).json()
    assert (quote["points"], quote["reasons"]) == (105, made["reasons"])
    refused = await grocer.post("/v1/points/quote", {"member_id": member})
    assert (refused.status_code, refused.json()["code"]) == (422, "purchase_or_points")


async def test_batches_take_lines_and_measures_in_every_form(grocer: Shop) -> None:
    await activated(VISITS, grocer.at)
    member = await grocer.new_member()
    bodies = [grocer.purchase(member, lines=[BREAD, FRUIT], measures={"visits": 1})]
    posted = []
    for content, media_type in (
        (json.dumps(bodies[0]).encode(), "application/x-ndjson"),
        (msgspec.msgpack.encode([_again(bodies[0], "m")]), "application/vnd.msgpack"),
        (_row(_again(bodies[0], "c")), "text/csv"),
    ):
        answer = (await grocer.send("/v1/batches", content, media_type)).json()
        (line,) = answer["results"]
        assert (line["status"], line["points"]) == (201, 105)
        posted.append(line["posting_id"])
    backs = [{"kind": "reverse", "posting_id": one, "lines": [{"no": 2}]} for one in posted]
    content = "\n".join(json.dumps(back) for back in backs).encode()
    answer = (await grocer.send("/v1/batches", content, "application/x-ndjson")).json()
    assert [line["points"] for line in answer["results"]] == [20, 20, 20]


def _again(body: dict[str, object], suffix: str) -> dict[str, object]:
    return body | {"receipt": f"{body['receipt']}-{suffix}"}


def _row(body: dict[str, object]) -> bytes:
    """Return an issue as CSV with JSON in the cells of lines and measures."""
    bought = body["purchase"]
    assert isinstance(bought, dict)
    plain = {name: body[name] for name in ("member_id", "receipt", "occurred_at")}
    nested = {name: json.dumps(body[name]) for name in ("lines", "measures")}
    row = plain | bought | nested
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([row.keys(), row.values()])
    return text.getvalue().encode()
