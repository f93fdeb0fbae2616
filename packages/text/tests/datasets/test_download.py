"""Downloads are checked and never half there; the "server" is a local file."""

import hashlib

import pytest
from facula_text.datasets._download import RemoteFile, ensure_file


@pytest.fixture
def remote(tmp_path):
    content = b"some content\n" * 20000
    source = tmp_path / "server" / "file.txt"
    source.parent.mkdir()
    source.write_bytes(content)
    return RemoteFile("file.txt", source.as_uri(), "sha256:" + hashlib.sha256(content).hexdigest())


def test_download(remote, tmp_path):
    root = tmp_path / "cache" / "deep"
    path = ensure_file(root, remote, download=True)
    assert path == str(root / "file.txt")
    assert len((root / "file.txt").read_bytes()) == 260000
    assert [file.name for file in root.iterdir()] == ["file.txt"]


def test_what_is_there_is_kept(remote, tmp_path):
    (tmp_path / "file.txt").write_text("mine")
    assert ensure_file(tmp_path, remote, download=True) == str(tmp_path / "file.txt")
    assert (tmp_path / "file.txt").read_text() == "mine"


def test_missing_without_download(remote, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"file.txt is missing; pass download=True to fetch it from file:"):
        ensure_file(tmp_path / "cache", remote, download=False)


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_wrong_digest_leaves_nothing(remote, tmp_path, kind):
    wrong = RemoteFile(remote.name, remote.url, f"{kind}:00")
    with pytest.raises(ValueError, match=f"expected {kind} 00, got [0-9a-f]+; nothing was kept"):
        ensure_file(tmp_path / "cache", wrong, download=True)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_failed_download_leaves_nothing(remote, tmp_path):
    gone = RemoteFile(remote.name, remote.url + ".gone", remote.digest)
    with pytest.raises(OSError, match="gone"):
        ensure_file(tmp_path / "cache", gone, download=True)
    assert list((tmp_path / "cache").iterdir()) == []
