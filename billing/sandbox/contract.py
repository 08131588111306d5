"""Holds the sandbox against Stripe's own definitions: what is asked, answered and told in events.

Requests that Stripe would refuse are refused as Stripe does it (unknown and missing parameters, bad
numbers and words). An answer or event that has a field Stripe has not, lacks one that is always
there, or has another type is a fault of the sandbox, and fails the test. Where the definitions
leave it open (new words, free names) everything is taken: it is never stricter than Stripe.
"""

from billing.sandbox import asked, definitions, parts, routing, shown
from billing.sandbox.documents import Document
from billing.sandbox.errors import Invalid
from billing.sandbox.stripe_routes import stripe_routes


class ContractBroken(BaseException):
    """The sandbox is not as Stripe is. No `Exception`, lest a client take it for a lost answer."""


class Contract:
    """What `Sandbox(contract=…)` asks of requests, answers and events."""

    def refusal_of(self, method: str, shape: str, values: Document) -> Invalid | None:
        """Return why Stripe would refuse the parameters of a route, or None."""
        expected = definitions.parameters(method, shape)
        return None if expected is None else next(asked.refusals(expected, values), None)

    def judge_answer(self, method: str, shape: str, body: Document) -> None:
        """Raise ContractBroken when an answer is not as Stripe's objects are."""
        complaints = list(shown.complaints_of(body, "answer"))
        if complaints:
            raise ContractBroken(f"{method} {shape}: {complaints}")

    def judge_event(self, event: Document) -> None:
        """Raise ContractBroken when an event is none of Stripe's, or shows no object of its."""
        type_ = event["type"]
        if type_ not in definitions.event_types():
            raise ContractBroken(f"Stripe has no event {type_}")
        complaints = list(shown.complaints_of(event["data"]["object"], type_))
        if complaints:
            raise ContractBroken(f"{type_}: {complaints}")


def report() -> dict[str, list[str]]:
    """Return the sandbox's routes by whether Stripe's package has them, and those it lacks."""
    assert parts.PARTS, "the registries are filled"
    stripes = stripe_routes()
    own = {route.shape: f"{route.method} {route.path}" for route in routing.ROUTES}
    return {
        "there": sorted(own[shape] for shape in own.keys() & stripes.keys()),
        "lacking": sorted(f"{s[0]} {stripes[s]}" for s in stripes.keys() - own.keys()),
        "not in the package": sorted(own[shape] for shape in own.keys() - stripes.keys()),
    }


def listed_routes() -> str:
    """Return the sandbox's routes as the guide lists them: a path a line, with its methods."""
    methods: dict[str, list[str]] = {}
    for route in sorted(routing.ROUTES, key=lambda route: (route.shape[1], route.method)):
        methods.setdefault(route.path, []).append(route.method)
    return "".join(f"{' '.join(each):<16}{path}\n" for path, each in methods.items())
