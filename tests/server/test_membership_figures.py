"""`coalition membership figures`: an empty month, on paper and as JSON."""

from pathlib import Path

from tests.server.processes import within


def test_figures_of_a_month_in_which_nothing_was_sold(data: Path) -> None:
    told = within("membership", "figures", "--month", "2026-01", "--json", "--data", data)
    assert told.status == 0, told.err
    found = told.document
    assert (found["month"], found["plans"], found["recurring"]) == ("2026-01", [], [])
    assert found["churn"] == {"begun": 0, "lost": 0, "percent": None}
    shown = within("membership", "figures", "--month", "2026-01", "--data", data)
    assert "Memberships in 2026-01" in shown.out
    assert within("membership", "figures", "--month", "January", "--data", data).status == 2
    assert within("membership", "figures", "--month", "2099-12", "--data", data).status != 0
