"""The spoken digits: real recordings, both layouts, the split, and what is refused."""

import io
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import facula
import facula_audio
import pytest
from facula.utils.data import DataLoader
from facula_audio.datasets import FSDD, SpokenDigits, spoken_digits
from facula_audio.datasets.download import sha256_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in upstream's layout: digits 0 and 7, speakers anna and bo, numbers 0, 4, 5 and 12."""
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for label in (0, 7):
        for speaker in ("anna", "bo"):
            for number in (0, 4, 5, 12):
                wave = facula.full((1, 100 + number), label / 10)
                facula_audio.save(recordings / f"{label}_{speaker}_{number}.wav", wave, 8000, bits_per_sample=16)
    (recordings / "README.txt").write_text("not a recording")
    return tmp_path


@pytest.fixture
def zipped(folder: Path) -> Path:
    target = folder / "zipped"
    target.mkdir()
    with zipfile.ZipFile(target / "recordings.zip", "w") as archive:
        for path in (folder / "recordings").iterdir():
            archive.write(path, f"recordings/{path.name}")
    return target


def test_real_recordings(test_data: Path) -> None:
    every = SpokenDigits(test_data / "fsdd")
    training = SpokenDigits(test_data / "fsdd", subset="training")
    testing = SpokenDigits(test_data / "fsdd", subset="testing")
    assert (len(every), len(training), len(testing)) == (1500, 1350, 150)
    waveform, sample_rate, label, speaker, number = testing[0]
    assert (waveform.dtype, waveform.shape[0], sample_rate) == (facula.float32, 1, 8000)
    assert (label, speaker, number) == (0, "jackson", 0)
    assert 0.05 < waveform.abs().max().item() <= 1.0
    labels = [testing.get_metadata(n)[2] for n in range(len(testing))]
    assert labels == sorted(labels)
    assert [labels.count(digit) for digit in range(10)] == [15] * 10
    assert {testing.get_metadata(n)[4] for n in range(len(testing))} == {0, 1, 2, 3, 4}


def test_loose_recordings_equal_those_in_the_zip_file(test_data: Path) -> None:
    loose = SpokenDigits(test_data / "fsdd" / "sample")
    assert [loose.get_metadata(n)[2:] for n in range(4)] == [
        (0, "theo", 0), (1, "jackson", 3), (2, "nicolas", 1), (3, "george", 7)
    ]  # fmt: skip
    whole = SpokenDigits(test_data / "fsdd")
    index = [whole.get_metadata(n)[2:] for n in range(len(whole))].index((0, "theo", 0))
    assert bool((whole[index][0] == loose[0][0]).all())


def test_layouts_give_the_same_items(folder: Path, zipped: Path) -> None:
    expected = [(label, speaker, number) for label in (0, 7) for speaker in ("anna", "bo") for number in (0, 4, 5, 12)]
    for root in (folder, folder / "recordings", zipped, zipped / "recordings.zip", str(zipped)):
        dataset = FSDD(root)
        assert [dataset.get_metadata(n)[2:] for n in range(len(dataset))] == expected
        for n, (label, _, number) in enumerate(expected):
            waveform, sample_rate = dataset[n][:2]
            assert (tuple(waveform.shape), sample_rate) == ((1, 100 + number), 8000)
            assert waveform[0, 0].item() == pytest.approx(label / 10, abs=1e-4)


def test_the_split(folder: Path) -> None:
    training, testing = SpokenDigits(folder, "training"), SpokenDigits(folder, "testing")
    assert {training.get_metadata(n)[4] for n in range(len(training))} == {5, 12}
    assert {testing.get_metadata(n)[4] for n in range(len(testing))} == {0, 4}
    assert len(training) == len(testing) == 8


def pad_to_200(items: list) -> tuple:
    waveforms = facula.stack([facula.nn.functional.pad(item[0], (0, 200 - item[0].shape[-1])) for item in items])
    return waveforms, facula.tensor([item[2] for item in items])


def test_worker_processes_read_the_zip_file(zipped: Path) -> None:
    dataset = SpokenDigits(zipped)
    dataset[0]  # opens the zip file in this process
    here = list(DataLoader(dataset, batch_size=4, collate_fn=pad_to_200))
    there = list(DataLoader(dataset, batch_size=4, collate_fn=pad_to_200, num_workers=2))
    assert len(here) == len(there) == 4
    for (waveforms, labels), (same_waveforms, same_labels) in zip(here, there, strict=True):
        assert bool((waveforms == same_waveforms).all())
        assert labels.tolist() == same_labels.tolist()


def test_it_can_be_pickled(zipped: Path) -> None:
    dataset = SpokenDigits(zipped)
    expected = dataset[3][0]
    assert bool((pickle.loads(pickle.dumps(dataset))[3][0] == expected).all())


def test_a_truncated_recording_is_named(folder: Path, zipped: Path) -> None:
    victim = folder / "recordings" / "0_anna_0.wav"
    content = victim.read_bytes()[:-20]
    victim.write_bytes(content)
    with pytest.raises(RuntimeError, match=r"0_anna_0\.wav: truncated .* 100 frames, but there are 90"):
        SpokenDigits(folder)[0]
    with zipfile.ZipFile(zipped / "recordings.zip", "w") as archive:
        archive.writestr("recordings/0_anna_0.wav", content)
    with pytest.raises(RuntimeError, match=r"recordings\.zip/recordings/0_anna_0\.wav: truncated"):
        SpokenDigits(zipped)[0]


def test_a_corrupt_zip_file_is_named(zipped: Path) -> None:
    path = zipped / "recordings.zip"
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(RuntimeError, match=r"recordings\.zip: corrupt zip file"):
        SpokenDigits(zipped)
    damaged = bytearray(content)
    damaged[300] ^= 0xFF
    path.write_bytes(damaged)
    dataset = SpokenDigits(zipped)
    with pytest.raises(RuntimeError, match=r"recordings\.zip: corrupt zip file"):
        for n in range(len(dataset)):
            dataset[n]


def test_what_is_not_there(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(RuntimeError, match=r"nothing: no recordings"):
        SpokenDigits(tmp_path / "nothing")
    with pytest.raises(ValueError, match="subset must be None, 'training' or 'testing', but got 'test'"):
        SpokenDigits(folder, subset="test")
    for path in (folder / "recordings").glob("*_[04].wav"):
        path.unlink()
    with pytest.raises(RuntimeError, match="no testing recordings"):
        SpokenDigits(folder, subset="testing")


def test_download(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "upstream.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder / "recordings", "free-spoken-digit-dataset-1.0.9/recordings")
    monkeypatch.setattr(spoken_digits, "_URL", archive.as_uri())
    monkeypatch.setattr(spoken_digits, "_SHA256", sha256_of(archive))
    root = tmp_path / "fetched"
    assert len(SpokenDigits(root, download=True)) == 16
    shutil.rmtree(folder / "recordings")
    archive.unlink()
    assert len(SpokenDigits(root, download=True)) == 16


def test_a_wrong_download_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "upstream.tar.gz").write_bytes(b"something else")
    monkeypatch.setattr(spoken_digits, "_URL", (tmp_path / "upstream.tar.gz").as_uri())
    with pytest.raises(RuntimeError, match="expected SHA-256 8bc44cde.*, but got"):
        SpokenDigits(tmp_path / "fetched", download=True)
    assert list((tmp_path / "fetched").iterdir()) == []
    with pytest.raises(RuntimeError, match="no recordings"):
        SpokenDigits(tmp_path / "fetched")


def test_items_read_through_any_zip_folder(tmp_path: Path) -> None:
    file = io.BytesIO()
    facula_audio.save(file, facula.zeros(1, 10), 8000, format="wav")
    with zipfile.ZipFile(tmp_path / "recordings.zip", "w") as archive:
        archive.writestr("a/b/9_li_49.wav", file.getvalue())
    dataset = SpokenDigits(tmp_path)
    assert dataset.get_metadata(0) == ("a/b/9_li_49.wav", 8000, 9, "li", 49)
