"""Looks at the project's own papers: locks, packages, names of machines, what README promises."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import dev
from tests.structure import tree

PROJECT = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())
LOCKS = sorted(tree.ROOT.glob("requirements*.lock"))

# Put together from parts, so that this file does not name what it refuses.
_REGISTRIES = (
    "py" + "pi.org",
    "pythonhosted" + ".org",
    "npm" + "js.",
    "npm" + "js.org",
    "crates" + ".io",
)
_MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:home|root|Users|" + "wo" + r"rk)/[\w.-]+")


def test_every_locked_package_has_one_version_and_its_hashes() -> None:
    assert LOCKS
    assert [complaint for lock in LOCKS for complaint in lock_complaints(lock.read_text())] == []


def test_a_lock_without_version_or_hash_or_with_a_host_is_seen() -> None:
    fine = "one==1 \\\n    --hash=sha256:00\n    # via two\n"
    assert lock_complaints(fine) == []
    assert lock_complaints("one>=1 \\\n    --hash=sha256:00\n")
    assert lock_complaints("one==1\n")
    assert lock_complaints("--index-url somewhere\n" + fine)
    assert lock_complaints("one @ https://somewhere/one.whl \\\n    --hash=sha256:00\n")


def test_the_lock_holds_what_the_project_asks_for() -> None:
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    asked += PROJECT["build-system"]["requires"]
    assert unmet(asked, (tree.ROOT / "requirements.lock").read_text()) == []


def test_the_lock_of_the_data_set_holds_it_and_its_reader_alone() -> None:
    text = (tree.ROOT / "requirements-realdata.lock").read_text()
    assert unmet(PROJECT["project"]["optional-dependencies"]["realdata"], text) == []
    assert len(locked(text)) == 2


def test_a_package_that_is_missing_or_too_old_is_unmet() -> None:
    assert unmet(["one>=2"], "one==1 \\\n") == ["one>=2"]
    assert unmet(["Two_x[extra]"], "one==1 \\\n") == ["Two_x[extra]"]
    assert unmet(["One[extra]>=1"], "one==1.5 ; os_name != 'x' \\\n") == []


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    complaints = [
        f"{tree.shown(path)}: {complaint}"
        for path in tree.text_files()
        for complaint in place_complaints(path.read_text("utf-8"))
    ]
    assert complaints == []


def test_a_registry_and_a_path_of_a_machine_are_seen() -> None:
    assert place_complaints("see " + "https://py" + "pi.org/simple")
    assert place_complaints("open('" + "/ho" + "me/ada/ledger.py')")
    assert place_complaints("GET /v1/members and https://example.org/home/page") == []


def test_every_package_at_the_top_is_installed_and_held_to_the_arrows() -> None:
    present = {name for name in tree.PRODUCT if (tree.ROOT / name / "__init__.py").exists()}
    installed = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert present == installed == set(PROJECT["tool"]["importlinter"]["root_packages"])


def test_every_package_at_the_top_is_known() -> None:
    present = {path.parent.name for path in tree.ROOT.glob("*/__init__.py")}
    assert present <= {*tree.PRODUCT, "tests", "bench"}


def test_every_command_that_the_guides_show_exists() -> None:
    guides = [path for path in tree.text_files() if path.suffix == ".md"]
    shown = {
        (tree.shown(path), command)
        for path in guides
        for command in re.findall(r"dev\.py +([a-z]+)", path.read_text("utf-8"))
    }
    assert {place for place in shown if place[1] not in dev.COMMANDS} == set()


def test_the_usage_of_dev_tells_every_command() -> None:
    assert dev.__doc__ is not None
    assert set(re.findall(r"dev\.py ([a-z]+)", dev.__doc__)) == set(dev.COMMANDS)


def test_every_opt_out_of_a_rule_has_its_reason() -> None:
    text = (tree.ROOT / "pyproject.toml").read_text()
    assert opt_out_complaints(text) == []
    assert opt_out_complaints('[tool.ruff.lint]\nignore = [\n    "D203",\n]\n') == ['"D203",']
    assert opt_out_complaints('[tool.ruff.lint]\nignore = [\n    # Why.\n    "D203",\n]\n') == []


def lock_complaints(text: str) -> list[str]:
    """Return what is wrong with a lock: no exact version, no hash, or any address."""
    complaints = [line for line in text.splitlines() if "://" in line or line.startswith("--")]
    for entry in re.split(r"\n(?=\S)", text.strip()):
        name = entry.splitlines()[0]
        if not re.match(r"[\w.-]+==[\w.]+", name) or "--hash=sha256:" not in entry:
            complaints.append(name)
    return complaints


def locked(text: str) -> dict[str, Version]:
    """Return each package of a lock with its version."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in found}


def unmet(asked: list[str], lock: str) -> list[str]:
    """Return the requirements that a lock does not meet."""
    held = locked(lock)
    requirements = [(text, Requirement(text)) for text in asked]
    return [
        text
        for text, requirement in requirements
        if (version := held.get(canonicalize_name(requirement.name))) is None
        or version not in requirement.specifier
    ]


def place_complaints(text: str) -> list[str]:
    """Return the lines that name a package registry's host or an absolute path of a machine."""
    return [
        line
        for line in text.splitlines()
        if any(host in line for host in _REGISTRIES) or _MACHINE_PATH.search(line)
    ]


def opt_out_complaints(text: str) -> list[str]:
    """Return the lines that switch rules off with no comment on the line or above it."""
    complaints: list[str] = []
    before = ""
    inside = False
    for line in map(str.strip, text.splitlines()):
        opens = line.startswith("ignore = [") or re.match(r'"[^"]+" = \[$', line) is not None
        if inside and line.startswith('"') and "#" not in line and not before.startswith("#"):
            complaints.append(line)
        inside = opens or (inside and not line.startswith("]"))
        before = line
    return complaints
