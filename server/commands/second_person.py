"""What all commands of two persons share: one proposes, and a second sees, approves or rejects."""

import contextlib
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
import rich_click as click
from rich.table import Table

from coalition.federation.catalogue import Catalogue
from coalition.kernel.settings import Settings
from coalition.oversight import approvals
from coalition.oversight.approvals import Approval
from coalition.oversight.refusals import UnknownApproval
from server.commands.known import read_catalogue
from server.commands.options import (
    Command,
    answer,
    as_json_option,
    example,
    place_of,
    place_options,
    say,
    table_of,
)
from server.databases import do
from server.house_clock import HouseClock

_EXAMPLE_ID = "0c6b1c2e-6f0b-4b57-9a3a-1f3f6e0d2c11"

Row = dict[str, object]
Done = TypeVar("Done")


_ALIKE = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LATIN"})
"""Scripts with letters that look like another's: one name is written in one of them."""


class PersonName(click.ParamType[str]):
    """A person's name for the audit log; however it is spaced or capitalised, it is one person.

    Letters of full width are plain ones, and a name that mixes letters which look alike is none.
    """

    name = "name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the actor of that name."""
        folded = " ".join(unicodedata.normalize("NFKC", str(value)).split()).casefold()
        while folded.startswith("staff:"):
            folded = folded.removeprefix("staff:").lstrip()
        if not 1 <= len(folded) <= 100 or not folded.isprintable():
            self.fail(f"{value!r} is no name of 1 to 100 printable characters", param, ctx)
        if len(_ALIKE & {unicodedata.name(sign, "").partition(" ")[0] for sign in folded}) > 1:
            self.fail(f"{value!r} mixes letters that look alike; use one script", param, ctx)
        return f"staff:{folded}"


prepared_by_option = click.option(
    "--prepared-by", type=PersonName(), required=True, help="Who proposes it."
)


class Signature(msgspec.Struct, frozen=True):
    """Who signs what and when, with the settings of the place where it is done."""

    approval_id: UUID
    approved_by: str
    at: datetime
    settings: Settings


class SecondPerson(msgspec.Struct, frozen=True, kw_only=True):
    """How commands show, approve and reject what is proposed of one kind of approval."""

    kind: str
    command: str
    """The group that has them, as it is typed: "member merge"."""
    approves: str
    """The help of `approve`."""
    describe: Callable[[Catalogue, Approval], Row]
    """Returns what is proposed; who prepared it, and until when it waits, is added to it."""
    approve: Callable[[Signature], Awaitable[Row]]
    """Does what was proposed and returns what was done."""
    waiting_columns: Sequence[str]
    done_columns: Sequence[str] = ()
    """The columns of what was done; without any it is shown in lines, as terms agreed on."""
    done_table: Callable[[Row], Table] | None = None
    """Returns what was done as a table, where one row of `done_columns` would not do."""
    in_cells: Callable[[Row], Row] = dict
    """Returns what is waiting as a table shows it."""
    noun: str = "proposal"
    further_kinds: tuple[str, ...] = ()
    """Other kinds that the same commands show, approve and reject; `describe` tells them apart."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds of approvals that these commands are about."""
        return (self.kind, *self.further_kinds)

    def propose(
        self,
        context: click.Context,
        prepare: Callable[[datetime], Awaitable[UUID]],
        *,
        as_json: bool,
    ) -> None:
        """Prepare what a command proposes, and answer with what now waits."""

        async def work(_: Settings) -> Row:
            at = HouseClock().now()
            (row,) = await self._prepared([await prepare(at)], at)
            return row

        row = do(place_of(context), work)
        answer(row, as_json=as_json, table=lambda: self._table([row]))

    def propose_several(
        self,
        context: click.Context,
        prepare: Callable[[datetime], Awaitable[Sequence[UUID]]],
        *,
        as_json: bool,
    ) -> None:
        """Prepare several things that a command proposes, each approved by itself."""

        async def work(_: Settings) -> list[Row]:
            at = HouseClock().now()
            return await self._prepared(await prepare(at), at)

        rows = do(place_of(context), work)
        answer({"items": rows}, as_json=as_json, table=lambda: self._table(rows))

    def add_to(self, group: click.Group, *, waiting: str = "waiting") -> None:
        """Give `group` the commands `waiting` (or what it is called there), `approve`, `reject`."""
        group.add_command(self._waiting_command(waiting))
        group.add_command(self._approve_command())
        group.add_command(self._reject_command())

    def _waiting_command(self, name: str) -> click.Command:
        @click.command(name)
        @place_options
        @as_json_option
        @click.pass_context
        @example(f"coalition {self.command} {name} --json")
        def waiting(context: click.Context, *, as_json: bool) -> None:
            """List what was proposed and waits for its second person."""

            async def work(_: Settings) -> list[Row]:
                known = await read_catalogue()
                return [self._row(known, one) for one in await self._waiting(HouseClock().now())]

            rows = do(place_of(context), work)
            answer({"items": rows}, as_json=as_json, table=lambda: self._table(rows))

        return waiting

    def _approve_command(self) -> click.Command:
        @click.command()
        @click.argument("approval_id", type=click.UUID)
        @click.option("--approved-by", type=PersonName(), required=True, help="The second person.")
        @place_options
        @as_json_option
        @click.pass_context
        @example(f"coalition {self.command} approve {_EXAMPLE_ID} --approved-by bertil")
        @_helped(self.approves)
        def approve(
            context: click.Context, *, approval_id: UUID, approved_by: str, as_json: bool
        ) -> None:
            async def work(settings: Settings) -> Row:
                at = HouseClock().now()
                return await self.approve(Signature(approval_id, approved_by, at, settings))

            row = do(place_of(context), work)
            answer(row, as_json=as_json, table=lambda: self._done_table(row))

        return approve

    def _reject_command(self) -> click.Command:
        @click.command()
        @click.argument("approval_id", type=click.UUID)
        @click.option("--rejected-by", type=PersonName(), required=True, help="Who says no.")
        @click.option("--reason", required=True, help="Why; it is kept in the audit log.")
        @place_options
        @click.pass_context
        @example(
            f"coalition {self.command} reject {_EXAMPLE_ID} --rejected-by bertil"
            ' --reason "not as agreed"'
        )
        def reject(
            context: click.Context, *, approval_id: UUID, rejected_by: str, reason: str
        ) -> None:
            """Let what was proposed under APPROVAL_ID never be; who proposed it may do so too."""

            async def work(_: Settings) -> None:
                at = HouseClock().now()

                async def of(kind: str) -> None:
                    await approvals.reject(
                        approval_id, rejected_by=rejected_by, reason=reason, at=at, kind=kind
                    )

                await of_its_kind(self.kinds, of)

            do(place_of(context), work)
            say(f"The {self.noun} is rejected.")

        return reject

    async def _prepared(self, approvals_of: Sequence[UUID], at: datetime) -> list[Row]:
        known = await read_catalogue()
        waiting = await self._waiting(at)
        return [self._row(known, one) for one in waiting if one.id in approvals_of]

    async def _waiting(self, at: datetime) -> list[Approval]:
        found = [one for kind in self.kinds for one in await approvals.waiting(at=at, kind=kind)]
        return sorted(found, key=lambda one: (one.prepared_at, one.id))

    def _row(self, known: Catalogue, one: Approval) -> Row:
        return {
            "approval_id": one.id,
            **self.describe(known, one),
            "prepared_by": one.prepared_by,
            "prepared_at": one.prepared_at,
            "expires_at": one.expires_at,
        }

    def _table(self, rows: Sequence[Row]) -> Table:
        return table_of([self.in_cells(row) for row in rows], self.waiting_columns)

    def _done_table(self, row: Row) -> Table:
        if self.done_table is not None:
            return self.done_table(row)
        if self.done_columns:
            return table_of([row], self.done_columns)
        lines = [{"term": name, "agreed": value} for name, value in row.items()]
        return table_of(lines, ("term", "agreed"))


async def of_its_kind(kinds: Sequence[str], act: Callable[[str], Awaitable[Done]]) -> Done:
    """Do `act` with the kind of `kinds` that the approval is of; of no other is it known."""
    for kind in kinds[:-1]:
        with contextlib.suppress(UnknownApproval):
            return await act(kind)
    return await act(kinds[-1])


def _helped(text: str) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        command.__doc__ = text
        return command

    return add
