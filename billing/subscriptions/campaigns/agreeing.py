"""What a member is told of its new price, and its word that it agrees."""

from datetime import datetime

from billing.plans.catalogue import Plans
from billing.subscriptions import receipts
from billing.subscriptions.campaigns import rows, rules
from billing.subscriptions.campaigns.refusals import NothingToAgreeTo
from billing.subscriptions.house import House, act_key
from billing.subscriptions.views import PriceNotice, Receipt, ReceiptKind
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of, random_id, shard_of
from coalition.kernel.outbox import Event
from coalition.members import queries


async def notice(connection: Connection, plans: Plans, member: MemberId) -> PriceNotice | None:
    """Return the change of price that is to come for a member, if there is one."""
    change = await rows.waiting(connection, member)
    if change is None:
        return None
    campaigns = await rows.campaigns(connection)
    campaign = next(one for one in campaigns if one.no == change.campaign_no)
    new = plans.price(change.to_price)
    return PriceNotice(
        old=plans.price(change.from_price).money,
        new=new.money,
        new_price_no=new.no,
        interval=new.interval,
        applies_at=change.applies_at,
        wants_consent=change.wants_consent,
        agree_by=change.applies_at - rules.CLOSES if change.wants_consent else None,
        agreed_at=change.agreed_at,
        without_consent=campaign.document.without_consent if change.wants_consent else None,
        told_at=change.told_at,
        text_version=change.text_version,
    )


async def is_to_come(connection: Connection, member: MemberId, price_no: int) -> bool:
    """Tell whether a price comes by a campaign, so that the member cannot take it back."""
    change = await rows.waiting(connection, member)
    return change is not None and change.state == "scheduled" and change.to_price == price_no


async def agree(
    house: House, member: MemberId, *, price_no: int | None, key: str, at: datetime
) -> Receipt:
    """Keep the member's word; see `Memberships.agree_to_price`."""
    own = act_key(member, "price-consent", key)
    async with transaction() as connection:
        await queries.lock_members(connection, [member])
        before = await receipts.of_key(connection, member, own)
        if before is not None:
            return before
        change = await rows.waiting(connection, member)
        if change is None or not change.wants_consent:
            raise NothingToAgreeTo
        if price_no not in {None, change.to_price}:
            raise NothingToAgreeTo("Another price is to come by now; look at it first")
        if not await rows.agree(connection, change, at):
            last = await receipts.last_of(
                connection, member, change.membership_id, ReceiptKind.PRICE_AGREED
            )
            if last is None:
                raise NothingToAgreeTo
            return last
        plans = await house.shelf.read(connection)
        new = plans.price(change.to_price)
        receipt = Receipt(
            receipt_id=random_id(),
            kind=ReceiptKind.PRICE_AGREED,
            membership_id=change.membership_id,
            at=at,
            plan=plans.plan(new.plan_no).code,
            new_price=new.money,
            applies_at=change.applies_at,
            text_version=change.text_version,
        )
        told = {
            "member_id": str(member),
            "membership_id": str(change.membership_id),
            "new_minor": new.money.amount_minor,
            "currency": new.money.currency,
            "applies_at": change.applies_at.isoformat(),
        }
        shard = shard_of(bucket_of(change.membership_id))
        await outbox.append(connection, [Event("membership.price_agreed", told, shard=shard)], at)
        return await receipts.keep(connection, member, own, receipt)
