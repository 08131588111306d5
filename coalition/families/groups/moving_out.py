"""Points into the pot of a group and out of it: from moves to what the ledger posts."""

from collections.abc import Sequence
from uuid import UUID

from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.stakes import NOBODY, Move
from coalition.families.rule_sets import lots
from coalition.families.rule_sets.vocabulary import DebitOrder, ExpiryTreatment
from coalition.families.transfers.drafting import Terminations
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.errors import Refused
from coalition.ledger import posting
from coalition.ledger.drafts import Draft, Outcome, Till, Transfer
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.selecting import LotFilter, TakingOrder

OPERATOR = 0
_terminations = Terminations()


async def post_all(
    connection: Connection, book: Book, drafts: Sequence[Draft], *, closes: bool = False
) -> list[Outcome]:
    """Post drafts in the caller's transaction; raises the first refusal.

    Where a group `closes`, points of funders in default go too, and stay suspended.
    """
    if not drafts:
        return []
    await ensure_partition(book.at)
    await posting.pin(connection)
    catalogue = book.terms.catalogue
    _, outcomes = await posting.post(
        connection,
        drafts,
        at=book.at,
        today=book.today,
        clocks=catalogue.clocks,
        suspended=NOBODY if closes else catalogue.suspended_at(book.at),
    )
    for outcome in outcomes:
        if isinstance(outcome, Refused):
            raise outcome
    return outcomes


async def move(
    connection: Connection, group: OpenGroup, moves: Sequence[Move], *, closes: bool = False
) -> None:
    """Post what goes because somebody leaves; the points end when they would have."""
    classes = group.book.terms.catalogue.classes
    pooled, home = classes.when_pooled(lots.binding_of(group.rules)), classes.when_home()
    drafts = [
        Transfer(
            holder=one.sender,
            receiver=one.receiver,
            till=_till(group),
            currency_no=group.row.currency_no,
            points=one.points,
            lots=None if one.brought_by is None else LotFilter(contributor=one.brought_by),
            contributor=one.contributor,
            classes=home if one.comes_home else pooled if one.receiver == group.pot else None,
        )
        for one in moves
    ]
    await post_all(connection, group.book, drafts, closes=closes)


async def bring(connection: Connection, group: OpenGroup, member: UUID, points: int) -> None:
    """Post what a member brings into the pot, as its contribution."""
    assert group.pot is not None, "points are brought where there is a pot"
    rules = group.rules
    by_age = rules.debit.order is DebitOrder.OLDEST_EARNED
    draft = Transfer(
        holder=member,
        receiver=group.pot,
        till=_till(group),
        currency_no=group.row.currency_no,
        points=points,
        order=TakingOrder.OLDEST_EARNED if by_age else TakingOrder.EARLIEST_EXPIRY,
        lots=lots_that_count(group, member),
        endings=_terminations.of(
            group.book.terms, _treatment(group), rules.expiry.months, group.at
        ),
        contributor=member,
        classes=group.book.terms.catalogue.classes.when_pooled(lots.binding_of(rules)),
    )
    await post_all(connection, group.book, [draft])


def lots_that_count(group: OpenGroup, member: UUID) -> LotFilter:
    """Return which lots of a member may go into the pot: its own, as the rules name them."""
    asked = group.rules.contribution.lots
    found = lots.filter_of(asked, group.book.terms, group.at, contributor=member)
    assert found is not None, "a member's own lots are told apart"
    return found


def _treatment(group: OpenGroup) -> ExpiryTreatment:
    return group.rules.expiry.treatment


def _till(group: OpenGroup) -> Till:
    return Till(OPERATOR, None, None, None, group.book.today, group.at)
