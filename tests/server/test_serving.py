"""`coalition serve` as a machine's owner meets it: ready, used from outside, joined, stopped."""

import os
import signal
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from coalition.kernel import embedded_postgres
from coalition.ledger import audit
from server.worker import GIVES_WAY
from tests.server.processes import Ended, coalition, serving


def token(url: str, client: dict[str, str]) -> dict[str, str]:
    """Return the header that a client of the coalition sends."""
    form = {"grant_type": "client_credentials"}
    secret = (client["client_id"], client["client_secret"])
    answer = httpx.post(f"{url}/oauth/token", data=form, auth=secret)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def workers_of(pid: int) -> list[int]:
    """Return the workers that the service `pid` has started and that still run."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    lines = [line.split() for line in listed.stdout.splitlines()]
    return [int(words[0]) for words in lines if "worker" in words]


def is_alive(pid: int) -> bool:
    """Tell whether a process still runs; one that has ended and is not yet reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_points_are_issued_from_outside_while_another_command_joins(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving("serve", "--data", data) as service:
        assert httpx.get(f"{service.url}/health/ready").status_code == 200
        made = coalition("partner", "create", "--name", "Handlarn", "--data", data, "--json")
        assert made.status == 0, made.err
        headers = token(service.url, made.document)
        member = httpx.post(
            f"{service.url}/v1/members",
            json={"card": "KORT1234"},
            headers=headers | {"Idempotency-Key": "enrol"},
        ).json()["member_id"]
        purchase = {"amount_minor": 12_345, "currency": "SEK"}
        when = datetime.now(UTC).isoformat()  # noqa: TID251 - a till outside has its own clock
        issued = httpx.post(
            f"{service.url}/v1/points/issue",
            json={"card": "KORT1234", "receipt": "1", "occurred_at": when, "purchase": purchase},
            headers=headers | {"Idempotency-Key": "issue"},
        )
        assert issued.status_code == 201, issued.text
        shown = coalition("member", "show", "--card", "kort 1234", "--data", data, "--json")
        assert (shown.document["member_id"], shown.document["balance"]) == (member, 123)
        assert coalition("audit", "--data", data, "--json").document["ok"] is True
        assert coalition("doctor", "--data", data).status == 0
        ended = service.end()
    assert (ended.status, ended.out) == (0, "")
    assert embedded_postgres.running(data) is None
    checks = coalition("audit", "--data", data, "--json").document["checks"]
    assert checks > len(audit.CHECKS)
    assert coalition("audit", "--data", data).out == f"All {checks} checks hold.\n"
    (data / "master_key").write_text("00" * 32)
    assert_stopped(coalition("serve", "--data", data, "--port", "0"), 2, "COALITION_MASTER_KEY")
    doctor = coalition("doctor", "--data", data, "--json")
    assert doctor.status == 1
    assert [one["check"] for one in doctor.document["findings"] if not one["ok"]] == ["master key"]
    assert doctor.document["settings"]["COALITION_MASTER_KEY"] == "(secret)"


def test_nothing_is_left_of_a_service_that_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving("serve", "--data", data) as service:
        assert httpx.get(f"{service.url}/health/ready").status_code == 200
        workers: list[int] = []
        while not workers:
            workers = workers_of(service.process.pid)
        service.process.kill()
        service.process.communicate()
    while any(is_alive(worker) for worker in workers):
        os.sched_yield()
    assert embedded_postgres.running(data) is None


def test_what_is_in_flight_is_answered_before_the_end(tmp_path: Path) -> None:
    with serving("serve", "--no-worker", "--data", tmp_path / "data") as service:
        place = urlsplit(service.url)
        body = b"grant_type=client_credentials&client_id=nobody&client_secret=none"
        head = (
            f"POST /oauth/token HTTP/1.1\r\nHost: {place.netloc}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection((str(place.hostname), place.port or 0)) as slow:
            slow.sendall(head.encode() + body[:10])
            # The one that asks is in flight too.
            while "requests_in_flight 2.0" not in httpx.get(f"{service.url}/metrics").text:
                os.sched_yield()
            service.process.send_signal(signal.SIGTERM)
            while (ready := httpx.get(f"{service.url}/health/ready")).status_code == 200:
                os.sched_yield()
            assert (ready.status_code, ready.json()["failing"]) == (503, ["draining"])
            slow.sendall(body[10:])
            answer = slow.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b'"error":"invalid_client"' in answer
        assert service.ended().status == 0


def test_a_worker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with serving("serve", "--data", tmp_path / "data") as service:
        first: list[int] = []
        while not first:
            first = workers_of(service.process.pid)
        os.kill(first[0], signal.SIGKILL)
        second = first
        while second == first or not second:
            second = workers_of(service.process.pid)
        assert httpx.get(f"{service.url}/health/ready").status_code == 200
        ended = service.end()
    assert ended.status == 0
    assert "worker_ended" in ended.err
    assert not is_alive(second[0])


def test_the_worker_gives_way_to_the_service(tmp_path: Path) -> None:
    with serving("serve", "--data", tmp_path / "data") as service:
        niceness = os.getpriority(os.PRIO_PROCESS, service.process.pid)
        while not any(
            os.getpriority(os.PRIO_PROCESS, worker) == min(niceness + GIVES_WAY, 19)
            for worker in workers_of(service.process.pid)
        ):
            assert service.process.poll() is None
        server = int(next(tmp_path.rglob("postmaster.pid")).read_text().split()[0])
        assert os.getpriority(os.PRIO_PROCESS, server) == niceness


def test_threads_of_the_http_server_do_not_push_the_service_aside(tmp_path: Path) -> None:
    with serving("serve", "--data", tmp_path / "data") as service:
        pid = service.process.pid
        threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
        policies = {thread: os.sched_getscheduler(thread) for thread in threads}
        server = int(next(tmp_path.rglob("postmaster.pid")).read_text().split()[0])
        others = {os.sched_getscheduler(one) for one in (server, *workers_of(pid))}
    assert os.SCHED_BATCH in {policies[thread] for thread in threads if thread != pid}
    assert policies[pid] == os.sched_getscheduler(0)
    assert others == {os.sched_getscheduler(0)}


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = coalition("serve", "--data", tmp_path / "data", "--port", str(port))
    assert_stopped(ended, 3, f"port {port} on 127.0.0.1 is taken")
    assert not (tmp_path / "data").exists()


def test_a_host_that_is_not_ours_is_said(tmp_path: Path) -> None:
    ended = coalition("serve", "--data", tmp_path / "data", "--host", "203.0.113.7")
    assert_stopped(ended, 3, "203.0.113.7 is not an address of this machine")


def assert_stopped(ended: Ended, status: int, says: str) -> None:
    """Assert that a command ended with `status` and a sentence, and no trace of our code."""
    words = " ".join(ended.err.replace("│", " ").split())
    assert ended.status == status, ended.err
    assert says in words, ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
