"""The command line `coalition`: finds the command, runs it, and says in a sentence what failed."""

import importlib
from typing import Final

import rich_click as click

from server.commands.options import example

_COMMANDS: Final = {
    "serve": "server.commands.serve:serve",
    "demo": "server.commands.demo:demo",
    "worker": "server.commands.worker:worker",
    "migrate": "server.commands.migrate:migrate",
    "partner": "server.commands.partner:partner",
    "earning": "server.commands.earning:earning",
    "currency": "server.commands.currency:currency",
    "expiry": "server.commands.expiry:expiry",
    "rules": "server.commands.rules:rules",
    "client": "server.commands.client:client",
    "keys": "server.commands.keys:keys",
    "member": "server.commands.member:member",
    "guardian": "server.commands.guardian:guardian",
    "family": "server.commands.family:family",
    "transfer": "server.commands.transfer:transfer",
    "guard": "server.commands.guard:guard",
    "debt": "server.commands.debt:debt",
    "membership": "server.commands.membership:membership",
    "adjustment": "server.commands.adjustment:adjustment",
    "plan": "server.commands.plan:plan",
    "messages": "server.commands.messages:messages",
    "settle": "server.commands.settle:settle",
    "doctor": "server.commands.doctor:doctor",
    "backup": "server.commands.backup:backup",
    "restore": "server.commands.backup:restore",
    "audit": "server.commands.audit:audit",
    "verify": "server.commands.verify:verify",
    "scenario": "server.commands.scenario:scenario",
}
"""Where each command lives; its module is imported when it is asked for."""


class Commands(click.RichGroup):
    """The group of all commands, each imported when it is used, so that `serve` starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, if there is one."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command), f"{module} has no command {name}"
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; let every failure that has a meaning come out with its exit status."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # Imported here: only a failure pays for knowing every kind of failure.
            from server.failures import as_stopped  # noqa: PLC0415 - see above

            stopped = as_stopped(error)
            if stopped is None:
                raise
            raise stopped from error


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="coalition")
@example("coalition demo", "coalition serve", 'coalition partner create --name "Corner Shop"')
def main() -> None:
    """Run a partner coalition: points that one company issues and all others take.

    Every command works on the data directory given with --data (an embedded PostgreSQL runs there
    for as long as somebody needs it) or on a PostgreSQL server given with --database-url or
    COALITION_DATABASE_URL. Without either it is data/coalition below the present directory.

    Exit status: 0 done; 1 done, and the answer is no (a breach, a refusal); 2 the command line,
    the settings or the input are wrong; 3 the database or the port cannot be had now.
    """


if __name__ == "__main__":
    main()
