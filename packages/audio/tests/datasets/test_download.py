"""Downloads and archives that are not what they should be."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from facula_audio.datasets.download import download_file, extract_archive, sha256_of

CONTENT = b"sound" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def url(tmp_path: Path) -> str:
    source = tmp_path / "source.bin"
    source.write_bytes(CONTENT)
    return source.as_uri()


def test_a_file_is_fetched_once(tmp_path: Path, url: str) -> None:
    target = tmp_path / "new" / "folder" / "file.bin"
    download_file(url, target, SHA256)
    assert sha256_of(target) == SHA256
    (tmp_path / "source.bin").unlink()
    download_file(url, target, SHA256)


def test_a_damaged_file_is_fetched_again(tmp_path: Path, url: str) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(CONTENT[:100])
    download_file(url, target, SHA256)
    assert target.read_bytes() == CONTENT


def test_a_wrong_sum_leaves_nothing(tmp_path: Path, url: str) -> None:
    with pytest.raises(RuntimeError, match=rf"file\.bin: downloaded from .*: expected SHA-256 abc, but got {SHA256}"):
        download_file(url, tmp_path / "file.bin", "abc")
    assert [path.name for path in tmp_path.iterdir()] == ["source.bin"]


def test_zip_and_tar_are_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("folder/one.txt", "one")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tarred:
        member = tarfile.TarInfo("folder/two.txt")
        member.size = 3
        tarred.addfile(member, io.BytesIO(b"two"))
    for archive in ("a.zip", "a.tar.gz"):
        extract_archive(tmp_path / archive, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "folder").iterdir()) == ["one.txt", "two.txt"]


@pytest.mark.parametrize("name", ["../escaped.txt", "/tmp/escaped.txt", "a/../../escaped.txt"])
def test_members_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr(name, "x")
    with tarfile.open(tmp_path / "a.tar", "w") as tarred:
        tarred.addfile(tarfile.TarInfo(name))
    for archive in ("a.zip", "a.tar"):
        with pytest.raises(RuntimeError, match="refused: .*escaped.txt' would be written outside"):
            extract_archive(tmp_path / archive, tmp_path / "out")


def test_links_are_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    with tarfile.open(tmp_path / "a.tar", "w") as tarred:
        tarred.addfile(link)
    with pytest.raises(RuntimeError, match="'link' is neither a file nor a folder"):
        extract_archive(tmp_path / "a.tar", tmp_path / "out")
