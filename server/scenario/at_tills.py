"""What happens at the tills: asked of the service that serves them, as a till asks."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from coalition.kernel.database import transaction
from coalition.kernel.errors import Refused
from coalition.kernel.idempotency import Claim
from coalition.kernel.ids import random_id
from coalition.kernel.money import exponent
from coalition.kernel.web.decoding import Media
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.posting import PINNED, PINNED_FOR_LINES, POSTER_ROLE
from coalition.points import converting
from coalition.points.commands import (
    Agreed,
    Asked,
    CaptureBody,
    Command,
    HoldAnswer,
    HoldBody,
    IssueBody,
    PostingAnswer,
    Purchase,
    PurchaseLine,
    RedeemBody,
    ReverseBody,
    VoidBody,
)
from coalition.points.converting import Asker, ConvertBody
from coalition.points.till import Request
from server.scenario.names import OWN_POINTS
from server.scenario.till_steps import (
    AtTill,
    Capture,
    Convert,
    Hold,
    Issue,
    Money,
    Redeem,
    Reverse,
    Void,
)
from server.scenario.world import Done, World

_OWN_TILL: Final = 0
"""The client that a story's till is: no system of a partner sends what it says."""

_LINES_AT_ONCE: Final = 5_000


Answered = TypeVar("Answered", PostingAnswer, HoldAnswer)


class Target(NamedTuple):
    """At whose till something is done, to which posting or hold, and what was agreed for it."""

    partner: str
    id: UUID | None = None
    agreed: Agreed | None = None


async def _issue(world: World, step: Issue, n: int) -> Done:
    def body(receipt: str) -> IssueBody:
        return IssueBody(
            **_slip(step, receipt),
            member_id=world.members[step.member],
            points=step.points,
            purchase=_purchase(world, step),
            lines=_lines(world, step),
            measures=step.measures,
        )

    return await _at_till(world, step, n, body, _agreed(world, step))


async def _redeem(world: World, step: Redeem, n: int) -> Done:
    def body(receipt: str) -> RedeemBody:
        return RedeemBody(
            **_slip(step, receipt),
            member_id=world.members[step.member],
            points=step.points,
            point_currency=_foreign(step.currency),
            confirmed_by=step.confirmed_by,
        )

    return await _at_till(world, step, n, body)


async def _hold(world: World, step: Hold, n: int) -> Done:
    body = HoldBody(
        **_slip(step, _receipt(step, n)),
        member_id=world.members[step.member],
        points=step.points,
        point_currency=_foreign(step.currency),
        confirmed_by=step.confirmed_by,
        expires_in_s=step.expires_in_s,
    )
    made = await _ask(world, n, Target(step.partner), body, HoldAnswer)
    world.holds_end.append(world.at + timedelta(seconds=step.expires_in_s))
    said = f"{step.partner} holds {made.points:,} of {step.member}"
    return Done(said, made.points, hold=made.hold_id, partner=step.partner)


async def _capture(world: World, step: Capture, n: int) -> Done:
    held = _earlier(world, step.hold)
    made = await _ask(world, n, held, CaptureBody(points=step.points), PostingAnswer)
    said = f"{held.partner} takes {made.points:,} of the hold {step.hold}"
    return Done(said, made.points, made.posting_id, partner=held.partner)


async def _void(world: World, step: Void, n: int) -> Done:
    held = _earlier(world, step.hold)
    made = await _ask(world, n, held, VoidBody(), HoldAnswer)
    said = f"{held.partner} releases the hold {step.hold}"
    return Done(said, made.points, partner=held.partner)


async def _reverse(world: World, step: Reverse, n: int) -> Done:
    before = _earlier(world, step.posting)
    body = ReverseBody(points=step.points, reason=step.reason, lines=list(step.lines) or None)
    made = await _ask(world, n, before, body, PostingAnswer)
    said = f"{before.partner} takes {made.points:,} of {step.posting} back"
    return Done(said, made.points, made.posting_id, partner=before.partner)


async def _convert(world: World, step: Convert, n: int) -> Done:
    body = ConvertBody(
        **_slip(step, _receipt(step, n)),
        from_currency=step.from_currency,
        to_currency=step.to_currency,
        points=step.points,
        member_id=world.members[step.member],
    )
    await ensure_partition(world.at)
    async with transaction(PINNED, role=POSTER_ROLE) as connection:
        made = await converting.convert(
            connection,
            Asker(world.partners[step.partner], _OWN_TILL, None),
            body,
            terms=await world.tills.refresh_terms(connection),
            card_key=world.keys.blind_index_key,
            at=world.at,
        )
    said = f"{made.points:,} {made.from_currency} of {step.member} become"
    said += f" {made.converted:,} {made.to_currency}"
    return Done(said, made.points, made.posting_id, partner=step.partner)


async def _at_till(
    world: World,
    step: Issue | Redeem,
    n: int,
    body: Callable[[str], IssueBody | RedeemBody],
    agreed: Agreed | None = None,
) -> Done:
    """Post once as a till does, or as often as the step says, as a batch of lines: all or none."""
    if step.repeat == 1:
        command = body(_receipt(step, n))
        target = Target(step.partner, agreed=agreed)
        made = await _ask(world, n, target, command, PostingAnswer)
        points, posting = made.points, made.posting_id
    else:
        commands = [body(f"{_receipt(step, n)}-{count}") for count in range(1, step.repeat + 1)]
        target = Target(step.partner, agreed=agreed)
        points = await world.tills.covered(lambda: _post_all(world, target, commands))
        posting = None
    verb = f"issues {points:,} to" if isinstance(step, Issue) else f"takes {points:,} from"
    times = f", {step.repeat:,} receipts" if step.repeat > 1 else ""
    said = f"{step.partner} {verb} {step.member}{times}"
    return Done(said, points, posting, partner=step.partner)


async def _ask(
    world: World, n: int, target: Target, command: Command, answered: type[Answered]
) -> Answered:
    """Send what a till would send, under a key of its own; return the answer."""
    claim = Claim.of(_OWN_TILL, f"step-{n}", command.__class__.__name__, b"")
    asked = _asked(world, target, command)
    answer = await world.tills.post(Request(asked, claim, Media.JSON))
    return msgspec.json.decode(answer.body, type=answered)


async def _post_all(world: World, target: Target, commands: Sequence[Command]) -> int:
    """Post all `commands` in one transaction, or none; return the sum of their points."""
    await ensure_partition(world.at)

    async def attempt() -> int:
        points = 0
        async with transaction(PINNED_FOR_LINES, role=POSTER_ROLE) as connection:
            for first in range(0, len(commands), _LINES_AT_ONCE):
                asked = [
                    _asked(world, target, command)
                    for command in commands[first : first + _LINES_AT_ONCE]
                ]
                for answer in await world.tills.post_lines(connection, asked, world.at):
                    if isinstance(answer, Refused):
                        raise answer
                    points += answer.points
        return points

    return await world.tills.covered(attempt)


def _asked(world: World, target: Target, command: Command) -> Asked:
    return Asked(
        partner_no=world.partners[target.partner],
        client_no=_OWN_TILL,
        store_no=None,
        command=command,
        target=target.id,
        agreed=target.agreed,
    )


def _agreed(world: World, step: Issue) -> Agreed | None:
    if step.expires is None and step.funding is None:
        return None
    funders = {world.funder_no(name): weight for name, weight in (step.funding or {}).items()}
    return Agreed(step.expires, tuple(sorted(funders.items())))


def _foreign(currency: str | None) -> str | None:
    """Return a point currency as a till names it: not at all when it is the coalition's own."""
    return None if currency == OWN_POINTS else currency


def _earlier(world: World, name: str) -> Target:
    """Return what an earlier step made; one that was refused made nothing that can be found."""
    before = world.done.get(name)
    if before is None or before.partner is None:
        return Target(next(iter(world.partners)), random_id())
    made = before.posting or before.hold
    return Target(before.partner, made or random_id())


def _receipt(step: AtTill, n: int) -> str:
    return step.receipt or f"step-{n}"


def _slip(step: AtTill, receipt: str) -> dict[str, Any]:  # Any: fields of bodies
    return {
        "receipt": receipt,
        "occurred_at": step.occurred_at or step.at,
        "store": step.store,
        "cashier": step.cashier,
    }


def _purchase(world: World, step: Issue) -> Purchase | None:
    bought = step.purchase
    if isinstance(bought, Money):
        return Purchase(amount_minor=bought.amount_minor, currency=bought.currency)
    if bought is None:
        return None
    currency = world.currency_of(step.partner)
    return Purchase(amount_minor=_minor(bought, currency), currency=currency)


def _lines(world: World, step: Issue) -> list[PurchaseLine] | None:
    named = step.purchase.currency if isinstance(step.purchase, Money) else None
    currency = named or world.currency_of(step.partner)
    lines = [
        PurchaseLine(
            amount_minor=_minor(line.amount, currency),
            category=line.category,
            sku=line.sku,
            quantity=line.quantity,
        )
        for line in step.lines
    ]
    return lines or None


def _minor(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units; the story was checked, so nothing is lost."""
    return int(amount.scaleb(exponent(currency)))


ACTS: Final[dict[type[Any], Callable[[World, Any, int], Awaitable[Done]]]] = {  # Any: by verb
    Issue: _issue,
    Redeem: _redeem,
    Convert: _convert,
    Hold: _hold,
    Capture: _capture,
    Void: _void,
    Reverse: _reverse,
}
