"""Batches over HTTP: three formats, an answer for each line, all under one key."""

import json

from tests.support.http import Shop

NDJSON = "application/x-ndjson"


def lines(*bodies: object) -> bytes:
    """Return `bodies` as NDJSON."""
    return b"".join(json.dumps(body).encode() + b"\n" for body in bodies)


async def test_each_line_of_a_batch_is_answered_in_its_place(grocer: Shop) -> None:
    member = await grocer.new_member()
    content = lines(
        grocer.purchase(member, 1000),
        grocer.purchase(member, 50),
        {"kind": "redeem"} | grocer.payment(member, 4),
        {"kind": "redeem"} | grocer.payment(member, 40),
    )
    answer = await grocer.send("/v1/batches", content, NDJSON)
    assert answer.status_code == 201, answer.text
    given = answer.json()
    assert given["state"] == "done"
    assert (given["lines"], given["posted"], given["refused"]) == (4, 3, 1)
    assert [line["status"] for line in given["results"]] == [201, 200, 201, 409]
    assert await grocer.balance(member) == 6
    again = await grocer.get(f"/v1/batches/{given['batch_id']}/results")
    assert [json.loads(line) for line in again.text.splitlines()] == given["results"]
