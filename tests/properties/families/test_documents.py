"""Documents of rule sets made at random: read, told, kept and read again; spoilt ones refused."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from coalition.families.rule_sets.checking import complaints
from coalition.families.rule_sets.documents import brief, whole
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.words.describing import described
from coalition.families.words.wording import Language
from server import documents
from tests.properties.families.documents import (
    GROUPS,
    ZONES,
    Document,
    of_groups,
    of_transfers,
)

OFTEN = settings(max_examples=150, derandomize=True, deadline=None)
rule_sets = st.sampled_from(ZONES).flatmap(
    lambda zone: st.one_of(
        of_transfers(zone), *(of_groups(mechanism, zone) for mechanism in GROUPS)
    )
)
written: st.SearchStrategy[Callable[[Any], str]] = st.sampled_from(
    (
        lambda document: yaml.safe_dump(document, sort_keys=False),
        lambda document: yaml.safe_dump(document, default_flow_style=True, width=60),
        lambda document: json.dumps(document, indent=2, ensure_ascii=False),
    )
)
tame = st.one_of(st.none(), st.integers(), st.booleans())
junk = st.one_of(
    tame,
    st.floats(),
    st.text(max_size=10),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@OFTEN
@given(document=rule_sets, write=written)
def test_a_document_means_the_same_however_it_is_written_and_kept(
    document: Document, write: Callable[[Any], str]
) -> None:
    rules = documents.convert(documents.read(write(document).encode()), RuleSet)
    assert rules == msgspec.convert(document, RuleSet)
    assert complaints(rules) == []
    for kept in (whole(rules), brief(rules)):
        text = msgspec.json.encode(kept, order="deterministic")
        again = msgspec.json.decode(text, type=RuleSet)
        assert again == rules
        assert msgspec.json.encode(whole(again), order="deterministic") == msgspec.json.encode(
            whole(rules), order="deterministic"
        )


@OFTEN
@given(document=rule_sets)
def test_every_rule_set_is_told_in_every_language(document: Document) -> None:
    rules = msgspec.convert(document, RuleSet)
    told = {language: described(rules, language) for language in Language}
    counts = {tuple(len(part.sentences) for part in parts) for parts in told.values()}
    assert len(counts) == 1, "each language says as much as the others"
    for parts in told.values():
        for part in parts:
            for sentence in part.sentences:
                assert sentence.strip()
                assert "{" not in sentence


@OFTEN
@given(document=rule_sets, write=written, data=st.data())
def test_a_spoilt_document_is_refused_by_line_and_key(
    document: Document, write: Callable[[Any], str], data: st.DataObject
) -> None:
    places = list(_places(document))
    path = data.draw(st.sampled_from(places))
    check(write(_with(document, path, data.draw(junk))).encode())


@OFTEN
@given(document=rule_sets, write=written, data=st.data())
def test_a_key_that_there_is_not_is_named(
    document: Document, write: Callable[[Any], str], data: st.DataObject
) -> None:
    named = [path for path in _places(document) if isinstance(path[-1], str)]
    path = data.draw(st.sampled_from(named))
    strange = (*path[:-1], f"{path[-1]}_x")
    keys = check(write(_with(document, strange, data.draw(tame))).encode())
    assert any(strange[-1] in key for key in keys), keys


@OFTEN
@given(document=rule_sets, write=written, data=st.data())
def test_a_torn_document_is_refused_and_never_a_crash(
    document: Document, write: Callable[[Any], str], data: st.DataObject
) -> None:
    text = write(document)
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, min(first + 40, len(text))))
    put = data.draw(st.text(max_size=6) | st.sampled_from(("\t", ": ", "- ", "&a ", "*a", "!!x ")))
    check((text[:first] + put + text[last:]).encode("utf-8", "surrogatepass"))


def check(text: bytes) -> list[str]:
    """Read a document that may be wrong: return the keys by which it is refused, each at a line.

    One that is not refused can be told.
    """
    found = _problems(text)
    most = 2 + text.count(b"\n") + text.count(b"\r") + text.count("\N{NEXT LINE}".encode())
    for problem in found:
        assert 1 <= problem.line <= most + text.count(b"\xe2\x80")
        assert str(problem)
    if not found:
        rules = documents.convert(documents.read(text), RuleSet)
        for language in Language:
            assert described(rules, language)
    return [problem.key for problem in found]


def _problems(text: bytes) -> Sequence[documents.Problem]:
    try:
        node = documents.read(text)
        rules = documents.convert(node, RuleSet)
    except documents.BadDocumentError as refused:
        return refused.problems
    return [node.problem(*one) for one in complaints(rules)]


def _places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where something stands in a document."""
    if path:
        yield path
    inside = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, part in inside:
        yield from _places(part, (*path, key))


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a document with something else at a place."""
    key, *rest = path
    copied = dict(document) if isinstance(document, dict) else list(document)
    copied[key] = _with(document[key], tuple(rest), value) if rest else value
    return copied
