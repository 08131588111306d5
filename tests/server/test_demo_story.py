"""The demo's history and what households do in it: the same every time, and never too much."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from server.demo import journey, keepsake, made_up, story
from server.demo.companies import COMPANIES
from server.demo.history import ZONE, Basket, months_of, shift_to_end_before
from server.demo.keepsake import Audited, Credential, Keepsake, Loaded
from server.demo.story import Wallet
from server.exits import Stopped

NOW = datetime(2026, 11, 21, 22, tzinfo=UTC)
SOON, LATER = date(2026, 11, 30), date(2027, 6, 30)


def basket(
    *, company: int = 0, amount_minor: int = 5_000, receipt: str = "1", has_coupon: bool = True
) -> Basket:
    return Basket(7, company, "17", receipt, NOW, amount_minor, has_coupon)


def wallet(**points: int) -> Wallet:
    """Return a wallet at the beginning of a month, with points that end soon or later."""
    held = Wallet()
    held.change(SOON, points.get("soon", 0))
    held.change(LATER, points.get("later", 0))
    held.begin_month(SOON)
    return held


@pytest.mark.parametrize("hour", [0, 5, 12, 23])
@pytest.mark.parametrize("days", range(8))
def test_a_history_ends_before_today_by_whole_weeks(days: int, hour: int) -> None:
    last = datetime(2018, 1, 1, 4, 1, tzinfo=UTC)
    now = datetime(2026, 11, 16 + days, hour, tzinfo=UTC)
    shift = shift_to_end_before(last, now)
    ends, today = (last + shift).astimezone(ZONE).date(), now.astimezone(ZONE).date()
    assert shift % timedelta(weeks=1) == timedelta(0)
    assert timedelta(days=1) <= today - ends <= timedelta(days=7)


def test_a_made_up_history_is_the_same_every_time_and_of_the_real_shape() -> None:
    history = made_up.make(60, NOW)
    assert made_up.make(60, NOW) == history
    assert history.households == 60
    assert [len(codes) for codes in history.stores] == [94, 117, 104, 68, 74]
    assert {one.company for one in history.baskets} == set(range(len(COMPANIES)))
    assert 20 < len(history.baskets) / history.households < 140
    assert len({one.receipt for one in history.baskets}) == len(history.baskets)
    times = [one.at for one in history.baskets]
    assert times == sorted(times)
    assert times[-1].astimezone(ZONE).date() < NOW.astimezone(ZONE).date()
    assert len(list(months_of(history.baskets))) in {12, 13}


def test_a_household_spends_first_what_ends_first() -> None:
    held = wallet(soon=300, later=500)
    assert held.spend(400) == {SOON: 300, LATER: 100}
    assert (held.balance, held.allowance) == (400, 400)


def test_points_earned_in_a_month_are_spent_from_the_next_month_on() -> None:
    held = wallet(later=100)
    held.change(LATER, 900)
    assert (held.balance, held.allowance) == (1000, 100)
    held.begin_month(LATER)
    assert held.allowance == 1000


def test_points_that_have_ended_are_gone_with_the_month() -> None:
    held = wallet(soon=300, later=500)
    held.begin_month(SOON + timedelta(days=1))
    assert held.balance == 500


def test_a_household_pays_no_more_than_the_basket_and_no_more_than_it_has() -> None:
    paid = story.payment(basket(amount_minor=450), wallet(later=2_000))
    assert paid is not None
    assert paid.points == 400
    paid = story.payment(basket(), wallet(later=250))
    assert paid is not None
    assert paid.points == 200


def test_nobody_pays_with_points_where_they_are_not_taken_or_too_few() -> None:
    issuer = next(number for number, one in enumerate(COMPANIES) if not one.terms.accepts)
    assert story.payment(basket(company=issuer), wallet(later=2_000)) is None
    assert story.payment(basket(amount_minor=99), wallet(later=2_000)) is None
    assert story.payment(basket(), wallet(later=99)) is None


def test_households_differ_in_when_they_think_of_their_points() -> None:
    habits = {story.habit(household) for household in range(200)}
    assert habits == {None, 200, 500, 1000}


def test_returns_are_few_and_of_some_of_the_points() -> None:
    issued = [(basket(receipt=str(number)), 40) for number in range(2_000)]
    returned = story.returns(issued)
    assert story.returns(issued) == returned
    assert 10 < len(returned) < 60
    assert all(10 <= one.points <= 40 for one in returned)


def test_points_end_as_the_contract_of_their_company_says() -> None:
    ends = [story.expires_on(basket(company=number)) for number in range(len(COMPANIES))]
    assert ends == [
        date(2027, 11, 30),
        date(2027, 5, 31),
        date(2027, 8, 31),
        date(2028, 11, 30),
        date(2027, 7, 31),
    ]


def kept() -> Keepsake:
    return Keepsake(
        source="a",
        note="b",
        households=1,
        card="HOUSE00001",
        client=Credential("c", "s", "p"),
        loaded=Loaded(1, 5, 9, 1.5),
        audit=Audited(ok=True, checks=11),
        refused={},
    )


def test_a_demo_remembers_that_it_is_one(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    keepsake.begin(data, afresh=False)
    assert keepsake.read(data) is None
    keepsake.finish(data, kept())
    assert keepsake.read(data) == kept()
    assert (data / "demo.json").stat().st_mode & 0o777 == 0o600


def test_an_interrupted_demo_is_begun_again(tmp_path: Path) -> None:
    keepsake.begin(tmp_path, afresh=False)
    (tmp_path / "postgres").mkdir()
    (tmp_path / "own.txt").touch()
    keepsake.begin(tmp_path, afresh=False)
    assert not (tmp_path / "postgres").exists()
    assert (tmp_path / "own.txt").exists()


def test_a_coalition_that_is_no_demo_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(Stopped, match="no demo"):
        keepsake.begin(tmp_path, afresh=True)
    assert (tmp_path / "postgres").exists()


def real() -> Iterator[int]:
    """Yield sizes of the real history where the data set is installed; none where it is not."""
    if journey.is_installed():
        yield from (50, journey.ALL_HOUSEHOLDS)


@pytest.mark.parametrize("households", list(real()) or [0])
def test_the_real_history_has_its_households_stores_and_baskets(households: int) -> None:
    if not households:
        assert made_up.make(1, NOW).source != journey.SOURCE
        return
    history = journey.read(households, NOW)
    assert history.households == households
    assert sum(len(codes) for codes in history.stores) == 457
    owner = {code: company for company, codes in enumerate(history.stores) for code in codes}
    assert all(owner[one.store] == one.company for one in history.baskets)
    assert history.baskets == sorted(history.baskets, key=lambda one: (one.at, int(one.receipt)))
    assert history.baskets[-1].at < NOW
    if households == journey.ALL_HOUSEHOLDS:
        assert len(history.baskets) == 155_848
