"""Runs the guide for builders of apps on a demo that is served: it answers as it shows."""

import json
import re
from itertools import takewhile
from pathlib import Path

from tests.server.processes import serving
from tests.structure import tree
from tests.structure.test_papers_run import Running, assert_answers_as_shown

GUIDE = tree.ROOT / "docs" / "guides" / "families.md"


def test_every_command_of_the_guide_for_apps_answers_as_shown(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    words = ("demo", "--made-up", "--households", "6", "--data", data, "--json")
    with serving(*words) as demo:
        assert demo.process.stdout is not None
        lines = iter(demo.process.stdout)
        document = json.loads("".join([*takewhile(lambda line: line != "}\n", lines), "}"]))
        client = document["client"]
        running = Running(demo.url, client["client_id"], client["client_secret"])
        assert_answers_as_shown(_for(document["logins"]), running, tmp_path)
        demo.end()


def _for(logins: list[dict[str, str]]) -> str:
    """Return the guide with how people sign in to this demo."""
    text = GUIDE.read_text("utf-8")
    member, guardian = logins
    for name, value in (
        ("MEMBER_EMAIL", member["email"]),
        ("MEMBER_PASSWORD", member["password"]),
        ("GUARDIAN_EMAIL", guardian["email"]),
        ("GUARDIAN_PASSWORD", guardian["password"]),
        ("GUARDIAN", guardian["member_id"]),
    ):
        text, found = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert found == 1, name
    return text
