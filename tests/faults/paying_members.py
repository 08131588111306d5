"""A member who buys a plan over HTTP, at a service with the sandbox, and asks again if need be."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.faults.houses import House
from tests.faults.processes import ROOT
from tests.journeys.processes import coalition

PASSWORD = "four words of mine"
CARD = {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "email": "a@b.example"}
PLAN = """
code: {code}
name: {code}
rank: {rank}
prices:
  - {{interval: month, currency: SEK, amount_minor: {minor}}}
benefits:
  - {{benefit: earn_multiplier, code: more, factor: "2"}}
"""

Body = dict[str, Any]  # Any: a JSON object


class PayingMember:
    """A member of a house, by its app; the service may die under it."""

    def __init__(self, house: House) -> None:
        """Act for the first member of `house`; the service runs by the time of the first act."""
        self.house = house
        self.member = house.members[0]
        self.http = httpx.Client(base_url=house.service.url, timeout=30)
        self.token = ""

    def put_on_sale(self, directory: Path) -> None:
        """Let two persons put a plan and a dearer one on sale."""
        data = ("--data", str(self.house.data))
        for code, rank, minor in (("plus", 1, 7_900), ("premium", 2, 14_900)):
            file = directory / f"{code}.yaml"
            file.write_text(PLAN.format(code=code, rank=rank, minor=minor))
            made = coalition("plan", "propose", str(file), "--prepared-by", "anna", *data)
            coalition("plan", "approve", made["approval_id"], "--approved-by", "bo", *data)

    def come_in(self) -> None:
        """Set a password by a code of the operator's, and sign in."""
        wanted = ("member", "login", self.member, "--email", "asa@exempel.example")
        given = coalition(*wanted, "--by", "anna", "--data", str(self.house.data))
        body = {"code": given["code"], "password": PASSWORD}
        assert self.http.post("/v1/sign-in/password", json=body).status_code == 200
        self.sign_in()

    def sign_in(self) -> None:
        """Take a token by the password."""
        body = {"email": "asa@exempel.example", "password": PASSWORD}
        answer = self.http.post("/v1/sign-in", json=body)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    def post(self, address: str, body: Body, key: str) -> Body | None:
        """Return what was answered; None where nobody did, since the service died."""
        headers = {"authorization": f"Bearer {self.token}", "idempotency-key": key}
        try:
            answer = self.http.post(address, json=body, headers=headers)
        except httpx.TransportError:
            return None
        assert answer.is_success, answer.text
        return dict(answer.json())

    def get(self, address: str) -> Body:
        """Return what is there."""
        answer = self.http.get(address, headers={"authorization": f"Bearer {self.token}"})
        assert answer.is_success, answer.text
        return dict(answer.json())

    def order(self, code: str) -> Body:
        """Return an order of a plan, as what was shown of it says."""
        shown = self.get("/v1/plans?country=SE")
        (wanted,) = [one for one in shown["items"] if one["plan"] == code]
        return {
            "price_no": wanted["prices"][0]["price_no"],
            "country": "SE",
            "language": shown["terms"]["disclosure"]["language"],
            "disclosure_version": shown["terms"]["disclosure"]["version"],
        }

    def pay(self, url: str) -> None:
        """Fill in Stripe's page."""
        answer = self.http.post(urlsplit(url).path, data=CARD | {"action": "pay"})
        assert answer.is_redirect, answer.text

    def at_stripe(self, kind: str, **asked: str) -> list[Body]:
        """Return a list of the sandbox's."""
        answer = self.http.get(f"/sandbox/v1/{kind}", params=asked, auth=("sk_test_x", ""))
        assert answer.is_success, answer.text
        return list(answer.json()["data"])

    def tell_stripe(self, path: str, **asked: str) -> None:
        """Change something at Stripe's own desk."""
        answer = self.http.post(f"/sandbox/v1/{path}", data=asked, auth=("sk_test_x", ""))
        assert answer.is_success, answer.text

    def a_day_later(self) -> None:
        """Let a day go by, for the house and for Stripe."""
        answer = self.http.post("/sandbox/time-machine", data={"jump": "day"})
        assert answer.is_redirect, answer.text
        self.sign_in()


def ending(house: House, *words: str, failpoint: str) -> int:
    """Run a command that may die at `failpoint`; return how it ended."""
    program = (sys.executable, "-m", "tests.faults.failing_service", failpoint)
    command = [*program, *words, "--data", str(house.data)]
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=60)
    return done.returncode


@contextmanager
def working(house: House) -> Iterator[None]:
    """Let a worker work while the block runs."""
    command = [sys.executable, "-m", "server.cli", "worker", "--data", str(house.data)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield
        finally:
            process.terminate()


def reconciled(house: House) -> Body:
    """Return the report of a whole reconciliation."""
    return dict(coalition("membership", "reconcile", "--whole", "--data", str(house.data)))


def audited(house: House) -> Body:
    """Return the report of the audit."""
    return dict(coalition("audit", "--data", str(house.data)))
