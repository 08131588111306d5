"""Makes point currencies: the coalition's, or a partner's own; each is audited."""

from datetime import datetime

import msgspec

from coalition.federation import catalogue, rules, tables
from coalition.federation.refusals import PointCurrencyTaken, UnknownPartner
from coalition.federation.terms import PointCurrency
from coalition.kernel.database import Connection, transaction
from coalition.oversight import audit_log


async def create_currency(
    *, code: str, name: str, actor: str, at: datetime, partner_no: int | None = None
) -> PointCurrency:
    """Make a point currency, a partner's own or the coalition's (None).

    It is never changed: points that are out carry it. Raises `PointCurrencyTaken`,
    `InvalidPointCurrency`, `InvalidName` or `UnknownPartner`.
    """
    trimmed = rules.valid_name(name)
    async with transaction() as connection:
        await catalogue.bump(connection)
        await _check(connection, code, partner_no)
        currency = PointCurrency(
            no=await catalogue.next_no(connection, "point_currency"),
            code=code,
            name=trimmed,
            partner_no=partner_no,
        )
        await tables.PointCurrency.insert(tables.PointCurrency(**msgspec.structs.asdict(currency)))
        await audit_log.record(
            connection,
            actor=actor,
            action="point_currency.created",
            subject="coalition" if partner_no is None else f"partner:{partner_no}",
            facts=msgspec.structs.asdict(currency),
            at=at,
        )
    return currency


async def _check(connection: Connection, code: str, partner_no: int | None) -> None:
    if partner_no is not None and not await connection.fetchval(
        "SELECT true FROM partner WHERE no = $1", partner_no
    ):
        raise UnknownPartner(partner_no=partner_no)
    if await connection.fetchval("SELECT true FROM point_currency WHERE code = $1", code):
        raise PointCurrencyTaken(point_currency=code)
