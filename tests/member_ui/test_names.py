"""Names that people give themselves: signs of markup, of templates, and of other directions."""

from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from markupsafe import escape

from coalition.kernel.ids import random_id
from member_ui.words import WORDS
from pages.places import LocalWording
from pages.rendering import environment, page

NAMES = ("<script>alert(1)</script>", "{{7*7}}", "\u202eרבקה", "Åsa \"'&amp;", "\u202e\u2066x")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is_and_turns_nothing_around_it(name: str) -> None:
    session = SimpleNamespace(form_key="k", member_id=random_id())
    seat = SimpleNamespace(member_id=random_id())
    around = {"w": LocalWording("en", WORDS["en"], ZoneInfo("UTC")), "name": name, "act": "a"}
    around |= {"session": session, "here": "/membership/seats", "languages": [], "done": ""}
    around |= {"unread": 0, "now": datetime(2026, 11, 21, tzinfo=UTC)}
    seats = SimpleNamespace(items=[seat], seats=3, shared_by=None)
    shown = {"seats": seats, "names": {seat.member_id: name}}
    shown |= {"others": [SimpleNamespace(member_id=random_id(), name=name)]}
    made = page(environment("member_ui"), "member_ui/seats.html", around | shown)
    text = made.content.decode()
    assert "<script" not in text
    assert ">49<" not in text
    assert text.count(f"<bdi>{escape(name)}</bdi>") == 2, "its direction is its own"
