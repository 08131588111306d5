"""A partner's own statements: listed, as they stand at this instant, and as they were frozen."""

from datetime import datetime
from uuid import UUID

import msgspec

from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection, transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from partners.settlement import line_sources, periods, statements
from partners.settlement.kinds import StatementState
from partners.settlement.refusals import UnknownPeriod, UnknownStatement
from partners.settlement.statements import FROZEN, Live, Statement
from partners.statements import queries, telling
from partners.statements.views import LiveStatement, StatementList, StatementSummary, StatementView


async def list_statements(
    *,
    partner_no: int,
    at: datetime,
    state: StatementState | None,
    period: str | None,
    cursor: int | None,
    limit: int,
) -> StatementList:
    """Return a page of the partner's statements, the latest first; open ones as they stand."""
    await periods.ensure(at)
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        found = await queries.page(
            connection,
            partner_no=partner_no,
            at=at,
            state=state,
            name=period,
            before=cursor,
            limit=limit + 1,
        )
        closed = [one.statement for one in found if one.state in FROZEN]
        totals = await queries.totals(connection, closed)
    unclosed = await _unclosed(partner_no, at) if len(closed) < len(found) else {}

    def summary(one: queries.Listed) -> StatementSummary:
        live = unclosed.get(one.period_no)
        if one.statement in closed or live is None:
            return telling.summary_of(one, totals.get(one.statement, ()), None)
        return telling.summary_of(one, live.totals, live.unpriced_since)

    return StatementList(
        [summary(one) for one in found[:limit]],
        found[limit - 1].period_no if len(found) > limit else None,
    )


async def live(
    catalogue: Catalogue, *, partner_no: int, period: str | None, at: datetime
) -> LiveStatement:
    """Return an open period, the present one by default, as it stands at `at`.

    Raises `UnknownPeriod` where no open period of the partner has that name.
    """
    found = await live_statement(partner_no, period, at)
    statement = found.statements[-1]
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        limit = await queries.limit_of(connection, partner_no)
        names = await _names(connection, statement)
    return LiveStatement(
        period=telling.period_of(statement.head.period),
        state=statement.head.state,
        as_of=at,
        unsettled_charges=found.unsettled_charges,
        unpriced_since=statement.unpriced_since,
        lines=telling.lines_of(statement.lines, names, catalogue),
        totals=telling.totals_of(statement.totals),
        prior_period=telling.totals_of(statement.prior_period),
        control=telling.control_of(statement.totals),
        credit=telling.credit_of(limit, catalogue, at),
    )


async def show(
    statement_id: UUID, catalogue: Catalogue, *, partner_no: int, at: datetime
) -> StatementView:
    """Return a statement of the partner. Raises `UnknownStatement`."""
    statement = await statement_of(statement_id, partner_no, at)
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        names = await _names(connection, statement)
    head = statement.head
    assert head.id is not None, "it was found by its id"
    return StatementView(
        statement_id=head.id,
        number=head.number,
        period=telling.period_of(head.period),
        state=head.state,
        sealed_at=head.sealed_at,
        closed_at=head.closed_at,
        approved_at=head.approved_at,
        lines=telling.lines_of(statement.lines, names, catalogue),
        totals=telling.totals_of(statement.totals),
        prior_period=telling.totals_of(statement.prior_period),
        control=telling.control_of(statement.totals),
        charges=head.charges,
        digest=None if head.digest is None else head.digest.hex(),
    )


async def statement_of(statement_id: UUID, partner_no: int, at: datetime) -> Statement:
    """Return a statement of the partner by its id, closed or not. Raises `UnknownStatement`."""
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        head = await statements.head_of(connection, statement_id, names_staff=False)
        if head is None:
            raise UnknownStatement
        if head.is_frozen:
            return await statements.frozen(connection, head)
    return (await live_statement(partner_no, head.period.name, at)).statements[-1]


async def live_statement(partner_no: int, period: str | None, at: datetime) -> Live:
    """Return the partner's statements up to an open period, the present one by default.

    Raises `UnknownPeriod` where no open period of the partner has that name.
    """
    live = await statements.live(partner_no, at)
    if period is None:
        return live
    names = [one.head.period.name for one in live.statements]
    if period not in names:
        raise UnknownPeriod("No open period of yours has this name; see GET /v1/statements")
    shown = live.statements[: names.index(period) + 1]
    return msgspec.structs.replace(live, statements=shown)


async def _unclosed(partner_no: int, at: datetime) -> dict[int, Statement]:
    live = await statements.live(partner_no, at)
    return {one.head.period.no: one for one in live.statements}


async def _names(connection: Connection, statement: Statement) -> dict[int, str]:
    """Return the names of the periods that lines belong to."""
    origins = [line.origin_no for line in statement.lines]
    return await line_sources.period_names(connection, statement.head.period.partner_no, origins)
