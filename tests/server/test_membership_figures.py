"""`coalition membership figures`: an empty month, on paper and as JSON; how a campaign is told."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from billing.figures.kpis import Churn, Figures
from billing.figures.price_changes import CampaignEffect, Group
from coalition.kernel.money import Money
from server.commands.membership_figures import lines
from tests.server.processes import within


def test_figures_of_a_month_in_which_nothing_was_sold(data: Path) -> None:
    told = within("membership", "figures", "--month", "2026-01", "--json", "--data", data)
    assert told.status == 0, told.err
    found = told.document
    assert (found["month"], found["plans"], found["recurring"]) == ("2026-01", [], [])
    assert found["campaigns"] == []
    assert found["churn"] == {"begun": 0, "lost": 0, "percent": None}
    shown = within("membership", "figures", "--month", "2026-01", "--data", data)
    assert "Memberships in 2026-01" in shown.out
    assert within("membership", "figures", "--month", "January", "--data", data).status == 2
    assert within("membership", "figures", "--month", "2099-12", "--data", data).status != 0


def test_a_campaign_is_told_in_a_few_lines() -> None:
    begins, ends = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    effect = CampaignEffect(
        campaign="rise",
        plan="plus",
        within_days=30,
        begins=begins,
        ends=ends,
        is_complete=False,
        must_agree=5,
        agreed=2,
        applied=5,
        changed=1,
        kept=1,
        moved=1,
        gone=2,
        told=Group(
            members=6,
            left=2,
            left_percent=Decimal("33.33"),
            recurring_before=Money(59_400, "SEK"),
            recurring_after=Money(39_950, "SEK"),
        ),
        others=Group(
            members=0,
            left=0,
            left_percent=None,
            recurring_before=Money(0, "SEK"),
            recurring_after=Money(0, "SEK"),
        ),
    )
    found = Figures(
        month="2026-11",
        begins=begins,
        ends=ends,
        plans=(),
        churn=Churn(begun=0, lost=0, percent=None),
        recurring=(),
        spend=(),
        costs=(),
        margins=(),
        prices=(),
        campaigns=(effect,),
    )
    assert list(lines(found))[1:] == [
        ("campaign", "rise", "6 told, 2 of 5 agreed, 5 applied"),
        ("30 days after it", "rise", "1 pay it, 1 the old one, 1 otherwise, 2 none"),
        ("left, told", "rise", "2 of 6 (33.33 %)"),
        ("monthly, told", "rise", "594.00 SEK to 399.50 SEK"),
        ("left, not told", "rise", "0 of 0"),
        ("monthly, not told", "rise", "0.00 SEK to 0.00 SEK"),
    ]
