"""Messages on the command line: what became of each, and sending one again."""

from pathlib import Path
from uuid import UUID

from coalition.kernel.clock import SystemClock
from coalition.kernel.settings import Settings
from server.databases import do
from server.place import Place
from tests.server.processes import within
from tests.server.test_member import enrolled
from tests.server.test_serving import assert_stopped
from tests.support.members import told


def test_staff_set_the_language_of_the_coalition_by_name(data: Path) -> None:
    asked = ("messages", "language", "--data", data, "--json")
    assert within(*asked).document == {"language": "en"}
    assert within(*asked, "sv", "--by", "Anna").document == {"language": "sv"}
    assert within(*asked).document == {"language": "sv"}
    assert within(*asked, "nb").status == 2
    assert within(*asked, "--by", "Anna").status == 2
    assert within(*asked, "de", "--by", "Anna").status == 2
    assert ", speaks sv" in within("doctor", "--data", data).out


def test_staff_list_the_messages_of_a_member_and_send_one_again(data: Path) -> None:
    member = enrolled(data, "TOLD")

    async def work(_: Settings) -> str:
        return await told(UUID(member), SystemClock().now())

    message = do(Place(environ={}, data=data), work)
    listed = within("messages", "list", "--member", member, "--data", data, "--json")
    (one,) = listed.document["items"]
    assert (one["message_id"], one["email"], one["subject"]) == (message, "waiting", "News")
    assert "body" not in one
    again = ("messages", "retry", message, "--by", "Anna", "--data", data, "--json")
    assert within(*again).document == {"messages": 0}
    assert within("messages", "retry", "--by", "Anna", "--data", data).status == 2
    nobody = ("messages", "retry", member, "--by", "Anna", "--data", data)
    assert_stopped(within(*nobody), 2, "[message_not_found]")
