"""The families group: transfers with limits enforced, their previews, and pools of eight.

Members send each other points over HTTP with tokens of their own, beside tills that issue; then
groups of eight pay together. Some senders have two years of daily transfers behind them: what one
costs does not depend on that.
"""

import asyncio
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from bench.ledger import BALANCE, ISSUE, REDEEM, Bench, audited
from bench.load import Load
from bench.report import Result, Samples, measures_of, result_of
from bench.world import World, make_world, serving
from coalition.access import signing_keys
from coalition.families.groups import forming
from coalition.families.groups.entering import Newcomer
from coalition.families.rule_sets import registering
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.transfers.transferring import Transfers
from coalition.kernel.clock import SystemClock
from coalition.kernel.database import open_database, transaction
from coalition.kernel.identity import (
    MEMBER_SCOPE,
    MEMBERS,
    MEMBERS_CLIENT,
    AccessClaims,
    audience_of,
)
from coalition.kernel.ids import bucket_of, random_id
from coalition.kernel.settings import Settings
from coalition.ledger import posting
from coalition.ledger.partitions import ensure_partition
from coalition.members.sealing import MemberKeys
from server.apps import APPS

GROUP = "families"
MEMBERS_IN_ALL = 20_000
LOTS_EACH = 10
SENDERS = 2_000
"""Who sends, and as many with a long history."""
POOLS = 500
POOL_SIZE = 8
DAYS_BEHIND = 700

_LIMITS = [
    {"subject": "sender", "measure": "amount", "window": "calendar_year", "max": 10**9},
    {"subject": "receiver", "measure": "amount", "window": "calendar_year", "max": 10**9},
    {"subject": "sender", "measure": "count", "window": "rolling 30 days", "max": 10**6},
]
_SENDING = {
    "title": "Sending points",
    "mechanism": "p2p",
    "eligibility": {"good_standing": True},
    "transfer": {"min": 1, "max": 500_000},
    "limits": _LIMITS,
}
_POOLING = {
    "title": "Paying together",
    "mechanism": "pool_view",
    "group": {"members": {"min": 2, "max": POOL_SIZE}, "spend": {"member": {"scope": "pool"}}},
    "debit": {"order": "proportional"},
}

_AS_A_MEMBER = """
  local sender, token = member:match("(%S+) (%S+)")
  local receiver = members[math.random(#members)]:match("%S+")
  while receiver == sender do receiver = members[math.random(#members)]:match("%S+") end
  headers["Authorization"] = "Bearer " .. token
"""
_BODY = """string.format('{"to":"%s","points":3}', receiver)"""
TRANSFER = Load(path="/v1/transfers", body=_BODY, before=_AS_A_MEMBER)
PREVIEW = Load(path="/v1/transfers/preview", body=_BODY, before=_AS_A_MEMBER)


def run(*, rounds: int, seconds: int, say: Callable[[str], None]) -> list[Result]:
    """Measure the group: every kind `rounds` times in turn."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="coalition-bench-") as folder:
        say(f"making a world of {MEMBERS_IN_ALL:,} members, {POOLS} pools of {POOL_SIZE}")
        size = MEMBERS_IN_ALL * LOTS_EACH
        history = make_world(
            Path(folder), members=MEMBERS_IN_ALL, lots_each=LOTS_EACH, postings=size
        )
        with history as world:
            files = asyncio.run(_prepare(world))
            with serving(world):
                warm_up = Bench(world, "", seconds, Samples())
                _renew_tokens(world, files)
                warm_up.single("warm_up", ISSUE)
                warm_up.single("warm_up", TRANSFER, members=files.fresh)
                warm_up.single("warm_up", TRANSFER, members=files.seasoned)
                bench = Bench(world, "", seconds, samples)
                for no in range(rounds):
                    say(f"round {no + 1} of {rounds}")
                    _round(bench, files)
            asyncio.run(_forget_season(world, files))
            report = asyncio.run(audited(world.postgres.url))
            say(f"audit: {report.checks} checks, {len(report.breaches)} breaches")
            assert report.ok, report.breaches
    return [result_of(GROUP, measure, samples) for measure in measures_of(GROUP)]


class _Files(msgspec.Struct, frozen=True):
    """Whom load is about: senders with their tokens, and members of pools."""

    fresh: Path
    seasoned: Path
    pooled: Path


def _round(bench: Bench, files: _Files) -> None:
    _renew_tokens(bench.world, files)
    bench.single("issue_alone", ISSUE)
    bench.single("transfer", TRANSFER, members=files.fresh)
    bench.single("fresh", TRANSFER, members=files.fresh)
    bench.single("seasoned", TRANSFER, members=files.seasoned)
    bench.single("balance_read", BALANCE)
    bench.single("preview", PREVIEW, members=files.fresh)
    # A ratio of times: how many times a read of a balance a preview takes.
    reading = bench.samples.readings
    reading.setdefault("preview_cost", []).append(1e6 / reading["preview"][-1])
    reading.setdefault("balance_cost", []).append(1e6 / reading["balance_read"][-1])
    bench.single("redeem_alone", REDEEM)
    bench.single("pool", REDEEM, members=files.pooled)


async def _prepare(world: World) -> _Files:
    """Activate rule sets, form pools, give some senders a history; return whom load is about."""
    engine = await open_database(world.postgres.url, apps=APPS)
    members = world.members()
    fresh, rest = members[:SENDERS], members[SENDERS:]
    seasoned, rest = rest[:SENDERS], rest[SENDERS:]
    pooled = rest[: POOLS * POOL_SIZE]
    try:
        for name, kind, document in (
            ("sending", "p2p", _SENDING),
            ("pooling", "household", _POOLING),
        ):
            await _activate(name, kind, msgspec.convert(document, RuleSet))
        await _form_pools(world, pooled)
        await _season(seasoned)
        assert engine.pool is not None
        # As what lies two years back has been long since.
        await engine.pool.execute("VACUUM ANALYZE family_usage")
    finally:
        await engine.close()
    files = _Files(*(world.directory / f"{name}.txt" for name in ("fresh", "seasoned", "pooled")))
    files.pooled.write_text("\n".join(map(str, pooled)) + "\n", "ascii")
    files.fresh.write_text("\n".join(map(str, fresh)) + "\n", "ascii")
    files.seasoned.write_text("\n".join(map(str, seasoned)) + "\n", "ascii")
    return files


async def _activate(name: str, kind: str, rules: RuleSet) -> None:
    at = SystemClock().now()
    approval = await registering.prepare(
        name, rules, valid_from=None, prepared_by="bench:first", at=at
    )
    await registering.approve(approval, approved_by="bench:second", at=at)
    approval = await registering.prepare_binding(
        kind, name, valid_from=None, prepared_by="bench:first", at=at
    )
    await registering.approve_binding(approval, approved_by="bench:second", at=at)


async def _form_pools(world: World, pooled: list[UUID]) -> None:
    keys = MemberKeys.of(_settings(world))
    service = Transfers(keys=keys, clock=SystemClock())
    for first in range(0, len(pooled), POOL_SIZE):
        at = SystemClock().now()
        head, *others = pooled[first : first + POOL_SIZE]
        await ensure_partition(at)
        async with transaction(posting.PINNED) as connection:
            book = await service.book(connection, at)
            founders = [Newcomer(member=one, role="relative") for one in others]
            await forming.form(connection, "household", head, book, founders=founders)


_DAYS = """
INSERT INTO family_usage (bucket, subject, side, event, day, other, amount, times)
SELECT bucket, subject, 'sender', 'transfer', day::date, subject, 3, 1
FROM unnest($1::int2[], $2::uuid[]) AS sender (bucket, subject),
     generate_series($3::date, $4::date, interval '1 day') AS day
"""
# As `coalition.families.transfers.usage` keeps them: a thousand years before, under nobody.
_MONTHS = """
INSERT INTO family_usage (bucket, subject, side, event, day, other, amount, times)
SELECT bucket, subject, side, event, (date_trunc('month', day) - interval '1000 years')::date,
       '00000000-0000-0000-0000-000000000000', sum(amount), sum(times)
FROM family_usage WHERE subject = ANY ($1::uuid[]) AND day > '1900-01-01' GROUP BY 1, 2, 3, 4, 5
"""
_NO_PAST = """
DELETE FROM family_usage
WHERE subject = ANY ($1::uuid[]) AND side = 'sender' AND event = 'transfer'
  AND day > '-infinity' AND day < $2
"""
_NO_MONTHS = """
DELETE FROM family_usage
WHERE subject = ANY ($1::uuid[]) AND day > '-infinity' AND day < '1900-01-01'
"""


async def _season(senders: list[UUID]) -> None:
    """Let senders have sent points on each day of the last two years, as far as limits know."""
    today = SystemClock().now().date()
    first = today - timedelta(days=DAYS_BEHIND)
    buckets = [bucket_of(sender) for sender in senders]
    async with transaction() as connection:
        await connection.execute(_DAYS, buckets, senders, first, today - timedelta(days=1))
        await connection.execute(_MONTHS, senders)


async def _forget_season(world: World, files: _Files) -> None:
    """Take the made up past away again: there are no transfers to it, as an audit would find."""
    senders = [UUID(line.split()[0]) for line in files.seasoned.read_text("ascii").splitlines()]
    engine = await open_database(world.postgres.url, apps=APPS)
    try:
        async with transaction() as connection:
            await connection.execute(_NO_PAST, senders, SystemClock().now().date())
            await connection.execute(_NO_MONTHS, senders)
            await connection.execute(_MONTHS, senders)
    finally:
        await engine.close()


def _renew_tokens(world: World, files: _Files) -> None:
    """Write beside each sender a token that lives long enough for a round."""
    tokens = asyncio.run(_tokens(world, files.fresh, files.seasoned))
    for path, lines in tokens.items():
        path.write_text("\n".join(lines) + "\n", "ascii")


def _settings(world: World) -> Settings:
    """Return the settings of the service, as it serves its world."""
    return Settings.load(
        {}, data_directory=world.directory, database_url=world.postgres.url, issuer=world.url
    )


async def _tokens(world: World, *paths: Path) -> dict[Path, list[str]]:
    settings = _settings(world)
    engine = await open_database(world.postgres.url, apps=APPS)
    at = SystemClock().now()
    try:
        async with transaction() as connection:
            key = await signing_keys.active_signing_key(
                connection, master_key=settings.master_key, at=at
            )
    finally:
        await engine.close()
    issued_s = int(at.timestamp())

    def line(member: str) -> str:
        claims = AccessClaims(
            iss=settings.issuer,
            sub=member,
            client_id=MEMBERS_CLIENT,
            aud=audience_of(settings.issuer),
            iat=issued_s,
            exp=issued_s + 900,
            jti=str(random_id()),
            scope=MEMBER_SCOPE,
            client_no=0,
            partner_no=MEMBERS,
            member_id=UUID(member),
            auth_time=issued_s,
        )
        return f"{member} {key.sign(claims)}"

    return {
        path: [line(row.split()[0]) for row in path.read_text("ascii").splitlines()]
        for path in paths
    }
