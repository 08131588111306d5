"""Stripe's own definitions of parameters and objects, read from the installed package's text.

The package's classes are declarations alone: `amount: int`, `email: NotRequired[str]`,
`customer: Optional[ExpandableField["Customer"]]`. They are read as text, since many of their names
exist for type checkers only, and since importing all of them takes seconds.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from billing.sandbox.nullable import package

_CLASS_OF_KIND = re.compile(r"\"([\w.]+)\":\s*\(\s*\"([\w.]+)\",\s*\"(\w+)\",?\s*\)")


@dataclass(frozen=True)
class Atom:
    """A plain value: str, int, bool, float, Decimal or None; or anything."""

    name: str


@dataclass(frozen=True)
class Words:
    """One of some words."""

    words: frozenset[str]


@dataclass(frozen=True)
class Either:
    """A value of one of several types."""

    options: tuple["Type", ...]


@dataclass(frozen=True)
class Many:
    """A list of values, or (`is_map`) values by names that are free."""

    inner: "Type"
    is_map: bool = False


@dataclass(frozen=True)
class Page:
    """A list object of Stripe's."""

    inner: "Type"


@dataclass(frozen=True)
class Resource:
    """Another object, by the name of its class; its own `object` says what it is."""

    name: str


@dataclass(frozen=True)
class Fields:
    """Values by names that are fixed."""

    name: str
    fields: dict[str, "Type"] = field(hash=False)
    required: frozenset[str] = frozenset()


Type = Atom | Words | Either | Many | Page | Resource | Fields

ANYTHING = Atom("Any")
NOTHING = Atom("None")
_ATOMS = {"str", "int", "bool", "float", "Decimal", "Any", "None", "object"}
_TRANSPARENT = {"NotRequired", "Required", "Type"}


@cache
def kinds() -> dict[str, tuple[str, str]]:
    """Return module and class of each kind of object."""
    text = (package() / "_object_classes.py").read_text("utf-8")
    return {kind: (module, name) for kind, module, name in _CLASS_OF_KIND.findall(text)}


@cache
def object_type(kind: str) -> Fields | None:
    """Return what a kind of object has, or None for a kind that Stripe has not."""
    known = kinds().get(kind)
    return None if known is None else class_type(*known)


@cache
def class_type(module: str, name: str) -> Fields:
    """Return the fields of a class of one of the package's modules."""
    path = package().parent.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(path.read_text("utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return _Reader(classes).fields(classes[name], ())


_GENERIC: dict[str, Callable[[list["Type"]], "Type"]] = {
    "Optional": lambda types: _either(NOTHING, types[0]),
    "Union": lambda types: _either(*types),
    "ExpandableField": lambda types: _either(Atom("str"), types[0]),
    "List": lambda types: Many(types[0]),
    "ListObject": lambda types: Page(types[0]),
    "Dict": lambda types: Many(types[-1], is_map=True),
    "UntypedStripeObject": lambda types: Many(types[-1], is_map=True),
}


class _Reader:
    """Reads the classes of one module; a name means the innermost class that is called so."""

    def __init__(self, classes: dict[str, ast.ClassDef]) -> None:
        self._classes = classes
        self._known: dict[ast.ClassDef, Fields] = {}

    def fields(self, node: ast.ClassDef, outer: tuple[ast.ClassDef, ...]) -> Fields:
        if (known := self._known.get(node)) is not None:
            return known
        found = Fields(node.name, {}, frozenset(_required(node)))
        self._known[node] = found  # before its fields, which may be of the class itself
        for statement in node.body:
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and "ClassVar" not in ast.unparse(statement.annotation)
            ):
                type_ = self.type(statement.annotation, (node, *outer))
                found.fields[statement.target.id] = type_
        return found

    def type(self, node: ast.expr, within: tuple[ast.ClassDef, ...]) -> Type:
        match node:
            case ast.Constant(value=None):
                return NOTHING
            case ast.Constant(value=str() as text):
                return self.type(ast.parse(text, mode="eval").body, within)
            case ast.BinOp(left=left, right=right):
                return _either(self.type(left, within), self.type(right, within))
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return self._named(name, within)
            case ast.Subscript(value=value, slice=inner):
                return self._subscript(ast.unparse(value).rsplit(".", 1)[-1], inner, within)
            case _:
                return ANYTHING

    def _named(self, name: str, within: tuple[ast.ClassDef, ...]) -> Type:
        if name in _ATOMS:
            return Atom(name)
        for place, holder in enumerate(within):
            for node in holder.body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return self.fields(node, within[place:])
        if name in self._classes:
            return self.fields(self._classes[name], ())
        return Resource(name)

    def _subscript(self, name: str, inner: ast.expr, within: tuple[ast.ClassDef, ...]) -> Type:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Literal":
            return Words(frozenset(str(ast.literal_eval(part)) for part in parts))
        types = [self.type(part, within) for part in parts]
        if name in _TRANSPARENT:
            return types[0]
        return _GENERIC[name](types) if name in _GENERIC else ANYTHING


def _required(node: ast.ClassDef) -> list[str]:
    """Return the names of fields that are always there."""
    return [
        statement.target.id
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not ast.unparse(statement.annotation).startswith(
            ("NotRequired", "Optional", "ClassVar")
        )
    ]


def _either(*types: Type) -> Type:
    flat: list[Type] = []
    for type_ in types:
        flat.extend(type_.options if isinstance(type_, Either) else [type_])
    return Either(tuple(flat))


# ---- which parameters a route takes

_METHOD = re.compile(r"\n    def \w+\(")
_PARAMS = re.compile(r"params: (?:Optional\[)?\"(\w+)\"")
_CALL = re.compile(r"self\._request\(\s*\"(get|post|delete)\",\s*\"(/v[12]/[^\"]*)\"")
_IMPORT = re.compile(r"from (stripe\.params[\w.]*) import \(?\s*(\w+)")
_NAME = re.compile(r"\{\w+\}")


@cache
def parameter_classes() -> dict[tuple[str, str], tuple[str, str]]:
    """Return module and class of the parameters of each route, by method and nameless path."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for file in sorted(package().rglob("_*_service.py")):
        text = file.read_text("utf-8")
        modules = {name: module for module, name in _IMPORT.findall(text)}
        for method in _METHOD.split(text)[1:]:
            params, call = _PARAMS.search(method), _CALL.search(method)
            if params and call and params[1] in modules:
                shape = (call[1].upper(), _NAME.sub("{}", call[2]))
                found[shape] = (modules[params[1]], params[1])
    return found


@cache
def parameters(method: str, shape: str) -> Fields | None:
    """Return the parameters of a route, or None where the package names none."""
    known = parameter_classes().get((method, shape))
    return None if known is None else class_type(*known)


@cache
def event_types() -> frozenset[str]:
    """Return the types of events that an endpoint may ask for."""
    params = parameters("POST", "/v1/webhook_endpoints")
    assert params is not None, "Stripe has webhook endpoints"
    wanted = params.fields["enabled_events"]
    assert isinstance(wanted, Many), "a list of types"
    options = wanted.inner.options if isinstance(wanted.inner, Either) else (wanted.inner,)
    words = (option.words for option in options if isinstance(option, Words))
    return frozenset[str]().union(*words) - {"*"}
