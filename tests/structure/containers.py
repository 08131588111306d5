"""Reads Dockerfile and docker-compose.yml as docker would, as far as these two files go."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.structure.tree import ROOT

_CONFINING = ("cap_drop", "init", "read_only", "security_opt", "stop_grace_period")


@dataclass(frozen=True)
class Service:
    """One service of the compose file, with what it takes from the image filled in."""

    name: str
    image: str
    entrypoint: list[str]
    command: list[str]
    environment: dict[str, str]
    ports: list[str]
    waits_for: dict[str, str]
    volumes: list[str]
    healthcheck: list[str] = field(default_factory=list)
    confinement: dict[str, Any] = field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        """Return what the container runs."""
        return [*self.entrypoint, *self.command]


def instructions(text: str) -> list[tuple[str, str]]:
    """Return each instruction of a Dockerfile with what follows it, comments and breaks removed."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    split = (line.strip().split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(words[0].upper(), " ".join(words[1:])) for words in split]


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of our Dockerfile."""
    return instructions((ROOT / "Dockerfile").read_text())


def services(variables: Mapping[str, str] | None = None) -> dict[str, Service]:
    """Return the services of our compose file, with these variables in place of its defaults."""
    text = (ROOT / "docker-compose.yml").read_text()
    document = yaml.safe_load(text)
    image = dict(dockerfile())  # the last of each kind holds
    defaults = {"entrypoint": json.loads(image["ENTRYPOINT"]), "command": json.loads(image["CMD"])}
    return {
        name: _service(name, {**(defaults if "build" in raw else {}), **raw}, variables or {})
        for name, raw in document["services"].items()
    }


def _service(name: str, raw: dict[str, Any], variables: Mapping[str, str]) -> Service:
    health = raw.get("healthcheck", {}).get("test", [])
    assert not health or health[0] == "CMD", "a health check names its program and arguments"
    return Service(
        name=name,
        image=raw["image"],
        entrypoint=list(_filled(raw.get("entrypoint", []), variables)),
        command=list(_filled(raw.get("command", []), variables)),
        environment={k: interpolated(v, variables) for k, v in raw["environment"].items()},
        ports=list(_filled(raw.get("ports", []), variables)),
        waits_for={k: v["condition"] for k, v in raw.get("depends_on", {}).items()},
        volumes=list(_filled(raw.get("volumes", []), variables)),
        healthcheck=list(_filled(health[1:], variables)),
        confinement={word: raw[word] for word in _CONFINING if word in raw},
    )


def _filled(texts: list[str], variables: Mapping[str, str]) -> Iterator[str]:
    return (interpolated(text, variables) for text in texts)


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with `${NAME:-default}` filled in and `$$` for a dollar sign."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match["name"]) or match["default"]

    return re.sub(r"\$\$|\$\{(?P<name>\w+):-(?P<default>[^}]*)\}", value, text)
