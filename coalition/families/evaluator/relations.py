"""What two members of a group are to each other, by what each is to its head."""

from coalition.families.rule_sets.vocabulary import Role

_OF_HEAD = {
    Role.SPOUSE: Role.SPOUSE,
    Role.PARTNER: Role.PARTNER,
    Role.CHILD: Role.PARENT,
    Role.PARENT: Role.CHILD,
    Role.SIBLING: Role.SIBLING,
    Role.RELATIVE: Role.RELATIVE,
    Role.FRIEND: Role.FRIEND,
}
"""What the head is to each of the others."""

_BETWEEN: dict[tuple[str, str], str] = {
    ("child", "child"): "sibling",
    ("child", "parent"): "grandparent",
    ("parent", "child"): "grandchild",
    ("child", "sibling"): "uncle_aunt",
    ("sibling", "child"): "nephew_niece",
    ("sibling", "sibling"): "sibling",
    ("sibling", "parent"): "parent",
    ("parent", "sibling"): "child",
} | {
    pair: word
    for consort in ("spouse", "partner")
    for pair, word in {
        ("child", consort): "parent",
        (consort, "child"): "child",
        ("parent", consort): "in_law",
        (consort, "parent"): "in_law",
        ("sibling", consort): "in_law",
        (consort, "sibling"): "in_law",
    }.items()
}


_INVERSE = {
    one: other
    for pair in (
        ("child", "parent"),
        ("grandchild", "grandparent"),
        ("great_grandchild", "great_grandparent"),
        ("nephew_niece", "uncle_aunt"),
        ("ward", "guardian"),
    )
    for one, other in (pair, pair[::-1])
}
_MUTUAL = frozenset({"first_cousin", "half_sibling", "in_law"} | {str(role) for role in _OF_HEAD})


def inverse(word: str) -> str:
    """Return what one is to whom the other is `word`; a `relative` where that cannot be told."""
    return _INVERSE.get(word) or (word if word in _MUTUAL else "relative")


def relationship_between(role_a: str, role_b: str) -> str | None:
    """Return what the one in `role_b` is to the one in `role_a`; None where it cannot be told.

    Roles are towards the head of one group. The head's spouse counts as a parent of its children.
    Relatives and friends of the head are nothing that could be told to each other.
    """
    if role_a == Role.HEAD:
        return None if role_b == Role.HEAD else role_b
    if role_b == Role.HEAD:
        return next((str(is_to) for role, is_to in _OF_HEAD.items() if role == role_a), None)
    return _BETWEEN.get((role_a, role_b))
