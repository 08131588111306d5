"""Every language says everything that another says, with the same facts in it."""

from string import Formatter

from member_ui.words import WORDS


def facts(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_each_language_has_every_word_with_the_same_facts() -> None:
    english = WORDS["en"]
    for language, words in WORDS.items():
        assert words.keys() == english.keys(), language
        for key, text in words.items():
            assert facts(text) == facts(english[key]), (language, key)
            assert text.strip(), (language, key)
