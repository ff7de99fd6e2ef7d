"""`make check` refuses a change that would keep readers from what the last release wrote, and no other change."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.programs import ROOT

pytestmark = pytest.mark.skipif(shutil.which("npx") is None, reason="Node is not here: `make setup` says how to get it")

POSITION = "protos/flight/v1/position.proto"
A_FIELD = "  optional string squawk = 14;\n"


def the_check() -> list[str]:
    """What `make check` runs to compare the messages with the released ones."""
    said = subprocess.run(["make", "--dry-run", "check"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (line,) = (line for line in said.splitlines() if " breaking " in line)
    return shlex.split(line)


def check(folder: Path, old: str, new: str) -> subprocess.CompletedProcess[str]:
    """Checks a copy of our messages in which one thing is changed."""
    shutil.copytree(ROOT / "protos", folder / "protos")
    text = (folder / POSITION).read_text()
    assert text.count(old) == 1
    (folder / POSITION).write_text(text.replace(old, new))
    return subprocess.run(the_check(), cwd=folder, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("new", "complaint"),
    [
        pytest.param(A_FIELD.replace("14", "18"), '"14"', id="renumbered"),
        pytest.param(A_FIELD.replace("string", "int32"), '"int32"', id="another-type"),
        pytest.param("", '"14"', id="deleted"),
    ],
)
def test_what_old_readers_could_not_read_is_refused(tmp_path: Path, new: str, complaint: str) -> None:
    done = check(tmp_path, A_FIELD, new)
    assert done.returncode != 0
    assert POSITION in done.stdout
    assert complaint in done.stdout


def test_an_added_field_is_taken(tmp_path: Path) -> None:
    done = check(tmp_path, A_FIELD, A_FIELD + "  optional sint32 selected_altitude_ft = 18;\n")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
