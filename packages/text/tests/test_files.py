"""Files are replaced all at once or not at all."""

import os

import pytest
from facula_text._files import replacing, write_text


def test_write_text(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    write_text(str(path), "new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        write_text(tmp_path / "missing" / "file.txt", "text")


@pytest.mark.skipif(os.name != "posix", reason="file rights are those of POSIX")
def test_the_usual_rights(tmp_path):
    write_text(tmp_path / "ours", "")
    (tmp_path / "usual").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode
