"""Finance's first month over a network, from sales to a cleared cycle, by every address of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from coalition.kernel.clock import SystemClock
from tests.journeys.plain_till import Answer, PlainTill, is_of_settlement, operations
from tests.journeys.processes import coalition, serving

Body = dict[str, Any]  # Any: a JSON object

ADMIN = "/v1/admin/settlement"
ZONE = ZoneInfo("Europe/Stockholm")
"""In which a coalition has its months unless it says otherwise."""


@dataclass
class Month:
    """Two partners' tills, two desks of finance, and the month that is settled."""

    shop: PlainTill
    fuel: PlainTill
    anna: PlainTill
    bertil: PlainTill
    at: datetime
    sold_at: datetime
    name: str = ""
    sold: str = ""


def test_finances_first_month(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    with serving(*data, "--no-worker", log=tmp_path / "log") as url:
        used: set[tuple[str, str]] = set()
        month = _open(url, data, used)
        _sell(month)
        _look_ahead(month)
        _close_everything(month)
        statement = _read_as_finance(month)
        _read_as_partner(month, statement)
        cycle = _clear(month)
        _prepare_and_take_back(month, cycle)
        _default_and_be_done_with_it(month, cycle)
        _prove(month)
        assert {one for one in used if is_of_settlement(one[1])} == {
            one for one in operations(month.shop) if is_of_settlement(one[1])
        }
        books = coalition("audit", *data)
    assert (books["ok"], books["breaches"]) == (True, [])
    logged = (tmp_path / "log").read_text()
    assert "Traceback" not in logged
    for private in (month.anna.client_secret, month.bertil.token):
        assert private not in logged


def _open(url: str, data: tuple[str, str], used: set[tuple[str, str]]) -> Month:
    shop, fuel = (
        _signed_in(url, coalition("partner", "create", "--name", name, *data), used)
        for name in ("Corner Shop", "Macken")
    )
    anna, bertil = (
        _signed_in(url, _desk(name, scopes, data), used)
        for name, scopes in (
            ("Anna", "settlement:read,settlement:prepare,audit:read"),
            ("Bertil", "settlement:read,settlement:approve"),
        )
    )
    at = SystemClock().now()
    this_month = at.astimezone(ZONE).replace(day=1, hour=12)
    return Month(shop, fuel, anna, bertil, at=at, sold_at=this_month - timedelta(days=15))


def _desk(name: str, scopes: str, data: tuple[str, str]) -> Body:
    made: Body = coalition(
        "client", "create", "--operator", "--name", name, "--scopes", scopes, *data
    )
    return made


def _signed_in(url: str, made: Body, used: set[tuple[str, str]]) -> PlainTill:
    till = PlainTill(url, made["client_id"], made["client_secret"], used)
    till.sign_in()
    return till


def _done(answer: Answer, status: int = 200) -> Any:  # Any: JSON
    assert answer.status == status, answer
    return answer.body


def _sell(month: Month) -> None:
    """Give 500 points and take 200 of them last month, and give 10 today."""
    member = _done(month.shop.post("/v1/members", {"card": "97520001"}), 201)["member_id"]
    late = month.sold_at + timedelta(minutes=1)
    for till, act, points, at in (
        (month.shop, "issue", 500, month.sold_at),
        (month.fuel, "redeem", 200, late),
        (month.shop, "issue", 10, month.at),
    ):
        body = {
            "member_id": member,
            "receipt": f"{act}-{points}",
            "occurred_at": at.isoformat(),
            "points": points,
        }
        posted = _done(till.post(f"/v1/points/{act}", body), 201)
        month.sold = month.sold or posted["posting_id"]


def _look_ahead(month: Month) -> None:
    """See what is due, and what the open months come to before anything is drained."""
    listed = _done(month.anna.get(f"{ADMIN}/periods", query="?state=open&limit=200"))
    assert listed["queue"]["postings"] == 3
    last = next(one for one in listed["items"] if one["due"] == "seal")
    month.name = last["period"]
    starts_at, ends_at = (datetime.fromisoformat(last[end]) for end in ("starts_at", "ends_at"))
    assert starts_at <= month.sold_at < ends_at
    shop = next(one for one in listed["items"] if one["partner"] == "Corner Shop")
    live = _done(month.anna.get(f"{ADMIN}/live", query=f"?partner={shop['partner_id']}"))
    own = _done(month.shop.get("/v1/statements/live"))
    assert live["statements"][-1]["lines"][0]["points"] == own["lines"][0]["points"] == 10
    opened = _done(month.shop.get("/v1/statements/live/lines", query="?line=1"))
    assert opened["items"] == []  # nothing is drained yet


def _close_everything(month: Month) -> None:
    """Seal and close all months in their order, each by two persons."""
    listed = _done(month.anna.get(f"{ADMIN}/periods", query="?limit=200"))
    names = sorted({one["period"] for one in listed["items"] if one["due"] == "seal"})
    for name in names:
        sealed = _done(month.anna.post(f"{ADMIN}/seal", {"period": name}))
        assert {one["state"] for one in sealed["items"]} == {"provisional"}
        waiting = _done(month.anna.post(f"{ADMIN}/close", {"period": name}), 201)
        assert _approve(month, waiting)["state"] == "applied"


def _approve(month: Month, waiting: Body) -> Body:
    (shown,) = _done(month.bertil.get("/v1/admin/approvals"))["items"]
    assert shown == waiting
    approval = waiting["approval_id"]
    address = "/v1/admin/approvals/{approval_id}/approve"
    refused = month.anna.post(address, {}, approval_id=approval)
    assert (refused.status, refused.body["code"]) == (403, "forbidden")
    decided: Body = _done(month.bertil.post(address, {}, approval_id=approval))
    return decided


def _read_as_finance(month: Month) -> str:
    """Open the shop's statement down to the sale; return its id."""
    listed = _done(month.anna.get(f"{ADMIN}/statements", query=f"?period={month.name}"))
    statement: str = next(
        one["statement_id"] for one in listed["items"] if one["partner"] == "Corner Shop"
    )
    whole = _done(month.anna.get(f"{ADMIN}/statements/{{statement_id}}", statement_id=statement))
    assert (whole["state"], whole["lines"][0]["points"]) == ("closed", 500)
    behind = month.anna.get(
        f"{ADMIN}/statements/{{statement_id}}/lines", query="?line=1", statement_id=statement
    )
    assert [one["receipt"] for one in _done(behind)["items"]] == ["issue-500"]
    passport = _done(
        month.anna.get("/v1/admin/postings/{posting_id}/passport", posting_id=month.sold)
    )
    assert {one["statement_id"] for one in passport["charges"]} == {statement}
    return statement


def _read_as_partner(month: Month, statement: str) -> None:
    """Let the shop read the same, and nobody else."""
    listed = _done(month.shop.get("/v1/statements", query=f"?period={month.name}"))
    assert [one["statement_id"] for one in listed["items"]] == [statement]
    one = "/v1/statements/{statement_id}"
    assert _done(month.shop.get(one, statement_id=statement))["state"] == "closed"
    behind = _done(month.shop.get(f"{one}/lines", query="?line=1", statement_id=statement))
    assert [charge["receipt"] for charge in behind["items"]] == ["issue-500"]
    file = month.shop.get(f"{one}/download", statement_id=statement)
    assert (file.status, month.sold in file.body.decode()) == (200, True)
    of_finance = f"{ADMIN}/statements/{{statement_id}}/download"
    assert month.anna.get(of_finance, statement_id=statement).body == file.body
    charged = _done(month.shop.get("/v1/postings/{posting_id}/charges", posting_id=month.sold))
    assert charged["charges"][0]["statement_id"] == statement
    for address in (one, f"{one}/lines", f"{one}/download"):
        query = "?line=1" if address.endswith("lines") else ""
        stranger = month.fuel.get(address, query=query, statement_id=statement)
        assert (stranger.status, stranger.body["code"]) == (404, "statement_not_found")
    assert month.shop.get(f"{ADMIN}/periods").status == 403
    assert month.anna.get("/v1/statements").status == 403


def _clear(month: Month) -> str:
    """Net the month; return the cycle."""
    prepared = _done(month.anna.post(f"{ADMIN}/clearing", {"periods": [month.name]}), 201)
    (waiting,) = prepared["items"]
    cycle: str = _approve(month, waiting)["cycle_id"]
    told = _done(month.anna.get(f"{ADMIN}/clearing/{{cycle_id}}", cycle_id=cycle))
    assert sum(leg["amount"]["amount_minor"] for leg in told["legs"]) == 0
    (listed,) = _done(month.anna.get(f"{ADMIN}/clearing"))["items"]
    assert listed["cycle_id"] == cycle
    return cycle


def _shop_of(month: Month) -> str:
    listed = _done(month.anna.get(f"{ADMIN}/periods", query="?limit=200"))
    return str(
        next(one["partner_id"] for one in listed["items"] if one["partner"] == "Corner Shop")
    )


def _prepare_and_take_back(month: Month, cycle: str) -> None:
    """Prepare a default and an adjustment; Anna takes both back."""
    shop = _shop_of(month)
    asked = {
        "partner": shop,
        "amount": {"amount_minor": -100, "currency": "SEK"},
        "reason": "a sign was wrong",
    }
    bears = {"partner": shop, "reserve_minor": 100}
    for address, body, ids in (
        (f"{ADMIN}/adjustments", asked, {}),
        (f"{ADMIN}/clearing/{{cycle_id}}/default", bears, {"cycle_id": cycle}),
    ):
        waiting = _done(month.anna.post(address, body, **ids), 201)
        rejected = month.anna.post(
            "/v1/admin/approvals/{approval_id}/reject",
            {"reason": "not after all"},
            approval_id=waiting["approval_id"],
        )
        assert _done(rejected)["state"] == "rejected"
    assert _done(month.bertil.get("/v1/admin/approvals"))["items"] == []


def _default_and_be_done_with_it(month: Month, cycle: str) -> None:
    """Let the shop not pay, and pay in; from then on it issues again."""
    shop = _shop_of(month)
    bears = {"partner": shop, "reserve_minor": 100}
    address = f"{ADMIN}/clearing/{{cycle_id}}/default"
    waiting = _done(month.anna.post(address, bears, cycle_id=cycle), 201)
    assert _approve(month, waiting)["cycle_id"] == cycle
    quoted = {"purchase": {"amount_minor": 5000, "currency": "SEK"}}
    withheld = _done(month.shop.post("/v1/points/quote", quoted))
    assert [one["rule"] for one in withheld["reasons"]] == ["withheld"]
    paid = {
        "partner": shop,
        "amount": {"amount_minor": 500, "currency": "SEK"},
        "reference": "bank 4711",
    }
    for address, body in (
        (f"{ADMIN}/prepayments", paid),
        (f"{ADMIN}/defaults/end", {"partner": shop}),
    ):
        assert _approve(month, _done(month.anna.post(address, body), 201))["state"] == "applied"


def _prove(month: Month) -> None:
    """See the books in balance, the fund proved, and who did what in the log."""
    book = _done(month.anna.get(f"{ADMIN}/trial-balance", query="?fund_proof=true"))
    assert book["in_balance"] is True
    assert {one["fund_proof"]["difference"] for one in book["currencies"]} == {"0.000000000000"}
    log = _done(month.anna.get("/v1/admin/audit-log", query="?limit=1000"))["items"]
    done = {(row["action"], row["actor"]) for row in log}
    assert ("approval.prepared", f"client:{month.anna.client_id}") in done
    assert ("statement.closed", f"client:{month.bertil.client_id}") in done
