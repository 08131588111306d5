"""A story as people read it on a terminal: what happened when, and where everybody stands."""

from collections.abc import Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table

from coalition.kernel.errors import Refused
from coalition.kernel.money import exponent
from server.scenario.by_memberships import MembershipOutcome
from server.scenario.outcome import MemberOutcome, Outcome, StepOutcome
from server.scenario.settled import LineOutcome
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
            paid = answer.paid
            money = "" if paid is None else f": {_money(paid.amount_minor, paid.currency)}"
            self._steps.add_row(name, when, f"{answer.said}{money}", points)

    def page(self, outcome: Outcome) -> RenderableType:
        """Return the whole page."""
        proved = (
            f"All {outcome.audit.checks} checks of the books hold."
            if outcome.audit.ok
            else f"The books are WRONG: not all of {outcome.audit.checks} checks hold."
        )
        settled = [*_statements(outcome), *_netting(outcome)]
        plans = _memberships(outcome.memberships)
        return Group(self._steps, _members(outcome.members), *plans, *settled, proved)


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


def _memberships(found: dict[str, MembershipOutcome]) -> Iterator[RenderableType]:
    """Yield a table of paid memberships, if there are any; what was given back is below zero."""
    if not found:
        return
    table = Table(
        *("member", "plan", "state", "benefits until", "paid"),
        title="Memberships",
        title_justify="left",
    )
    table.columns[4].justify = "right"
    for name, one in found.items():
        until = "" if one.entitled_until is None else f"{one.entitled_until:%F %H:%M} UTC"
        paid = [f"{_money(each.amount_minor, each.currency)}" for each in one.payments]
        table.add_row(name, one.plan or "", one.state, until, "\n".join(paid))
    yield table


def _statements(outcome: Outcome) -> Iterator[RenderableType]:
    """Yield a table of all statements, if there are any; its last row is each one's net."""
    if not outcome.statements:
        return
    table = Table(
        *("partner", "period", "line", "points", "amount", "VAT"),
        title="Statements: what partners pay; below zero they receive",
        title_justify="left",
    )
    for column in table.columns[3:]:
        column.justify = "right"
    for name, held in outcome.statements.items():
        for period, statement in held.items():
            for line in statement.lines:
                amounts = (line.amount_minor, line.vat_minor)
                money = (_money(one, line.currency or statement.currency) for one in amounts)
                table.add_row(name, period, _line(line), f"{line.points:,}", *money)
            nets = statement.nets_minor or {statement.currency: statement.net_minor}
            for currency, net_minor in nets.items():
                what = f"net {currency}, {statement.state}"
                table.add_row(name, period, what, "", _money(net_minor, currency), "")
            table.add_section()
    yield table


def _netting(outcome: Outcome) -> Iterator[RenderableType]:
    """Yield a table of what was netted, if anything was."""
    if not outcome.netting:
        return
    table = Table("periods", "currency", "partner", "pays", title="Netting", title_justify="left")
    table.columns[3].justify = "right"
    for cycle in outcome.netting:
        for leg in cycle.legs:
            paid = _money(leg.amount_minor, cycle.currency)
            table.add_row(", ".join(cycle.periods), cycle.currency, leg.partner, paid)
        table.add_section()
    yield table


def _line(line: LineOutcome) -> str:
    kind = line.kind.replace("_", " ")
    return f"{kind} of {line.origin_period}" if line.origin_period else kind


def _money(amount_minor: int, currency: str) -> str:
    places = exponent(currency)
    return f"{Decimal(amount_minor).scaleb(-places):,.{places}f}"
