"""Tests of downloading, checking and unpacking."""

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import urllib.error
import zipfile
from pathlib import Path

import pytest
from facula_vision.datasets.utils import (
    calculate_md5,
    check_integrity,
    download_and_extract_archive,
    download_url,
    extract_archive,
    iterable_to_str,
    list_dir,
    list_files,
    verify_str_arg,
)

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def test_check_integrity(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert not check_integrity(path)
    path.write_bytes(CONTENT)
    assert check_integrity(path)
    assert check_integrity(str(path), MD5.upper())
    assert not check_integrity(path, "0" * 32)
    assert calculate_md5(path) == MD5


def test_download_writes_the_file_once(tmp_path: Path, server) -> None:
    server.files["/data.bin"] = CONTENT
    for _ in range(2):
        download_url(server.url + "data.bin", tmp_path / "new" / "folder", md5=MD5)
    assert (tmp_path / "new" / "folder" / "data.bin").read_bytes() == CONTENT
    assert server.requests == ["/data.bin"]


def test_download_replaces_a_damaged_file(tmp_path: Path, server) -> None:
    server.files["/data.bin"] = CONTENT
    (tmp_path / "mine").write_bytes(CONTENT[:-1])
    download_url(server.url + "data.bin", tmp_path, filename="mine", md5=MD5)
    assert (tmp_path / "mine").read_bytes() == CONTENT


def test_a_wrong_download_leaves_what_was_there(tmp_path: Path, server) -> None:
    server.files["/data.bin"] = CONTENT
    (tmp_path / "data.bin").write_bytes(b"older")
    with pytest.raises(RuntimeError, match=f"data.bin: expected md5 {'0' * 32}, got {MD5}"):
        download_url(server.url + "data.bin", tmp_path, md5="0" * 32)
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]
    assert (tmp_path / "data.bin").read_bytes() == b"older"


def test_a_connection_that_ends_early_is_an_error(tmp_path: Path, server) -> None:
    server.files["/data.bin"] = CONTENT
    server.truncated.add("/data.bin")
    with pytest.raises(RuntimeError, match="the connection ended after 128000 of 256000 bytes"):
        download_url(server.url + "data.bin", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_an_error(tmp_path: Path, server) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        download_url(server.url + "data.bin", tmp_path)
    caught.value.close()
    assert list(tmp_path.iterdir()) == []


def test_redirects_are_followed_a_few_times(tmp_path: Path, server) -> None:
    server.files["/data.bin"] = CONTENT
    server.redirects["/moved"] = server.url + "data.bin"
    server.redirects["/circle"] = server.url + "circle"
    download_url(server.url + "moved", tmp_path, md5=MD5)
    assert (tmp_path / "moved").read_bytes() == CONTENT
    with pytest.raises(urllib.error.HTTPError) as caught:
        download_url(server.url + "circle", tmp_path)
    caught.value.close()


MEMBERS = {"a.txt": b"first", "folder/b.txt": b"second"}


def tar_bytes(mode: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:
        for name, content in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
        archive.addfile(link)
    return target.getvalue()


def zip_bytes(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("all.tar", tar_bytes("w")),
        ("all.tar.gz", tar_bytes("w:gz")),
        ("all.tgz", tar_bytes("w:gz")),
        ("all.tar.bz2", tar_bytes("w:bz2")),
        ("all.tar.xz", tar_bytes("w:xz")),
        ("all.ZIP", zip_bytes({**MEMBERS, "link.txt": b"first"})),
    ],
)
def test_archives_are_unpacked(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    target = tmp_path / "there"
    assert extract_archive(tmp_path / name, target) == target
    found = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert found == {**MEMBERS, "link.txt": b"first"}
    assert not (target / "link.txt").is_symlink()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.csv.gz", gzip.compress(CONTENT)),
        ("data.csv.bz2", bz2.compress(CONTENT)),
        ("data.csv.xz", lzma.compress(CONTENT)),
    ],
)
def test_files_are_decompressed(tmp_path: Path, name: str, content: bytes) -> None:
    archive = tmp_path / name
    archive.write_bytes(content)
    assert extract_archive(archive, remove_finished=True) == tmp_path / "data.csv"
    assert (tmp_path / "data.csv").read_bytes() == CONTENT
    assert not archive.exists()


def evil_tar(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, linkname
        archive.addfile(member)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("evil.zip", zip_bytes({"good.txt": b"1", "../evil.txt": b"2"}), "would be written outside"),
        ("evil.tar", evil_tar("../evil.txt"), "would be written outside"),
        ("evil.tar", evil_tar("/tmp/facula-evil.txt"), "would be written outside"),
        ("evil.tar", evil_tar("link", tarfile.SYMTYPE, "/etc/passwd"), "points outside the archive"),
        ("evil.tar", evil_tar("link", tarfile.LNKTYPE, "../secret"), "points outside the archive"),
        ("evil.tar", evil_tar("pipe", tarfile.FIFOTYPE), "neither a file nor a folder"),
        ("broken.zip", b"PK\x03\x04 nothing", "damaged or truncated"),
        ("broken.tar", b"nothing" * 100, "damaged or truncated"),
        ("broken.tar.gz", tar_bytes("w:gz")[:60], "damaged or truncated"),
        ("broken.gz", gzip.compress(CONTENT)[:-20], "damaged or truncated"),
        ("broken.xz", lzma.compress(CONTENT)[:-20], "damaged or truncated"),
        ("broken.bz2", b"nothing", "damaged or truncated"),
        ("what.rar", b"Rar!", "unknown compression or archive type '.rar'"),
        ("plain", b"", "unknown compression or archive type ''"),
    ],
)
def test_bad_archives_are_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    archive = tmp_path / "in" / name
    archive.parent.mkdir()
    archive.write_bytes(content)
    target = tmp_path / "out"
    with pytest.raises(RuntimeError, match=message) as caught:
        extract_archive(archive, target)
    assert str(archive) in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


def test_a_link_on_disk_does_not_lead_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "out"
    target.mkdir()
    (target / "door").symlink_to(outside)
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_bytes({"door/evil.txt": b"2"}))
    with pytest.raises(RuntimeError, match="would be written outside"):
        extract_archive(archive, target)
    assert list(outside.iterdir()) == []


def test_download_and_extract(tmp_path: Path, server) -> None:
    server.files["/all.zip"] = zip_bytes(MEMBERS)
    server.files["/data.csv.gz"] = gzip.compress(CONTENT)
    download_and_extract_archive(
        server.url + "all.zip", tmp_path / "downloads", tmp_path / "data", remove_finished=True
    )
    assert (tmp_path / "data" / "folder" / "b.txt").read_bytes() == b"second"
    assert list((tmp_path / "downloads").iterdir()) == []
    download_and_extract_archive(server.url + "data.csv.gz", tmp_path / "downloads")
    assert (tmp_path / "downloads" / "data.csv").read_bytes() == CONTENT


def test_verify_str_arg() -> None:
    assert verify_str_arg("test", "split", ("train", "test")) == "test"
    with pytest.raises(
        ValueError, match=r"Unknown value 'tset' for argument split. Valid values are {'train', 'test'}"
    ):
        verify_str_arg("tset", "split", ("train", "test"))
    with pytest.raises(ValueError, match="Expected type str for argument split, but got type <class 'int'>"):
        verify_str_arg(1, "split", ("train", "test"))
    with pytest.raises(ValueError, match="mine"):
        verify_str_arg("tset", "split", ("train",), "mine")


def test_listing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt").touch()
    assert list_dir(tmp_path) == ["folder"]
    assert list_files(tmp_path, ".txt", prefix=True) == [str(tmp_path / "a.txt")]
    assert iterable_to_str(["a", 1]) == "'a', '1'"
