"""Reads one YAML document into nodes: the core schema of YAML 1.2, so that `NO` and dates are text.

Bounded in size, depth and what its anchors unfold to; duplicate keys, tags and anything but text as
a key are refused. JSON is YAML, so a JSON file is read as well.
"""

import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Final

import yaml

from server.documents.nodes import BadDocumentError, Node, Path, Problem, Scalar, path_text

BYTES_MOST: Final = 8_000_000
NODES_MOST: Final = 1_000_000
DEPTH_MOST: Final = 64
DIGITS_MOST: Final = 40

_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read_file(path: FilePath) -> Node:
    """Return the document in the file. Raises `BadDocumentError` and `OSError`."""
    with path.open("rb") as file:
        return read(file.read(BYTES_MOST + 1))


def read(content: bytes) -> Node:
    """Return the document in `content` (UTF-8). Raises `BadDocumentError`."""
    if len(content) > BYTES_MOST:
        raise BadDocumentError([Problem(1, "", f"a file has at most {BYTES_MOST:,} bytes")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadDocumentError(
            [Problem(line, "", "this is not UTF-8; save it as UTF-8")]
        ) from error
    try:
        return _Builder(iter(yaml.parse(text, Loader=_LOADER))).document()
    except yaml.YAMLError as error:
        raise BadDocumentError([_of_syntax(error, text)]) from error


def _of_syntax(error: yaml.YAMLError, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    position = getattr(error, "position", None)
    if mark is not None:
        line = mark.line + 1
    else:
        line = text[:position].count("\n") + 1 if isinstance(position, int) else 1
    return Problem(line, "", f"this is no YAML: {what}")


class _Builder:
    """Turns the events of a parser into nodes; the first thing that cannot be read ends it.

    Duplicate keys are gathered, since reading can go on after them.
    """

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._count = 0
        self._problems: list[Problem] = []

    def document(self) -> Node:
        """Return the only document of the stream."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise BadDocumentError([_problem(event, (), "one document is enough; remove this")])
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, ())
        if root is None:
            raise BadDocumentError([Problem(1, "", "the file is empty")])
        if self._problems:
            raise BadDocumentError(self._problems)
        return root

    def _node(self, event: yaml.NodeEvent, path: Path) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        _refuse_tag(event, path)
        if len(path) > DEPTH_MOST:
            raise BadDocumentError([_problem(event, path, f"at most {DEPTH_MOST} levels deep")])
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, path)
        else:
            assert isinstance(event, yaml.ScalarEvent), "no other kind of node is left"
            node = Node(_line(event), _resolved(event, path), text=event.value)
            self._counted(1, event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent, path: Path) -> Node:
        found = self._anchors.get(event.anchor or "")
        if found is None:
            text = f"there is no &{event.anchor} that is complete before this"
            raise BadDocumentError([_problem(event, path, text)])
        self._counted(found.size, event, path)
        return found

    def _mapping(self, start: yaml.NodeEvent, path: Path) -> Node:
        node = Node(_line(start), entries := {})
        self._counted(1, start, path)
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise BadDocumentError([_problem(event, path, "a key is text")])
            key = event.value
            value = self._node(self._next_node(), (*path, key))
            if key in entries:
                before = node.key_lines[key]
                text = f"this key stands already on line {before}; keep one of them"
                self._problems.append(_problem(event, (*path, key), text))
            entries[key] = value
            node.key_lines.setdefault(key, _line(event))
            node.size += value.size
        return node

    def _sequence(self, start: yaml.NodeEvent, path: Path) -> Node:
        items: list[Node] = []
        node = Node(_line(start), items)
        self._counted(1, start, path)
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            assert isinstance(event, yaml.NodeEvent), "a sequence is made of nodes"
            items.append(self._node(event, (*path, len(items))))
            node.size += items[-1].size
        return node

    def _next_node(self) -> yaml.NodeEvent:
        event = next(self._events)
        assert isinstance(event, yaml.NodeEvent), "a key is followed by its value"
        return event

    def _counted(self, nodes: int, event: yaml.Event, path: Path) -> None:
        self._count += nodes
        if self._count > NODES_MOST:
            text = f"a file has at most {NODES_MOST:,} values, aliases unfolded"
            raise BadDocumentError([_problem(event, path, text)])


def _refuse_tag(event: yaml.NodeEvent, path: Path) -> None:
    tag = getattr(event, "tag", None)
    implicit = getattr(event, "implicit", False)
    is_implied = any(implicit) if isinstance(implicit, tuple) else bool(implicit)
    if tag is not None and not is_implied:
        text = f"tags such as {tag} are not used; write the value"
        raise BadDocumentError([_problem(event, path, text)])


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None, "the parser tells where it is"
    return int(event.start_mark.line) + 1


def _problem(event: yaml.Event, path: Path, text: str) -> Problem:
    return Problem(_line(event), path_text(path), text)


def _resolved(event: yaml.ScalarEvent, path: Path) -> Scalar:
    """Return the value of a scalar: what is quoted or a block is text, the rest as it looks."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    is_number = _INTEGER.fullmatch(text) or _OTHER_BASE.fullmatch(text) or _FLOAT.fullmatch(text)
    if is_number and len(text) > DIGITS_MOST:
        raise BadDocumentError(
            [_problem(event, path, f"a number has at most {DIGITS_MOST} digits")]
        )
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return float(text) if is_number else text
