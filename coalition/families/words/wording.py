"""Says in a plain sentence why an act may not be done and from when it may: sv, nb and en."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import msgspec

from coalition.families.evaluator.acts import Failure
from coalition.families.rule_sets.vocabulary import Event, Measure, Subject
from coalition.families.words import plain_en, plain_nb, plain_sv, why_en, why_nb, why_sv

_SPACE: Final = "\N{NO-BREAK SPACE}"


class Language(StrEnum):
    """A language of the coalition's members."""

    SV = "sv"
    NB = "nb"
    EN = "en"


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences of one language and how it writes numbers."""

    thousands: str
    who: Mapping[str, str]
    whose: Mapping[str, str]
    months: tuple[str, ...]
    nouns: Mapping[str, tuple[str, str]]
    rules: Mapping[str, str]
    own: Mapping[str, str]
    amounts: Mapping[str, str]
    counts: Mapping[str, str]
    others: Mapping[str, str]
    frames: Mapping[str, str]
    plain: Mapping[str, str]
    relations: Mapping[str, str]

    def number(self, number: int) -> str:
        """Return a whole number with its digits in groups of three."""
        return f"{number:,}".replace(",", self.thousands)

    def counted(self, number: int, noun: str) -> str:
        """Return so many of something, such as `1 day` and `2 days`."""
        one, several = self.nouns[noun]
        return f"{self.number(number)} {one if number == 1 else several}"

    def day(self, day: date, *, today: date | None) -> str:
        """Return a day, with its year unless that is this one."""
        text = self.frames["day"].format(day=day.day, month=self.months[day.month - 1])
        if today is not None and today.year == day.year:
            return text
        return self.frames["year"].format(date=text, year=day.year)

    def instant(self, instant: datetime, *, today: date | None) -> str:
        """Return a day, and the time where it is not the day's beginning."""
        text = self.day(instant.date(), today=today)
        if (instant.hour, instant.minute) == (0, 0):
            return text
        frame = self.frames["clock"]
        return frame.format(date=text, hour=instant.hour, minute=instant.minute)


class _Facts(dict[str, str]):
    """The facts of a failure as a sentence names them: `limit`, `used_days`, `who`."""

    def __init__(self, failure: Failure, words: _Words, **more: str) -> None:
        super().__init__(more)
        self._failure = failure
        self._words = words

    def __missing__(self, key: str) -> str:
        name, _, noun = key.partition("_")
        fact: int | str | None = getattr(self._failure, name)
        if isinstance(fact, int):
            return self._words.counted(fact, noun) if noun else self._words.number(fact)
        if noun == "date" and fact is not None:
            return self._words.day(date.fromisoformat(fact), today=None)
        return fact or "–"


def sentence(
    failure: Failure,
    language: Language,
    *,
    points: int | None = None,
    today: date | None = None,
) -> str:
    """Return why an act may not be done, and from when it may, if waiting helps.

    `points` are those of the act: "You can send 2,000 more points from 1 December". Days of the
    year of `today` are told without their year.
    """
    words = _LANGUAGES[language]
    limit = _LIMIT.match(failure.rule)
    if limit is not None:
        return _of_limit(failure, limit.groupdict(), words, points=points, today=today)
    return _of_rule(failure, words, today=today)


_LIMIT = re.compile(
    rf"limits\.(?:(?P<event>{'|'.join(Event)})\.)?(?P<subject>{'|'.join(Subject)})"
    rf"\.(?P<measure>{'|'.join(Measure)})\.(?P<window>[a-z0-9_]+)\Z"
)
_PARTY = re.compile(r"eligibility\.(?:(?P<party>receiver|head)\.)?(?P<field>\w+)\Z")
_BOUND = re.compile(r"group\.(?P<noun>members|adults|minors|infants|nominees)\.(?P<end>min|max)\Z")
_SPEND = re.compile(r"group\.spend\.\w+\.(?P<field>\w+)\Z")


def _of_limit(
    failure: Failure,
    name: Mapping[str, str | None],
    words: _Words,
    *,
    points: int | None,
    today: date | None,
) -> str:
    event, subject = name["event"] or Event.TRANSFER, name["subject"]
    if event == Event.TRANSFER and subject == Subject.MEMBER:
        subject = Subject.SENDER
    what = f"{event}.{subject}"
    form, can = _form(name["measure"], what, words)
    if can is None:
        return _of_rule(failure, words, today=today)
    window = _window(name["window"] or "", words)
    facts = _Facts(failure, words, can=can, window=window)
    then = failure.next_possible_at
    if then is None:
        return f"{words.frames[form].format_map(facts)}{_so_far(failure, words, '; ')}."
    facts["then"] = words.instant(then, today=today)
    facts["more"] = words.frames["some_more"]
    if points is not None:
        facts["more"] = _more(points, words)
    told = f"{words.frames[f'{form}.then'].format_map(facts)}{_so_far(failure, words, ', ')}."
    if form == "amount" and (failure.remaining or 0) > 0:
        told += f" {words.frames['amount.left'].format_map(facts)}."
    return told


def _so_far(failure: Failure, words: _Words, joint: str) -> str:
    """Return what was used so far, behind a joint, unless that is not for whoever reads."""
    if failure.used is None:
        return ""
    return joint + words.frames["so_far"].format_map(_Facts(failure, words))


def _form(measure: str | None, what: str, words: _Words) -> tuple[str, str | None]:
    """Return in which form a limit is told, and what can be done within it."""
    if measure == Measure.AMOUNT:
        return "amount", words.amounts.get(what)
    if measure == Measure.COUNTERPARTIES:
        return "others", words.others.get(what)
    return "count", words.counts.get(what)


def _more(points: int, words: _Words) -> str:
    """Return `2,000 more points`, with the words in the order of the language."""
    one, several = words.nouns["points"]
    noun = one if points == 1 else several
    return words.frames["more"].format(number=words.number(points), noun=noun)


def _window(name: str, words: _Words) -> str:
    """Return over which time a limit counts, by the end of its name."""
    rolling = re.fullmatch(r"rolling_(\d+)_(days|months)", name)
    if rolling is None:
        return words.plain.get(f"window.{name}", "")
    return words.plain[f"window.{rolling[2]}"].format(count=words.number(int(rolling[1])))


def _of_rule(failure: Failure, words: _Words, *, today: date | None) -> str:
    key, party, noun = _key(failure)
    frame = words.rules.get(key, words.rules["other"])
    facts = _Facts(failure, words, who=words.who[party], whose=words.whose[party])
    if noun:
        facts["limit_noun"] = facts[f"limit_{noun}"]
    if key == "eligibility.relationships":
        facts["limit"] = _relations(str(failure.limit), words)
    told = frame.format_map(facts)
    if key == "limit":
        told += _so_far(failure, words, "; ")
    if party == "actor" and key in words.own and failure.used is not None:
        told += f"; {words.own[key].format_map(facts)}"
    if failure.next_possible_at is not None:
        then = words.instant(failure.next_possible_at, today=today)
        told += f". {words.frames['then'].format(then=then)}"
    return f"{told}."


def _key(failure: Failure) -> tuple[str, str, str | None]:
    """Return under which key a rule is told, of which party, and what its bound counts."""
    rule, party = failure.rule, "actor"
    if (of := _PARTY.match(rule)) is not None:
        party, rule = of["party"] or party, f"eligibility.{of['field']}"
    elif (bound := _BOUND.match(rule)) is not None:
        return f"group.{bound['end']}", party, bound["noun"]
    elif (spend := _SPEND.match(rule)) is not None:
        rule = f"group.spend.{spend['field']}"
    elif rule.startswith("fees."):
        rule = "fees.brackets"
    elif rule.startswith("limits."):
        rule = "limit"
    if rule in {"direction", "group.spend.scope", "eligibility.address"}:
        rule = f"{rule}.{failure.limit}"
    return rule, party, None


def _relations(listed: str, words: _Words) -> str:
    names = listed.split(", ")
    return ", ".join(words.relations.get(name, name.replace("_", " ")) for name in names)


_LANGUAGES: Final = {
    language: _Words(
        thousands=thousands,
        who=why.WHO,
        whose=why.WHOSE,
        months=why.MONTHS,
        nouns=why.NOUNS,
        rules=why.RULES,
        own=why.OWN,
        amounts=why.AMOUNTS,
        counts=why.COUNTS,
        others=why.OTHERS,
        frames=why.FRAMES,
        plain=plain.WORDS,
        relations=plain.RELATIONS,
    )
    for language, why, plain, thousands in (
        (Language.SV, why_sv, plain_sv, _SPACE),
        (Language.NB, why_nb, plain_nb, _SPACE),
        (Language.EN, why_en, plain_en, ","),
    )
}
