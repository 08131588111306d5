"""Conversions at the till: points of one currency become points of another."""

from litestar.handlers import ASGIRouteHandler

from coalition.federation.refusals import (
    NoContract,
    NoExchangeRate,
    PartnerSuspended,
    UnknownPointCurrency,
    UnknownStore,
)
from coalition.kernel import idempotency
from coalition.kernel.database import Connection
from coalition.kernel.idempotency import Claim, KeyReused
from coalition.kernel.idempotency.claims import RequestInProgress
from coalition.kernel.web.decoding import encode
from coalition.kernel.web.hot import (
    REPLAY_HEADER,
    REPLAYED,
    Answer,
    Call,
    Door,
    HotEndpoint,
    hot_route,
)
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import (
    ConversionTooLarge,
    DuplicateReceipt,
    HolderMerged,
    HolderNotActive,
    NotEnoughPoints,
    NothingToConvert,
    PriceNotExact,
    UnknownHolder,
)
from coalition.points.converting import Asker, ConversionAnswer, ConvertBody, convert
from coalition.points.refusals import (
    NotInContract,
    OneMemberNeeded,
    OtherStore,
    SameCurrency,
    StoreClosed,
    TimeOutOfBounds,
    UnknownCard,
)
from coalition.points.till import Tills
from partners.pos.acts import REDEEM


def conversion_routes(door: Door, tills: Tills, card_key: bytes) -> list[ASGIRouteHandler]:
    """Return the handler of conversions."""
    return [hot_route(door, "/v1/points/convert", _convert(tills, card_key))]


def _convert(tills: Tills, card_key: bytes) -> HotEndpoint:
    async def converted(call: Call) -> Answer:
        caller = call.caller
        asker = Asker(caller.partner_no, caller.client_no, caller.store_no)

        async def work(connection: Connection) -> idempotency.Answer:
            terms = await tills.refresh_terms(connection)
            made = await convert(
                connection, asker, call.body, terms=terms, card_key=card_key, at=call.at
            )
            return idempotency.Answer(201, call.media.value, encode(made, call.media))

        await ensure_partition(call.at)
        claim = Claim.of(caller.client_no, call.idempotency_key, "convert", call.body_digest)
        answer = await idempotency.once(claim, call.at, work)
        headers = (REPLAYED,) if answer.replayed else ()
        return Answer(answer.status, answer.body, headers, answer.media_type)

    return HotEndpoint(
        method="POST",
        summary="Exchange points of one currency for points of another",
        description=(
            "At the rate that held at `occurred_at`. Each lot gives whole multiples of the rate; "
            "what is left of it stays with the member (`remainder`). New points keep who issued "
            "them, what they are worth and until when they can be spent. A conversion cannot be "
            "reversed."
        ),
        handle=converted,
        body=ConvertBody,
        answers={201: ConversionAnswer},
        scope=REDEEM,
        idempotent=True,
        refusals=(
            *(PartnerSuspended, NoContract, KeyReused, RequestInProgress, NotInContract),
            *(OneMemberNeeded, UnknownCard, UnknownHolder, HolderNotActive, HolderMerged),
            *(UnknownStore, OtherStore, StoreClosed, TimeOutOfBounds, DuplicateReceipt),
            *(UnknownPointCurrency, SameCurrency, NoExchangeRate, NotEnoughPoints),
            *(NothingToConvert, PriceNotExact, ConversionTooLarge),
        ),
        tags=("points",),
        answer_headers=REPLAY_HEADER,
    )
