"""Says what a plan gives, in plain en, sv and nb; other languages read en."""

from decimal import Decimal
from typing import Final

from billing.plans.documents import (
    Benefit,
    EarlyAccess,
    EarnMultiplier,
    FreeShipping,
    MonthlyPoints,
    PartnerDiscount,
    PlanDocument,
)

_MANY: Final = {"en": "times a period", "sv": "gånger per period", "nb": "ganger per periode"}
_AT: Final = {"en": "at", "sv": "hos", "nb": "hos"}
_ON: Final = {"en": "on", "sv": "på", "nb": "på"}
_EARN: Final = {"en": "{} times the points", "sv": "{} gånger poängen", "nb": "{} ganger poengene"}
_MONTHLY: Final = {
    "en": "{} points every month",
    "sv": "{} poäng varje månad",
    "nb": "{} poeng hver måned",
}
_SHIPPING: Final = {"en": "free shipping", "sv": "fri frakt", "nb": "fri frakt"}
_OFF: Final = {"en": "{} % off", "sv": "{} % rabatt", "nb": "{} % rabatt"}
_EARLY: Final = {"en": "early access", "sv": "förtur", "nb": "tidlig tilgang"}
_SEATS: Final = {
    "en": "shared with {} of your family",
    "sv": "delas med {} i familjen",
    "nb": "deles med {} i familien",
}
_UNUSED: Final = {
    "en": "all of your money back if you withdraw and have used nothing",
    "sv": "alla pengar tillbaka om du ångrar dig och inte har använt något",
    "nb": "alle pengene tilbake hvis du angrer og ikke har brukt noe",
}
_TOGETHER: Final = {
    "en": "what is limited counts for all of you together",
    "sv": "det som är begränsat räknas för er alla tillsammans",
    "nb": "det som er begrenset, telles for dere alle sammen",
}
_PAYERS: Final = {
    "en": "the points of every month are for who pays",
    "sv": "varje månads poäng får den som betalar",
    "nb": "hver måneds poeng går til den som betaler",
}


def sentences(
    document: PlanDocument, language: str, names: dict[str, str] | None = None
) -> tuple[str, ...]:
    """Return what the plan gives, a sentence for each; `names` has partners' names by number."""
    spoken = language if language in _EARN else "en"
    said = [_said(benefit, spoken, names or {}) for benefit in document.benefits]
    if document.seats:
        said.append(_shared(document, spoken))
    if document.refund_unused:
        said.append(_UNUSED[spoken])
    return tuple(text[:1].upper() + text[1:] for text in said)


def _shared(document: PlanDocument, language: str) -> str:
    """Return with how many a plan is shared, and what of it is not each one's own."""
    parts = [_SEATS[language].format(document.seats)]
    if any(getattr(benefit, "uses_per_period", None) for benefit in document.benefits):
        parts.append(_TOGETHER[language])
    if any(isinstance(benefit, MonthlyPoints) for benefit in document.benefits):
        parts.append(_PAYERS[language])
    return "; ".join(parts)


def _said(benefit: Benefit, language: str, names: dict[str, str]) -> str:
    if isinstance(benefit, EarnMultiplier):
        text = _EARN[language].format(_number(Decimal(benefit.factor), language))
        text += f" {_ON[language]} {benefit.category}" if benefit.category else ""
        return text + _where(benefit.partner, language, names)
    if isinstance(benefit, MonthlyPoints):
        return _MONTHLY[language].format(benefit.points)
    if isinstance(benefit, FreeShipping):
        text = _SHIPPING[language] + _where(benefit.partner, language, names)
        return text + _times(benefit.uses_per_period, language)
    if isinstance(benefit, PartnerDiscount):
        percent = _number(Decimal(benefit.basis_points) / 100, language)
        text = _OFF[language].format(percent) + _where(benefit.partner, language, names)
        return text + _times(benefit.uses_per_period, language)
    if isinstance(benefit, EarlyAccess):
        return _EARLY[language]
    return benefit.says_in.get(language, benefit.says)


def _where(partner: str | None, language: str, names: dict[str, str]) -> str:
    return "" if partner is None else f" {_AT[language]} {names.get(partner, partner)}"


def _times(uses: int | None, language: str) -> str:
    return "" if uses is None else f", {uses} {_MANY[language]}"


def _number(number: Decimal, language: str) -> str:
    text = f"{number.normalize():f}"
    return text if language == "en" else text.replace(".", ",")
