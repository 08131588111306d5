"""What members are told of their points, in each language."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "point": "1 point",
        "points": "{number} points",
        "ending.subject": "{points} of yours end after {day}",
        "ending.subject_one": "{points} of yours ends after {day}",
        "ending.subject_several": "Some of your points end soon",
        "ending.body": (
            "As things stand, these of your points are good until the end of the day beside "
            "them:\n\n{lines}\n\nWhat you use before then is not lost."
        ),
        "ending_shared.subject": "{points} that you share end after {day}",
        "ending_shared.subject_one": "{points} that you share ends after {day}",
        "ending_shared.subject_several": "Some of the points that you share end soon",
        "ending_shared.body": (
            "You brought points into an account that you share with others. As things stand, "
            "these of them are good until the end of the day beside them:\n\n{lines}\n\n"
            "What is used before then is not lost."
        ),
        "ending.line": "{points}: {day}",
        "ending.more": "More of them end after {day}.",
    },
    "sv": {
        "point": "1 poäng",
        "points": "{number} poäng",
        "ending.subject": "{points} av dina går ut efter {day}",
        "ending.subject_one": "{points} av dina går ut efter {day}",
        "ending.subject_several": "Några av dina poäng går snart ut",
        "ending.body": (
            "Som det ser ut nu gäller de här av dina poäng till slutet av den dag som står "
            "bredvid dem:\n\n{lines}\n\nDet du använder innan dess går inte förlorat."
        ),
        "ending_shared.subject": "{points} som du delar går ut efter {day}",
        "ending_shared.subject_one": "{points} som du delar går ut efter {day}",
        "ending_shared.subject_several": "Några av poängen som du delar går snart ut",
        "ending_shared.body": (
            "Du har lagt in poäng på ett konto som du delar med andra. Som det ser ut nu gäller "
            "de här av dem till slutet av den dag som står bredvid dem:\n\n{lines}\n\n"
            "Det som används innan dess går inte förlorat."
        ),
        "ending.line": "{points}: {day}",
        "ending.more": "Fler av dem går ut efter {day}.",
    },
    "nb": {
        "point": "1 poeng",
        "points": "{number} poeng",
        "ending.subject": "{points} av dine utløper etter {day}",
        "ending.subject_one": "{points} av dine utløper etter {day}",
        "ending.subject_several": "Noen av poengene dine utløper snart",
        "ending.body": (
            "Slik det ser ut nå, gjelder disse av poengene dine til slutten av dagen som står "
            "ved siden av dem:\n\n{lines}\n\nDet du bruker før det, går ikke tapt."
        ),
        "ending_shared.subject": "{points} som du deler, utløper etter {day}",
        "ending_shared.subject_one": "{points} som du deler, utløper etter {day}",
        "ending_shared.subject_several": "Noen av poengene du deler, utløper snart",
        "ending_shared.body": (
            "Du har lagt poeng inn på en konto som du deler med andre. Slik det ser ut nå, "
            "gjelder disse av dem til slutten av dagen som står ved siden av dem:\n\n{lines}\n\n"
            "Det som brukes før det, går ikke tapt."
        ),
        "ending.line": "{points}: {day}",
        "ending.more": "Flere av dem utløper etter {day}.",
    },
}
