"""Where members withdraw from an order: declared, then confirmed."""

from litestar.handlers import ASGIRouteHandler

from billing.doors.membership_doors import BASE, Act, endpoint_of
from billing.subscriptions.refusals import (
    NothingToWithdraw,
    UnknownWithdrawal,
    WithdrawalTooLate,
)
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import Receipt, Withdrawal
from coalition.kernel.ids import MemberId
from coalition.kernel.web.hot import Call, Door, hot_route


def routes(door: Door, memberships: Memberships) -> list[ASGIRouteHandler]:
    """Return the handlers of a member's withdrawals."""
    return [hot_route(door, f"{BASE}/{one.word}", endpoint_of(memberships, one)) for one in _ACTS]


async def _do_declare(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    del key  # Declared again it is the same declaration.
    return await memberships.declare_withdrawal(member, at=call.at)


async def _do_confirm(memberships: Memberships, member: MemberId, call: Call, key: str) -> object:
    return await memberships.confirm_withdrawal(
        call.path["withdrawal_id"], member=member, key=key, at=call.at
    )


_ACTS = (
    Act(
        "withdraw",
        _do_declare,
        "Withdraw from the order, the first of two steps: what would come back",
        Withdrawal,
        status=201,
        refusals=(NothingToWithdraw, WithdrawalTooLate),
        by_frozen=True,
    ),
    Act(
        "withdraw/{withdrawal_id:uuid}/confirm",
        _do_confirm,
        "Confirm a withdrawal, the second of two steps",
        Receipt,
        refusals=(UnknownWithdrawal, WithdrawalTooLate),
        description=(
            "The membership ends now, and what was declared goes back as it was paid, less what "
            "was used since: the receipt says it."
        ),
        by_frozen=True,
    ),
)
