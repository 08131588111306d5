"""Holds Dockerfile and docker-compose.yml against the project they are made for."""

import fnmatch

from coalition.kernel import settings
from server import serving, worker_beside
from tests.structure import containers
from tests.structure.tree import ROOT

OURS = {"keys", "migrate", "service", "worker"}


def test_the_parser_reads_comments_breaks_and_defaults_as_docker_does() -> None:
    text = "# a comment\nFROM one AS two\nRUN first \\\n    second\n"
    assert containers.instructions(text) == [("FROM", "one AS two"), ("RUN", "first      second")]
    assert containers.interpolated("a ${B:-c} $$d", {}) == "a c $d"
    assert containers.interpolated("a ${B:-c}", {"B": "e"}) == "a e"


def test_pip_fetches_nothing_for_the_image_but_the_lock_checked_by_its_hashes() -> None:
    calls = [
        call
        for word, rest in containers.dockerfile()
        if word == "RUN"
        for call in rest.split("&&")
        if "/bin/pip " in call
    ]
    fetching = [call for call in calls if "--no-index" not in call]
    assert ["--require-hashes" in call for call in fetching] == [True]
    assert "--requirement requirements.lock" in fetching[0]
    assert "--no-build-isolation" in calls[2]
    assert calls[-1].split()[-1] == "coalition", "the product brings what it needs, not its tools"


def test_whoever_builds_the_image_may_name_its_base() -> None:
    words = containers.dockerfile()
    assert words[0] == ("ARG", "BASE=python:3.11-slim-bookworm")
    assert [rest for word, rest in words if word == "FROM"] == ["${BASE} AS build", "${BASE}"]


def test_the_image_runs_as_an_unprivileged_user() -> None:
    words = [word for word, _ in containers.dockerfile()]
    users = [rest for word, rest in containers.dockerfile() if word == "USER"]
    assert users == ["10001:10001"], "numbers show an orchestrator that it is not root"
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "USER" not in words[words.index("ENTRYPOINT") :]


def test_a_container_may_do_little_and_is_given_the_time_to_drain() -> None:
    patience_s = {"service": serving.PATIENCE_S, "worker": worker_beside.PATIENCE_S}
    for name in OURS:
        said = containers.services()[name].confinement
        assert said["read_only"] is True
        assert said["cap_drop"] == ["ALL"]
        assert said["security_opt"] == ["no-new-privileges:true"]
        assert said["init"] is True, "else a signal before the program is ready for it is lost"
        assert int(said["stop_grace_period"].removesuffix("s")) > patience_s.get(name, 0)


def test_everything_that_the_image_copies_exists_and_is_let_through() -> None:
    rules = (ROOT / ".dockerignore").read_text().split()
    let_through = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source
        for word, rest in containers.dockerfile()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert rules[0] == "*"
    assert copied == let_through
    assert {source for source in copied if not (ROOT / source).exists()} == set()


def test_the_image_holds_every_package_of_the_product() -> None:
    copied = {rest.split()[0] for word, rest in containers.dockerfile() if word == "COPY"}
    present = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert present <= copied


def test_what_the_services_are_told_is_what_the_product_reads() -> None:
    told = {
        name.removesuffix("_FILE")
        for name, service in containers.services().items()
        if name in OURS
        for name in service.environment
    }
    assert told - settings.KNOWN == set()
    assert {"COALITION_DATABASE_URL", "COALITION_MASTER_KEY"} <= told


def test_nothing_listens_beyond_this_machine_by_default() -> None:
    published = [port for service in containers.services().values() for port in service.ports]
    assert published == ["127.0.0.1:8000:8000"]
    assert containers.services()["database"].ports == []


def test_service_and_worker_wait_for_the_migrations_and_those_for_the_database() -> None:
    services = containers.services()
    assert services["service"].waits_for == {"migrate": "service_completed_successfully"}
    assert services["worker"].waits_for == {"migrate": "service_completed_successfully"}
    assert services["migrate"].waits_for["database"] == "service_healthy"


def test_whatever_goes_on_running_has_a_health_check() -> None:
    services = containers.services()
    checked = {name for name, service in services.items() if service.healthcheck}
    assert checked == {"database", "service", "worker"}


def test_the_database_is_recent_enough_and_the_password_is_the_same_on_both_sides() -> None:
    services = containers.services({"POSTGRES_PASSWORD": "another"})
    assert fnmatch.fnmatch(services["database"].image, "postgres:1[5-9]*")
    assert services["database"].environment["POSTGRES_PASSWORD"] == "another"
    assert ":another@" in services["service"].environment["COALITION_DATABASE_URL"]


def test_no_key_stands_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert "KEY:" not in text
    assert "KEY_FILE:" in text
