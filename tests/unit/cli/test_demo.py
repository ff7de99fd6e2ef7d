"""The recordings: taken from the package, checked to the last bit."""

import dataclasses
import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest

from cli import demo
from cli.demo import PAST, PRESENT, RecordingError, fetch, is_intact


def package(folder: Path, contents: dict[str, bytes]) -> None:
    """A wheel such as the registry would give, with these recordings."""
    with zipfile.ZipFile(folder / "traffic-2.13-py3-none-any.whl", "w") as wheel:
        for name, content in contents.items():
            wheel.writestr(f"traffic/data/samples/collections/{name}", content)


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Two small recordings that are taken for the real ones."""
    contents = {PAST.file: gzip.compress(b"[1]"), PRESENT.file: gzip.compress(b"[2]")}
    for name in ("PAST", "PRESENT"):
        recording = getattr(demo, name)
        digest = hashlib.sha256(contents[recording.file]).hexdigest()
        monkeypatch.setattr(demo, name, dataclasses.replace(recording, sha256=digest))
    monkeypatch.setattr(demo, "_download", lambda folder: next(iter(folder.glob("traffic-*.whl"))))
    return contents


def test_takes_both_recordings_out_of_the_package(tmp_path: Path, recordings: dict[str, bytes]) -> None:
    package(tmp_path, recordings)
    paths = fetch(tmp_path)
    assert {name: path.read_bytes() for name, path in paths.items()} == {
        "switzerland": recordings[PAST.file],
        "paris": recordings[PRESENT.file],
    }


def test_does_not_download_again(tmp_path: Path, recordings: dict[str, bytes]) -> None:
    package(tmp_path, recordings)
    fetch(tmp_path)
    (tmp_path / "traffic-2.13-py3-none-any.whl").unlink()
    assert set(fetch(tmp_path)) == {"switzerland", "paris"}


def test_a_recording_that_is_not_the_expected_one_is_refused(tmp_path: Path, recordings: dict[str, bytes]) -> None:
    package(tmp_path, recordings | {PAST.file: b"something else"})
    with pytest.raises(RecordingError, match="not the recording that was expected"):
        fetch(tmp_path)
    assert not (tmp_path / PAST.file).exists()


def test_a_damaged_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / PAST.file
    assert not is_intact(path, PAST)
    path.write_bytes(b"half a")
    assert not is_intact(path, PAST)


def test_the_hashes_are_hashes() -> None:
    for recording in (PAST, PRESENT):
        assert len(bytes.fromhex(recording.sha256)) == 32
