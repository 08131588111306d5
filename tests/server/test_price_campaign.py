"""Campaigns of prices on the command line: tried, proposed, approved, run, seen and stopped."""

from pathlib import Path

from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings
from server.databases import do
from server.place import Place
from tests.billing.plans.written import MONTHLY, on_sale, plan
from tests.server.processes import Ended, within

RISE = """
code: rise
plan: plus
from_version: 1
applies_from: 2027-03-01T00:00:00Z
consent: {SE: explicit}
"""


def campaign(data: Path, *words: str | Path) -> Ended:
    return within("plan", "campaign", *map(str, words), "--data", data)


def _is_dearer(data: Path) -> None:
    """Let a plan have two versions, of which the second is dearer."""

    async def work(_: Settings) -> None:
        at = SystemClock().now()
        await on_sale(plan(prices=[MONTHLY]), at)
        await on_sale(plan(prices=[MONTHLY | {"amount_minor": 9_900}]), at)

    do(Place(environ={}, data=data), work)


def test_a_campaign_goes_from_its_file_to_its_end_on_the_command_line(
    data: Path, tmp_path: Path
) -> None:
    _is_dearer(data)
    file = tmp_path / "rise.yaml"
    file.write_text(RISE)
    dry = campaign(data, "dry-run", file, "--json").document
    assert (dry["told"], dry["groups"], dry["left_out"]) == (0, [], {})
    (tmp_path / "bad.yaml").write_text(RISE.replace("from_version", "form_version"))
    bad = campaign(data, "propose", tmp_path / "bad.yaml", "--prepared-by", "anna")
    assert (bad.status, "form_version" in bad.err) == (2, True)

    waits = campaign(data, "propose", file, "--prepared-by", "anna", "--json").document
    assert waits["prices"] == "7900 -> 9900 SEK/month"
    approval = waits["approval_id"]
    assert campaign(data, "approve", approval, "--approved-by", "anna").status != 0
    begun = campaign(data, "approve", approval, "--approved-by", "bertil", "--json").document
    assert (begun["campaign"], begun["state"]) == ("rise", "runs")
    assert "rise" in campaign(data, "list").out
    assert "0 would be told now" in campaign(data, "dry-run", "rise").out
    assert campaign(data, "run", "rise", "--json").document["told"] == 0
    assert campaign(data, "status", "rise", "--json").document == {"items": []}
    assert campaign(data, "members", "rise", "--json").document == {"items": []}
    rests = campaign(data, "pause", "rise", "--by", "anna", "--json").document
    assert (rests["state"], rests["document"]["code"]) == ("paused", "rise")
    assert campaign(data, "resume", "rise", "--by", "anna", "--json").document["state"] == "runs"
    assert campaign(data, "stop", "rise", "--by", "anna", "--json").document["state"] == "stopped"
    assert campaign(data, "status", "none").status != 0
    for listed in ("notices", "gifts"):
        assert within("membership", listed, "--json", "--data", data).document == {"items": []}
