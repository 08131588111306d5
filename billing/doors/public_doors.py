"""Where anybody sees the plans, and cancels or withdraws from an order without signing in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from billing.doors.asking import first_language
from billing.doors.bodies import CancellationBody, WithdrawalBody
from billing.subscriptions.service import Memberships
from billing.subscriptions.views import Offers, Receipt, Withdrawal
from coalition.kernel.ids import MemberId
from coalition.kernel.web.hot import bearer_token
from coalition.kernel.web.problem import MEDIA_TYPE, Problem

AnyRequest = Request[Any, Any, State]  # Any: there is neither user nor session here

_OFTEN = {"cache-control": "private, max-age=60"}
_NOT_STORED = {"cache-control": "no-store", "pragma": "no-cache"}


def routes(memberships: Memberships) -> Sequence[ControllerRouterHandler]:
    """Return the handlers of what needs no token."""
    return [
        _plans(memberships),
        _cancel(memberships),
        _declare(memberships),
        _confirm(memberships),
    ]


def _plans(memberships: Memberships) -> HTTPRouteHandler:
    @get(
        "/v1/plans",
        tags=["plans"],
        summary="The plans on sale",
        responses=_refusals({401: "`invalid_token`: a token was sent that is not valid"}),
    )
    async def plans(
        request: AnyRequest,
        country: Annotated[str | None, QueryParameter(pattern="^[A-Z]{2}$", required=False)] = None,
    ) -> Response[Offers]:
        """Return plans with their prices, tax included, and the terms of a country.

        A member's token may be sent: then the country is the member's where none is named, and
        `is_for_you` tells which special prices are. `Accept-Language` names the language.
        """
        at = _now(request)
        language = first_language(request.headers.get("accept-language", ""))
        offers = await memberships.plans_for(
            _member(request, at), country=country, language=language, at=at
        )
        return Response(offers, headers=_OFTEN)

    return plans


def _cancel(memberships: Memberships) -> HTTPRouteHandler:
    @post(
        "/v1/cancellations",
        status_code=200,
        tags=["membership"],
        summary="Cancel a membership without signing in",
        responses=_refusals(
            {
                404: "`membership_not_found`: reference and address do not belong together",
                409: "`nothing_to_cancel`: it has ended; `act_in_progress`; `payments_not_set_up`",
                422: "`invalid`: a field is not valid; `reason_needed`: a reason has other letters",
                429: "`too_many_attempts`: try again after `retry_after_s` seconds",
                503: "`stripe_unavailable`: try again",
            }
        ),
    )
    async def cancel(data: JSONBody[CancellationBody], request: AnyRequest) -> Response[Receipt]:
        """End a membership with what is paid, and answer with the receipt: when, and what.

        Cancelled again it is the first receipt. It is at once, with no second step and no offer
        instead, as § 312k BGB wants of the button that everybody reaches.
        """
        receipt = await memberships.cancel_as_stranger(
            reference=data.reference, email=data.email, at=_now(request), reason=data.reason
        )
        return Response(receipt, headers=_NOT_STORED)

    return cancel


def _declare(memberships: Memberships) -> HTTPRouteHandler:
    @post(
        "/v1/withdrawals",
        status_code=201,
        tags=["membership"],
        summary="Withdraw from an order without signing in, the first of two steps",
        responses=_refusals(
            {
                404: "`membership_not_found`: reference and address do not belong together",
                409: "`withdrawal_too_late`: the days are over; `nothing_to_withdraw`; "
                "`payments_not_set_up`",
                422: "`invalid`: a field is not valid",
                429: "`too_many_attempts`: try again after `retry_after_s` seconds",
                503: "`stripe_unavailable`: try again",
            }
        ),
    )
    async def declare(data: JSONBody[WithdrawalBody], request: AnyRequest) -> Response[Withdrawal]:
        """Say what would come back, and how it is reckoned; declared again it is the same."""
        declared = await memberships.declare_withdrawal_as_stranger(
            reference=data.reference, email=data.email, at=_now(request)
        )
        return Response(declared, headers=_NOT_STORED)

    return declare


def _confirm(memberships: Memberships) -> HTTPRouteHandler:
    @post(
        "/v1/withdrawals/{withdrawal_id:uuid}/confirm",
        status_code=200,
        tags=["membership"],
        summary="Confirm a withdrawal without signing in, the second of two steps",
        responses=_refusals(
            {
                404: "`withdrawal_not_found`: nothing was declared under this id; `not_found`",
                409: "`withdrawal_too_late`: declare it again; `act_in_progress`; "
                "`payments_not_set_up`",
                503: "`stripe_unavailable`: try again",
            }
        ),
    )
    async def confirm(withdrawal_id: FromPath[UUID], request: AnyRequest) -> Response[Receipt]:
        """End the membership and give back what was declared; confirmed again it is the same.

        What was used since it was declared is kept: the receipt says what goes back.
        """
        receipt = await memberships.confirm_withdrawal(
            withdrawal_id, member=None, key=str(withdrawal_id), at=_now(request)
        )
        return Response(receipt, headers=_NOT_STORED)

    return confirm


def _now(request: AnyRequest) -> datetime:
    at: datetime = request.app.state.clock.now()
    return at


def _member(request: AnyRequest, at: datetime) -> MemberId | None:
    given = request.headers.get("authorization")
    if given is None:
        return None
    caller = request.app.state.verifier.verify(bearer_token(given.encode("latin-1")), at)
    return None if caller.member_id is None else MemberId(caller.member_id)


def _refusals(meanings: Mapping[int, str]) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(
            Problem, description=meaning, generate_examples=False, media_type=MEDIA_TYPE
        )
        for status, meaning in meanings.items()
    }
