"""The lock: everything that is declared, pinned with hashes, and no word of where it is downloaded from."""

import re
import tomllib

from cli.programs import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
PINNED = dict(re.findall(r"(?m)^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==(\S+)", LOCK))


def declared() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]


def canonical(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_everything_declared_is_locked() -> None:
    assert {canonical(requirement) for requirement in declared()} <= PINNED.keys(), "run `make lock`"


def test_exact_pins_agree() -> None:
    exact = dict(requirement.split("==") for requirement in declared() if "==" in requirement)
    assert {name: PINNED[name] for name in exact} == exact


def test_every_pin_has_hashes() -> None:
    blocks = re.split(r"(?m)^(?=[a-z0-9])", LOCK)[1:]
    assert len(blocks) == len(PINNED) > 100
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_it_names_no_place() -> None:
    assert "://" not in LOCK
    assert not re.search(r"(?m)^\s*--(?!hash)", LOCK)


def test_what_setup_needs_first_is_there() -> None:
    """Setup installs uv from the lock before all else, and builds this project with setuptools at the end."""
    assert {"uv", "setuptools"} <= PINNED.keys()
