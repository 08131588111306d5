"""A story as people read it on a terminal: what happened when, and where everybody stands."""

from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table

from coalition.kernel.errors import Refused
from server.scenario.outcome import MemberOutcome, Outcome, StepOutcome
from server.scenario.steps import Step
from server.scenario.story import Story
from server.scenario.world import Done


class Reader:
    """Listens to a story and writes it down; `page` shows all of it."""

    def __init__(self, story: Story) -> None:
        """Begin an empty page; times are shown in the story's own zone."""
        self._zone = ZoneInfo(story.coalition.timezone)
        self._steps = Table("", "when", "what", "points", title="Story", title_justify="left")
        self._steps.columns[0].justify = self._steps.columns[3].justify = "right"

    def told(self, step: Step, became: StepOutcome, answer: Done | Refused) -> None:
        """Write one step down."""
        when = step.at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M")
        name = f"{became.n} {step.id}" if step.id else str(became.n)
        if isinstance(answer, Refused):
            what = f"{step.__struct_config__.tag} refused: {answer.detail} [{answer.code}]"
            self._steps.add_row(name, when, what, "")
        else:
            points = "" if answer.points is None else f"{answer.points:,}"
            self._steps.add_row(name, when, answer.said, points)

    def page(self, outcome: Outcome) -> RenderableType:
        """Return the whole page."""
        proved = (
            f"All {outcome.audit.checks} checks of the books hold."
            if outcome.audit.ok
            else f"The books are WRONG: not all of {outcome.audit.checks} checks hold."
        )
        return Group(self._steps, _members(outcome.members), proved)


def _members(members: dict[str, MemberOutcome]) -> Table:
    table = Table(
        *("member", "can spend", "owes", "unspent points"), title="Members", title_justify="left"
    )
    for column in table.columns[1:3]:
        column.justify = "right"
    for name, member in members.items():
        spendable = [f"{member.balance:,}"]
        spendable += [f"{points:,} {code}" for code, points in member.balances.items()]
        table.add_row(name, "\n".join(spendable), f"{member.debt:,}", "\n".join(_lots(member)))
    return table


def _lots(member: MemberOutcome) -> list[str]:
    return [
        f"{lot.remaining:,}{f' {lot.currency}' if lot.currency else ''} of {lot.issuer}"
        + (f" paid by {lot.funder}" if lot.funder != lot.issuer else "")
        + (f" until {lot.expires}" if lot.expires else " without end")
        for lot in member.lots
    ]
