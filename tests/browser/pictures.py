"""Takes the pictures of the guide for the members' pages: `python -m tests.browser.pictures`.

Each is of a real page in a real browser, with a service and a sandbox of its own.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.browser.world import FAILS_LATER, Member, Town, town

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
PHONE, DESK = (390, 844), (860, 720)
MOST_BYTES = 80_000


def main() -> None:
    """Take all pictures; says what each weighs, and fails where one weighs too much."""
    with tempfile.TemporaryDirectory() as folder, town(Path(folder)) as here:
        for name in _taken(here):
            size = (FOLDER / f"{name}.png").stat().st_size
            assert size <= MOST_BYTES, (name, size)
            print(f"{name}.png: {size:,} bytes")  # noqa: T201 - this is a command


def _taken(here: Town) -> Iterator[str]:
    member = here.member()
    _earn(here, member)
    yield _take(member, "pages-plans", "/plans?currency=SEK", DESK)
    member.order("Plus", "79.00", pays=False)
    yield _take(member, "pages-order", None, PHONE)
    member.order("Plus", "79.00")
    member.pay(here.card())
    member.back()
    member.later(days=28)
    _earn(here, member)
    member.until("/membership", "Active")
    yield _take(member, "pages-wallet", "/wallet", PHONE)
    yield _take(member, "pages-membership", "/membership", DESK)
    yield _take(member, "pages-cancel", "/membership/cancel?lang=sv", PHONE)
    late = here.member()
    late.order("Premium", "149.00")
    late.pay(here.card())
    late.back()
    late.press("Cards and invoices")
    late.page.click("text=Use another card")
    late.pay(FAILS_LATER)
    late.later(days=32)
    late.until("/membership", "Pay the invoice")
    yield _take(late, "pages-payment-failed", "/membership", PHONE)


def _earn(here: Town, member: Member) -> None:
    """Buy something at the till."""
    body = {
        "member_id": member.member_id(),
        "receipt": f"receipt {here.days_ahead}",
        "occurred_at": here.now().isoformat(),
        "purchase": {"amount_minor": 49_900, "currency": "SEK"},
    }
    answer = here.till.post("/v1/points/issue", body)
    assert answer.status == 201, answer


def _take(member: Member, name: str, path: str | None, size: tuple[int, int]) -> str:
    if path is not None:
        member.goto(path)
    width, height = size
    member.page.set_viewport_size({"width": width, "height": height})
    file = FOLDER / f"{name}.png"
    member.page.screenshot(path=str(file), scale="css")
    return name


if __name__ == "__main__":
    main()
