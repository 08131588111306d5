"""`coalition member card`: a further card for a member, or another one for a card that is lost."""

from uuid import UUID

import rich_click as click

from coalition.families.groups import paying
from coalition.families.groups.groups import Groups
from coalition.families.groups.paying import WaitingAct
from coalition.families.groups.wanted import AddCard
from coalition.families.kin.speaking import By
from coalition.kernel.ids import MemberId
from coalition.kernel.settings import Settings
from coalition.members import cards
from coalition.members.sealing import MemberKeys
from server.commands.options import example, place_of, place_options, say
from server.commands.second_person import PersonName
from server.databases import do
from server.house_clock import HouseClock

by_option = click.option(
    "--by", type=PersonName(), required=True, help="Who does it; kept in the audit log."
)


@click.group()
def card() -> None:
    """Add and replace the cards of a member."""


@card.command()
@click.argument("member_id", type=click.UUID)
@click.argument("new_card")
@by_option
@place_options
@click.pass_context
@example("coalition member card add 8cf51be2-9d72-458f-a1d0-370077b9240b 97520002 --by anna")
def add(context: click.Context, *, member_id: UUID, new_card: str, by: str) -> None:
    """Let MEMBER_ID be found by NEW_CARD too."""

    async def work(settings: Settings) -> WaitingAct | None:
        groups = Groups(keys=MemberKeys.of(settings))
        wanted = AddCard(member=member_id, words=new_card)
        return await groups.do(
            lambda connection, book: paying.perform(connection, book, wanted, By.staff(by)),
            HouseClock().now(),
        )

    waiting = do(place_of(context), work)
    if waiting is None:
        say("The member has the card.")
        return
    say(
        f"The card waits for a fee of {waiting.fee.amount_minor} {waiting.fee.currency} (minor"
        f" units), due by {waiting.expires_at:%Y-%m-%d %H:%M} UTC: act {waiting.act_id}."
    )


@card.command()
@click.argument("member_id", type=click.UUID)
@click.argument("old_card")
@click.argument("new_card")
@by_option
@place_options
@click.pass_context
@example(
    "coalition member card replace 8cf51be2-9d72-458f-a1d0-370077b9240b 97520001 97520002 --by anna"
)
def replace(
    context: click.Context, *, member_id: UUID, old_card: str, new_card: str, by: str
) -> None:
    """Let MEMBER_ID be found by NEW_CARD in place of OLD_CARD, which is free for others then."""

    async def work(settings: Settings) -> None:
        await cards.replace_card(
            MemberId(member_id),
            old_card=old_card,
            new_card=new_card,
            keys=MemberKeys.of(settings),
            actor=by,
            at=HouseClock().now(),
        )

    do(place_of(context), work)
    say("The member has the new card in place of the old one.")
