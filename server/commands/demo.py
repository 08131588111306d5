"""`coalition demo`: a coalition with a year of purchases behind it, ready to try."""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import rich_click as click

from server.commands.options import answer, as_json_option, example, say
from server.exits import ANSWER_IS_NO
from server.place import Place

if TYPE_CHECKING:
    from server.demo.keepsake import Keepsake

DEFAULT_DATA = Path("data/demo")

# Whoever copies a line that a terminal folded copies it broken: none is wider than 80 columns.
_TRY = """\
Try it:
  URL={url}
  CLIENT={client_id}
  SECRET={client_secret}
  TOKEN=$(curl -s $URL/oauth/token -u $CLIENT:$SECRET \\
    -d grant_type=client_credentials |
    sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -s "$URL/v1/members?card={card}" -H "Authorization: Bearer $TOKEN"
  NOW=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  curl -s $URL/v1/points/issue -H "Authorization: Bearer $TOKEN" \\
    -H "Idempotency-Key: try-1" -H "Content-Type: application/json" \\
    -d '{{"card": "{card}", "receipt": "try-1", "occurred_at": "'$NOW'",
         "purchase": {{"amount_minor": 4990, "currency": "USD"}}}}'"""


@click.command()
@click.option("--full", is_flag=True, help="Take the whole history, not a slice.")
@click.option(
    "--households", type=click.IntRange(1, 100_000), help="Take so many households.  [default: 500]"
)
@click.option("--made-up", is_flag=True, help="Make a history up even where the real one is there.")
@click.option(
    "--leave-last-month",
    is_flag=True,
    help="Leave the last month for you to seal, close and net, as the guide for finance does.",
)
@click.option("--afresh", is_flag=True, help="Remove the demo in the directory and begin again.")
@click.option("--no-serve", is_flag=True, help="End after the audit.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=DEFAULT_DATA,
    show_default=True,
    help="The demo's own data directory.",
)
@as_json_option
@click.pass_context
@example("coalition demo", "coalition demo --full --no-serve --json")
def demo(
    context: click.Context,
    *,
    full: bool,
    households: int | None,
    made_up: bool,
    leave_last_month: bool,
    afresh: bool,
    no_serve: bool,
    host: str,
    port: int,
    data: Path,
    as_json: bool,
) -> None:
    """Load a coalition of five companies with a year of purchases, prove it, and serve it.

    The purchases are those of The Complete Journey (84.51°): simulated data based on real shopping
    patterns, for learning only. Without that data set a seeded generator makes up a history of the
    same shape. All dates are moved by whole weeks to end before today. Everything goes through the
    partners' batch API over HTTP, month by month, with returns, redemptions and expiry. Each month
    that is over is settled: sealed, closed by two persons, and netted.

    Some households have had paid memberships for some months: trials, renewals, an upgrade, a
    gift, a card that fails, a dispute, a dearer price. One partner pays ahead, one is at its limit.

    Beside the households there is a family with a pool, and a friend who may send points. With
    --json, "logins" says how a member and a guardian sign in at /v1/sign-in.

    A directory that holds a demo is served as it is; --afresh begins again.
    """
    runner: Any = importlib.import_module("server.demo.run")  # Any: heavy, imported when it is run
    if not no_serve:
        # Before the history is told: a port that is taken should be known at once.
        serving: Any = importlib.import_module("server.serving")  # Any: likewise
        serving.listening_address(host, port)
    wanted = runner.ALL_HOUSEHOLDS if full else households
    place = Place(os.environ, data=data)
    kept = runner.ensure_told(
        place,
        households=wanted,
        is_made_up=made_up,
        afresh=afresh,
        leave_last_month=leave_last_month,
        say=say,
    )
    if no_serve:
        answer(_document(kept, None), as_json=as_json, table=lambda: _told(kept, data))
    else:
        _serve(place, kept, host=host, port=port, as_json=as_json)
    if not kept.audit.ok:
        context.exit(ANSWER_IS_NO)


def _serve(place: Place, kept: "Keepsake", *, host: str, port: int, as_json: bool) -> None:
    house: Any = importlib.import_module("server.house")  # Any: likewise
    directory = place.directory
    assert directory is not None, "the demo lives in a data directory"

    async def ready(_: object, address: Any) -> None:
        document = _document(kept, address.url)
        answer(
            document,
            as_json=as_json,
            table=lambda: f"{_told(kept, directory)}\n{to_try(kept, address.url)}",
        )

    house.run(place, host=host, port=port, say=say, on_ready=ready)


def _document(kept: "Keepsake", url: str | None) -> dict[str, object]:
    """Return the one object that --json prints."""
    return {
        "url": url,
        "logins": msgspec.to_builtins(kept.logins),
        "client": msgspec.to_builtins(kept.client),
        "loaded": msgspec.to_builtins(kept.loaded),
        "settled": msgspec.to_builtins(kept.settled),
        "audit": msgspec.to_builtins(kept.audit),
        "source": {"name": kept.source, "note": kept.note, "households": kept.households},
        "card": kept.card,
        "refused": kept.refused,
    }


def _told(kept: "Keepsake", data: Path) -> str:
    loaded = kept.loaded
    settled = kept.settled
    proof = f"all {kept.audit.checks} checks hold" if kept.audit.ok else "BROKEN"
    return (
        f"{kept.source}: {kept.note}.\n"
        f"{loaded.members} members, {loaded.partners} partners, {loaded.postings} postings, "
        f"loaded in {loaded.seconds:.1f} s; audit: {proof}.\n"
        f"{settled.statements} statements are closed by two persons, and netted in "
        f"{settled.cycles} cycles, in {settled.seconds:.1f} s.{_to_look_at(kept, data)}"
    )


def _to_look_at(kept: "Keepsake", data: Path) -> str:
    """Return the command that shows a closed statement; nothing where none was closed."""
    if kept.settled.period is None:
        return ""
    return (
        f' Look at one:\n  coalition settle statement "{kept.client.partner}" \\\n'
        f"    --period {kept.settled.period} --data {data}\n"
        "What paid memberships come to, and who is at its limit:\n"
        f"  coalition membership figures --month {kept.settled.period} --data {data}\n"
        f"  coalition settle credit --data {data}"
    )


def to_try(kept: "Keepsake", url: str) -> str:
    """Return what somebody at a shell can try on the demo that is served at `url`."""
    return (
        f"The members' pages: {url}\n{_people(kept, url)}"
        f"The API's page: {url}/schema\n"
        f"A client of {kept.client.partner}, with all scopes, is in the lines below.\n"
        + _TRY.format(
            url=url,
            client_id=kept.client.client_id,
            client_secret=kept.client.client_secret,
            card=kept.card,
        )
    )


def _people(kept: "Keepsake", url: str) -> str:
    """Return who can sign in at the pages, and how to pay and to let time go by there."""
    if not kept.logins:
        return ""
    people = "".join(f"  {one.email}  password {one.password}\n" for one in kept.logins)
    return (
        f"Join there, or sign in ({kept.logins[-1].email} has a plan):\n{people}"
        "Pay with test card 4242 4242 4242 4242, and let months go by at\n"
        f"  {url}/sandbox/time-machine\n"
    )
