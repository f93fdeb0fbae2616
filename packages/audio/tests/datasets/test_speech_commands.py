"""Speech Commands: upstream's folders, made small."""

import tarfile
from pathlib import Path

import facula
import facula_audio
import pytest
from facula_audio.datasets import SPEECHCOMMANDS, speech_commands
from facula_audio.datasets.download import sha256_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    version = tmp_path / "SpeechCommands" / "speech_commands_v0.02"
    for word in ("yes", "no", "_background_noise_"):
        (version / word).mkdir(parents=True)
    names = ["no/0a_nohash_0.wav", "no/0a_nohash_1.wav", "yes/0b_nohash_0.wav", "yes/0c_nohash_0.wav"]
    for index, name in enumerate([*names, "_background_noise_/doing_the_dishes.wav"]):
        facula_audio.save(version / name, facula.full((1, 160), index / 8), 16000, bits_per_sample=16)
    (version / "validation_list.txt").write_text("no/0a_nohash_1.wav\n")
    (version / "testing_list.txt").write_text("yes/0c_nohash_0.wav\n")
    return tmp_path


def test_items(root: Path) -> None:
    dataset = SPEECHCOMMANDS(root)
    assert [dataset.get_metadata(n) for n in range(len(dataset))] == [
        ("speech_commands_v0.02/no/0a_nohash_0.wav", 16000, "no", "0a", 0),
        ("speech_commands_v0.02/no/0a_nohash_1.wav", 16000, "no", "0a", 1),
        ("speech_commands_v0.02/yes/0b_nohash_0.wav", 16000, "yes", "0b", 0),
        ("speech_commands_v0.02/yes/0c_nohash_0.wav", 16000, "yes", "0c", 0),
    ]
    waveform, sample_rate, label, speaker, number = dataset[2]
    assert (sample_rate, label, speaker, number) == (16000, "yes", "0b", 0)
    assert tuple(waveform.shape) == (1, 160)
    assert waveform[0, 0].item() == pytest.approx(2 / 8)


@pytest.mark.parametrize(
    ("subset", "names"),
    [
        ("training", ["no/0a_nohash_0.wav", "yes/0b_nohash_0.wav"]),
        ("validation", ["no/0a_nohash_1.wav"]),
        ("testing", ["yes/0c_nohash_0.wav"]),
    ],
)
def test_subsets(root: Path, subset: str, names: list[str]) -> None:
    dataset = SPEECHCOMMANDS(root, subset=subset)
    found = [dataset.get_metadata(n)[0] for n in range(len(dataset))]
    assert found == [f"speech_commands_v0.02/{name}" for name in names]


def test_download(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "speech_commands_v0.02.packed"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(root / "SpeechCommands" / "speech_commands_v0.02", ".")
    monkeypatch.setattr(speech_commands, "_URL", packed.as_uri())
    monkeypatch.setitem(speech_commands._SHA256, "speech_commands_v0.02", sha256_of(packed))
    assert len(SPEECHCOMMANDS(tmp_path / "fetched", download=True)) == 4


def test_what_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="speech_commands_v0.01: dataset not found"):
        SPEECHCOMMANDS(root, url="speech_commands_v0.01")
    with pytest.raises(ValueError, match="url must be one of .* but got 'v3'"):
        SPEECHCOMMANDS(root, url="v3")
    with pytest.raises(ValueError, match="subset must be .* but got 'test'"):
        SPEECHCOMMANDS(root, subset="test")
    (root / "SpeechCommands" / "speech_commands_v0.02" / "testing_list.txt").unlink()
    with pytest.raises(RuntimeError, match=r"testing_list\.txt: not found"):
        SPEECHCOMMANDS(root, subset="training")
    facula_audio.save(
        root / "SpeechCommands" / "speech_commands_v0.02" / "no" / "0a_nohash_0.wav", facula.zeros(1, 80), 8000
    )
    with pytest.raises(RuntimeError, match=r"0a_nohash_0\.wav: expected 16000 Hz, but got 8000 Hz"):
        SPEECHCOMMANDS(root)[0]
