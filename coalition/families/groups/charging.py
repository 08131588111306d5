"""What acts in groups cost: points are taken at once, for money they wait (see `paying`)."""

from datetime import timedelta
from uuid import UUID

from coalition.families.evaluator.acts import FeeDue, Verdict
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.moving_out import post_all
from coalition.families.groups.telling import tell
from coalition.families.kin.purse import MoneyDue
from coalition.families.rule_sets.vocabulary import Event
from coalition.kernel.database import Connection
from coalition.ledger.drafts import Adjust, Till

OPERATOR = 0


async def charge(
    connection: Connection, group: OpenGroup, verdict: Verdict, actor: UUID, event: Event
) -> None:
    """Take the fees of an act that passes: points now; money is gathered in the purse of the act.

    Without a purse, as in stories, it is told by `families.fee_due` and counts as paid at once.

    Raises what the ledger refuses, such as that there are not so many points.
    """
    till = Till(OPERATOR, None, None, None, group.book.today, group.at)
    for fee in verdict.fees:
        payer = _payer(group, fee, actor)
        if fee.points:
            taken = Adjust(
                holder=payer,
                till=till,
                currency_no=group.row.currency_no,
                points=fee.points,
                reason=f"fee: {event}",
            )
            await post_all(connection, group.book, [taken])
        if fee.money is None or not fee.money.amount_minor:
            continue
        if group.book.purse is not None:
            until = group.at + timedelta(days=max(group.rules.control.approval_days, 1))
            group.book.purse.add(MoneyDue(group.id, payer, event, fee.money, until))
        else:
            await tell(
                connection,
                "fee_due",
                group,
                member_id=payer,
                on=event,
                amount_minor=fee.money.amount_minor,
                currency=fee.money.currency,
            )


def _payer(group: OpenGroup, fee: FeeDue, actor: UUID) -> UUID:
    return group.row.head if fee.payer == "head" else actor
