"""How numbers, prices, bounds and lists are said in one language."""

from collections.abc import Iterable, Mapping

from coalition.families.rule_sets.notation import Bounds, Money, Standing
from coalition.points.rules import decimal_text


class Speech:
    """One language: sentences by their key, words for relations, and how numbers are written."""

    def __init__(
        self, words: Mapping[str, str], relations: Mapping[str, str], *, thousands: str
    ) -> None:
        """Speak by `words`, with `thousands` between groups of three digits."""
        self._words = words
        self._relations = relations
        self._thousands = thousands

    def __call__(self, key: str, **parts: object) -> str:
        """Return the sentence of that key with its parts."""
        return self._words[key].format(**parts)

    def number(self, number: int) -> str:
        """Return a whole number with its digits in groups of three."""
        return f"{number:,}".replace(",", self._thousands)

    def bounds(self, bounds: Bounds) -> str:
        """Return how many there may be."""
        least, most = bounds.min, bounds.max
        if most is None:
            return self("least", least=self.number(least)) if least else self("any")
        if least == most:
            return self.number(least)
        if least:
            return self("between", least=self.number(least), most=self.number(most))
        return self("most", most=self.number(most))

    def relations(self, names: Iterable[str]) -> str:
        """Return relations by the words of the language, else by their own."""
        return self.any_of(self._relations.get(name, name.replace("_", " ")) for name in names)

    def any_of(self, names: Iterable[str]) -> str:
        """Return "a, b or c"."""
        *before, last = names
        return f"{', '.join(before)} {self('or')} {last}" if before else last

    def window(self, window: str) -> str:
        """Return over which time a limit counts."""
        if not window.startswith("rolling "):
            return self(f"window.{window}")
        _, number, unit = window.split(" ")
        return self(f"window.{unit}", count=self.number(int(number)))

    def price(self, money: Money | None, points: int | None) -> str:
        """Return what is paid, in money or points; either where whoever pays may choose."""
        in_points = self("points", points=self.number(points)) if points else self("free")
        if money is None:
            return in_points
        in_money = self.money(money.amount_minor, money.currency)
        return self("or_points", money=in_money, points=in_points) if points else in_money

    def bound(self, number: int, money: Money | None) -> str:
        """Return the least or most of a fee, in money where that is what it takes."""
        if money is None:
            return self("points", points=self.number(number))
        return self.money(number, money.currency)

    def money(self, amount_minor: int, currency: str) -> str:
        """Return an amount such as 35.00 AUD, with a comma where that is written."""
        text = decimal_text(amount_minor, currency)
        return f"{text if self._thousands == ',' else text.replace('.', ',')} {currency}"

    def standing(self, standing: Standing) -> str:
        """Return who is meant by tiers, plans, segments and channels."""
        told = [
            self(f"standing.{name}", names=self.any_of(map(str, named)))
            for name in ("tiers", "plans", "segments", "channels")
            if (named := getattr(standing, name))
        ]
        return f" {self('standing.and')} ".join(told)
