"""Every request of the product is held against the installed package, and the guide lists them.

With `COALITION_CONTRACT_REPORT` set to a file the report is written there.
"""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from billing.sandbox.contract import report
from billing.subscriptions import keeping, selling
from billing.subscriptions.refusals import UnknownPromotion
from billing.subscriptions.views import GiftOrder
from coalition.kernel.database import transaction
from tests.billing.journeys.club import DAY, Club, Inspector
from tests.structure import tree

GUIDE = tree.ROOT / "docs/guides/stripe-sandbox.md"


SELDOM = {"/v1/invoices/{}/lines"}
"""Asked for only where a list is too long for its object; told in tests/billing/gateway."""


def named_in_the_source() -> set[str]:
    """Return the paths of Stripe that billing names anywhere."""
    files = [*(tree.ROOT / "billing/gateway").rglob("*.py")]
    files += (tree.ROOT / "billing/subscriptions").rglob("*.py")
    found = {path for file in files for path in re.findall(r"\"(/v1/[^\"]+)\"", file.read_text())}
    return {re.sub(r"\{[^}]*\}", "{}", path) for path in found}


async def do_everything(club: Club) -> None:
    """Let members do once whatever reaches Stripe."""
    await selling.bring(club.gateway, at=club.now())
    anna = await club.bought("tried", name="anna")
    await club.memberships.portal(anna, back_to="/membership", at=club.now())
    await club.advance(15 * DAY)
    await club.change(anna, "premium")
    await club.change(anna, "plus")
    await club.change(anna, "tried")
    await club.memberships.keep_plan(anna, key="keep", at=club.now())
    await club.memberships.pause(anna, months=1, key="rest", at=club.now())
    await club.memberships.resume(anna, key="on", at=club.now())
    await club.memberships.cancel(anna, key="bye", at=club.now())
    await club.memberships.uncancel(anna, key="stay", at=club.now())

    bo = await club.bought("plus", "year", name="bo")
    await club.change(bo, "premium")  # which leaves credit of the year
    await club.advance(timedelta(hours=3))
    await club.withdraw(bo)
    promoted = await club.order("premium", promotion="SPRING")
    with pytest.raises(UnknownPromotion):
        await club.memberships.checkout(bo, promoted, key="code", at=club.now())
    order = await club.order("premium")
    await club.memberships.checkout(bo, order, key="tab", at=club.now())
    await club.memberships.drop_checkout(bo, key="shut", at=club.now())
    gift = GiftOrder(plan="plus", months=3, currency="SEK")
    given = await club.memberships.buy_gift(bo, gift, key="gift", at=club.now())
    assert given.url is not None
    await club.pay(given.url)
    await club.hear()
    await club.bought(name="carl")
    await club.dispute()
    async with transaction() as connection:
        await keeping.KEEPER.erase(connection, anna, club.now())
    await club.advance(timedelta(minutes=5))
    for whole in (False, True):
        await club.reconcile(whole=whole)


def told(inspector: Inspector) -> list[str]:
    """Return the requests that were judged, as the guide lists them."""
    return sorted(
        (f"{method:<7}{path}" for method, path in inspector.judged),
        key=lambda line: (line.split()[1], line),
    )


async def test_every_request_of_the_product_is_validated_and_listed(steady: Club) -> None:
    await do_everything(steady)
    inspector = steady.contract
    assert inspector.unjudged == set()
    assert named_in_the_source() - {path for _, path in inspector.judged} == SELDOM
    listed = GUIDE.read_text("utf-8").partition("## What the product asks")[2]
    listed = listed.partition("```text\n")[2].partition("```")[0]
    asked = "".join(f"{line}\n" for line in told(inspector))
    assert listed == asked, f"it should be\n{asked}"
    if target := os.environ.get("COALITION_CONTRACT_REPORT"):
        Path(target).write_text(written(inspector), "utf-8")  # noqa: ASYNC240 - at the very end


def written(inspector: Inspector) -> str:
    """Return the report: what was asked and how often, and the sandbox's routes beside Stripe's."""
    counted = {f"{method:<7}{path}": count for (method, path), count in inspector.judged.items()}
    lines = [
        f"{sum(counted.values())} requests were validated, {len(inspector.unjudged)} were not.",
        *(f"{counted[line]:6} {line}" for line in told(inspector)),
    ]
    titles = {
        "there": "routes of Stripe that the sandbox has",
        "lacking": "routes of Stripe that the sandbox lacks",
        "not in the package": "routes of the sandbox that Stripe's package lacks",
    }
    for what, routes in report().items():
        lines += ["", f"{len(routes)} {titles[what]}:", *routes]
    return "\n".join(lines) + "\n"
