"""What is refused of plans: documents that are not right, names, beginnings in the past."""

from collections.abc import Sequence

from coalition.kernel.errors import Invalid, NotFound
from coalition.points.bonuses.checking import Complaint


class InvalidPlan(Invalid):
    """The plan is not right; `errors` names each key and says what would be right."""

    code, title = "invalid_plan", "Invalid plan"

    @classmethod
    def of(cls, found: Sequence[Complaint]) -> "InvalidPlan":
        """Return the refusal that names each complaint by its place in the document."""
        errors = [
            {"pointer": "".join(f"/{key}" for key in path), "detail": text} for path, text in found
        ]
        where = ".".join(str(key) for key in found[0].path)
        return cls(f"{where}: {found[0].text}", errors=errors)


class PlanRetroactive(Invalid):
    """A plan is sold from its approval at the earliest; leave the time out or take a later one."""

    code, title = "plan_retroactive", "Retroactive plan"
    constraint = "a_plan_is_never_retroactive"


class SaleEndRetroactive(Invalid):
    """A plan's sale ends with the approval at the earliest; leave the time out."""

    code, title = "plan_sale_end_retroactive", "Retroactive end of sale"
    constraint = "a_sale_never_ended_before"


class UnknownPlan(NotFound):
    """There is no plan with this code; `GET /v1/plans` names those on sale."""

    code, title = "plan_not_found", "Plan not found"


class UnknownPrice(NotFound):
    """There is no price with this number; `GET /v1/plans` names those on sale."""

    code, title = "price_not_found", "Price not found"
