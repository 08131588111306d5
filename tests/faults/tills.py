"""Tills that never give up: every request is sent under its key until it has a definite answer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

PROBLEM = "application/problem+json"
PATIENCE_S = 60.0
PAUSE_S = 0.05


class FindingError(AssertionError):
    """The service did what it must never do."""


@dataclass
class Act:
    """One request that moves points, everything that was answered to it, and when.

    `began` and `ended` are loop times, of the first sending and of the definite answer.
    """

    kind: str
    shop: int
    member: int
    address: str
    body: Mapping[str, object]
    key: str
    of: "Act | None" = None
    """The hold or posting it acts on."""
    began: float = 0.0
    ended: float = 0.0
    status: int = 0
    answer: bytes = b""
    code: str = ""
    """Why it was refused; empty when it was done."""
    unknown: list[str] = field(default_factory=list)
    """Outcomes that said neither yes nor no, in their order."""
    document: dict[str, Any] = field(default_factory=dict)  # Any: a JSON document

    @property
    def is_done(self) -> bool:
        """Whether it was acknowledged."""
        return 200 <= self.status < 300

    @property
    def points(self) -> int:
        """How many points the answer says were moved."""
        return int(self.document["points"])


class Till:
    """A till of one partner: sends acts over HTTP and knows what an answer means."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        """Speak through `http` with `token`."""
        self._http = http
        self._headers = {"authorization": f"Bearer {token}"}

    async def do(self, act: Act) -> Act:
        """Send `act` until it is answered; fill in what came of it."""
        loop = asyncio.get_running_loop()
        act.began = loop.time()
        while loop.time() < act.began + PATIENCE_S:
            answer = await self.send(act)
            if isinstance(answer, str):
                act.unknown.append(answer)
                await asyncio.sleep(PAUSE_S)
                continue
            act.ended = loop.time()
            act.status, act.answer, act.document = answer.status_code, answer.content, answer.json()
            act.code = "" if act.is_done else act.document["code"]
            return act
        raise FindingError(
            f"{act.kind} {act.key} was not answered in {PATIENCE_S} s: {act.unknown[-3:]}"
        )

    async def send(self, act: Act) -> httpx.Response | str:
        """Send `act` once; return the definite answer, or in a word why there is none."""
        headers = self._headers | {"idempotency-key": act.key}
        try:
            answer = await self._http.post(act.address, json=act.body, headers=headers)
        except httpx.TransportError as error:
            return type(error).__name__
        return definite(answer)

    async def balance(self, member_id: str) -> int | str:
        """Return what the member can spend, or in a word why it is not known."""
        try:
            answer = await self._http.get(f"/v1/members/{member_id}/balance", headers=self._headers)
        except httpx.TransportError as error:
            return type(error).__name__
        answered = definite(answer)
        if isinstance(answered, str):
            return answered
        if answered.status_code != 200:
            raise FindingError(f"a balance was refused: {answered.text}")
        return int(answered.json()["balance"])

    async def check_equal_answer(self, act: Act) -> None:
        """Send a done act again: the answer must be the first one, byte for byte."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while loop.time() < deadline:
            answer = await self.send(act)
            if isinstance(answer, str):
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status_code != act.status or answer.content != act.answer:
                raise FindingError(f"{act.key} had {act.answer!r} and then {answer.content!r}")
            if answer.headers.get("idempotent-replayed") != "true":
                raise FindingError(f"{act.key} was answered twice without a word of it")
            return
        raise FindingError(f"{act.key} was not answered again")


def definite(answer: httpx.Response) -> httpx.Response | str:
    """Return `answer` if definite, else its code; a failure without a class is a finding."""
    if answer.status_code >= 400:
        if answer.headers.get("content-type") != PROBLEM or "code" not in answer.json():
            raise FindingError(f"{answer.status_code} without a problem: {answer.text[:500]}")
        if answer.status_code >= 500 and answer.status_code != 503:
            raise FindingError(f"an unclassified failure: {answer.text[:500]}")
        if answer.status_code == 503 or answer.json()["code"] == "request_in_progress":
            return str(answer.json()["code"])
    return answer


async def token_of(url: str, client: Sequence[str]) -> str:
    """Return an access token for the client id and secret of `client`."""
    async with httpx.AsyncClient(base_url=url, timeout=10) as http:
        answer = await http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=(client[0], client[1])
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
