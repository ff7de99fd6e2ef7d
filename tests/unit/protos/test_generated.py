"""The generated modules are what `make protos` makes of the .proto files."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.programs import ROOT

PROTOS = sorted((ROOT / "protos").rglob("*.proto"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={ROOT}", f"--python_out={folder}"]
    command += [f"--pyi_out={folder}", *(str(proto.relative_to(ROOT)) for proto in PROTOS)]
    subprocess.run(command, check=True, cwd=ROOT)
    return folder


@pytest.mark.parametrize("proto", PROTOS, ids=lambda proto: proto.stem)
@pytest.mark.parametrize("suffix", ["_pb2.py", "_pb2.pyi"])
def test_the_checked_in_module_is_the_generated_one(proto: Path, suffix: str, generated: Path) -> None:
    relative = proto.relative_to(ROOT)
    name = relative.with_name(relative.stem + suffix)
    assert (ROOT / name).read_text() == (generated / name).read_text(), "run `make protos`"


def test_there_is_something_to_compare() -> None:
    assert "position" in {proto.stem for proto in PROTOS}
