"""Reading and writing sound files."""

import io
import struct
import subprocess
import sys
from pathlib import Path

import facula
import facula_audio
import numpy as np
import pytest
import soundfile
from facula import Tensor
from facula_audio import AudioMetaData


def close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    return tuple(found.shape) == tuple(expected.shape) and bool((found - expected).abs().max() <= tolerance)


QUANTUM = {8: 1 / 128, 16: 1 / 32768, 24: 1 / 8388608, 32: 1e-7, 64: 1e-7}


# ---- real files


def test_load_speech_from_ogg(audio_data: Path) -> None:
    waveform, sample_rate = facula_audio.load(audio_data / "198-209-0000.ogg")
    expected, expected_rate = soundfile.read(audio_data / "198-209-0000.ogg", dtype="float32")
    assert (waveform.dtype, sample_rate) == (facula.float32, expected_rate)
    assert np.array_equal(waveform.numpy(), expected[None])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("198-209-0000.ogg", AudioMetaData(22050, 306717, 1, 0, "VORBIS")),
        ("derived_198-209-0000_3s_pcm16.wav", AudioMetaData(22050, 66150, 1, 16, "PCM_S")),
        ("derived_198-209-0000_3s_float32.wav", AudioMetaData(22050, 66150, 1, 32, "PCM_F")),
        ("derived_198-209-0000_3s.flac", AudioMetaData(22050, 66150, 1, 16, "FLAC")),
        ("derived_trumpet_hq_2s_pcm24.flac", AudioMetaData(44100, 88200, 2, 24, "FLAC")),
    ],
)
def test_info_of_real_files(audio_data: Path, name: str, expected: AudioMetaData) -> None:
    assert facula_audio.info(audio_data / name) == expected


def test_the_same_speech_in_three_formats(audio_data: Path) -> None:
    as_float, _ = facula_audio.load(audio_data / "derived_198-209-0000_3s_float32.wav")
    as_pcm16, _ = facula_audio.load(audio_data / "derived_198-209-0000_3s_pcm16.wav")
    as_flac, _ = facula_audio.load(audio_data / "derived_198-209-0000_3s.flac")
    assert close(as_pcm16, as_float, QUANTUM[16])
    assert close(as_flac, as_float, QUANTUM[16])


def test_segments_of_a_real_stereo_file(audio_data: Path) -> None:
    path = audio_data / "derived_trumpet_hq_2s_pcm24.flac"
    whole, sample_rate = facula_audio.load(path)
    assert (tuple(whole.shape), sample_rate) == ((2, 88200), 44100)
    segment, _ = facula_audio.load(path, frame_offset=1000, num_frames=500)
    assert bool((segment == whole[:, 1000:1500]).all())
    frames_first, _ = facula_audio.load(path, channels_first=False)
    assert bool((frames_first == whole.T).all())


# ---- writing and reading back


@pytest.mark.parametrize(
    ("name", "options", "encoding", "bits", "tolerance"),
    [
        ("a.wav", {}, "PCM_F", 32, 0.0),
        ("a.wav", {"bits_per_sample": 16}, "PCM_S", 16, QUANTUM[16]),
        ("a.wav", {"bits_per_sample": 8}, "PCM_U", 8, QUANTUM[8]),
        ("a.wav", {"bits_per_sample": 24}, "PCM_S", 24, QUANTUM[24]),
        ("a.wav", {"encoding": "PCM_S"}, "PCM_S", 32, QUANTUM[32]),
        ("a.wav", {"encoding": "PCM_F", "bits_per_sample": 64}, "PCM_F", 64, 0.0),
        ("a.wav", {"encoding": "ULAW"}, "ULAW", 8, 0.03),
        ("a.wav", {"encoding": "ALAW"}, "ALAW", 8, 0.03),
        ("a.flac", {}, "FLAC", 16, QUANTUM[16]),
        ("a.flac", {"bits_per_sample": 24}, "FLAC", 24, QUANTUM[24]),
        ("a.flac", {"bits_per_sample": 8}, "FLAC", 8, QUANTUM[8]),
        ("a.flac", {"compression": 8}, "FLAC", 16, QUANTUM[16]),
        ("a.aiff", {}, "PCM_F", 32, 0.0),
        ("a.au", {"bits_per_sample": 16}, "PCM_S", 16, QUANTUM[16]),
        ("a.caf", {"bits_per_sample": 24}, "PCM_S", 24, QUANTUM[24]),
        ("a.w64", {}, "PCM_F", 32, 0.0),
        ("a.rf64", {"bits_per_sample": 16}, "PCM_S", 16, QUANTUM[16]),
        ("a.ogg", {}, "VORBIS", 0, None),
        ("a.ogg", {"compression": 9}, "VORBIS", 0, None),
        ("a.opus", {}, "OPUS", 0, None),
        ("a.mp3", {}, "MP3", 0, None),
    ],
)
def test_round_trip(
    tmp_path: Path, stereo: Tensor, name: str, options: dict, encoding: str, bits: int, tolerance: float | None
) -> None:
    path = tmp_path / name
    facula_audio.save(path, stereo, 8000, **options)
    assert facula_audio.info(path) == AudioMetaData(8000, 1600, 2, bits, encoding)
    found, sample_rate = facula_audio.load(path)
    assert sample_rate == 8000
    assert found.dtype == facula.float32
    if tolerance is None:  # lossy: the error's energy is a tenth of the signal's
        assert tuple(found.shape) == (2, 1600)
        assert float((found - stereo).norm() / stereo.norm()) < 0.1**0.5
    else:
        assert close(found, stereo, tolerance)


@pytest.mark.parametrize(
    ("dtype", "encoding", "bits"),
    [("uint8", "PCM_U", 8), ("int16", "PCM_S", 16), ("int32", "PCM_S", 32), ("float32", "PCM_F", 32)],
)
def test_native_types_survive_a_wav_file(tmp_path: Path, dtype: str, encoding: str, bits: int) -> None:
    values = facula.from_numpy(np.array([[0, 1, 127, 128, 200, 255]]).astype(dtype))
    facula_audio.save(tmp_path / "a.wav", values, 16000)
    assert facula_audio.info(tmp_path / "a.wav") == AudioMetaData(16000, 6, 1, bits, encoding)
    found, _ = facula_audio.load(tmp_path / "a.wav", normalize=False)
    assert found.dtype == values.dtype
    assert bool((found == values).all())


def test_float64_survives_and_is_normalized_to_float32(tmp_path: Path) -> None:
    values = facula.tensor([[0.1, -1.5]], dtype=facula.float64)
    facula_audio.save(tmp_path / "a.wav", values, 16000)
    native, _ = facula_audio.load(tmp_path / "a.wav", normalize=False)
    assert native.dtype == facula.float64
    assert bool((native == values).all())
    normalized, _ = facula_audio.load(tmp_path / "a.wav")
    assert bool((normalized == values.float()).all())


def test_integers_are_scaled_by_their_range(tmp_path: Path) -> None:
    facula_audio.save(tmp_path / "a.wav", facula.tensor([[-32768, 0, 16384]], dtype=facula.int16), 8000)
    assert facula_audio.load(tmp_path / "a.wav")[0].tolist() == [[-1.0, 0.0, 0.5]]
    facula_audio.save(tmp_path / "b.wav", facula.tensor([[0, 128, 192]], dtype=facula.uint8), 8000)
    assert facula_audio.load(tmp_path / "b.wav")[0].tolist() == [[-1.0, 0.0, 0.5]]


def test_24_bits_without_normalization_fill_the_high_bytes(tmp_path: Path) -> None:
    facula_audio.save(tmp_path / "a.wav", facula.tensor([[-1.0, 0.5]]), 8000, bits_per_sample=24)
    found, _ = facula_audio.load(tmp_path / "a.wav", normalize=False)
    assert found.dtype == facula.int32
    assert found.tolist() == [[-(2**31), 2**30]]


def test_what_is_beyond_one_is_clipped(tmp_path: Path) -> None:
    facula_audio.save(tmp_path / "a.wav", facula.tensor([[1.5, -1.5]]), 8000, bits_per_sample=16)
    assert facula_audio.load(tmp_path / "a.wav", normalize=False)[0].tolist() == [[32767, -32768]]


def test_save_frames_first_half_precision_and_tensors_that_require_grad(tmp_path: Path, stereo: Tensor) -> None:
    facula_audio.save(tmp_path / "a.wav", stereo.T, 8000, channels_first=False)
    assert bool((facula_audio.load(tmp_path / "a.wav")[0] == stereo).all())
    facula_audio.save(tmp_path / "b.wav", stereo.half(), 8000)
    assert bool((facula_audio.load(tmp_path / "b.wav")[0] == stereo.half().float()).all())
    facula_audio.save(tmp_path / "c.wav", stereo.clone().requires_grad_(), 8000)
    assert bool((facula_audio.load(tmp_path / "c.wav")[0] == stereo).all())


def test_file_objects(stereo: Tensor) -> None:
    file = io.BytesIO()
    facula_audio.save(file, stereo, 8000, format="flac", bits_per_sample=24)
    file.seek(0)
    assert facula_audio.info(file).encoding == "FLAC"
    file.seek(0)
    found, _ = facula_audio.load(file)
    assert close(found, stereo, QUANTUM[24])


def test_segments_at_and_beyond_the_end(tmp_path: Path, stereo: Tensor) -> None:
    path = tmp_path / "a.wav"
    facula_audio.save(path, stereo, 8000)
    assert tuple(facula_audio.load(path, num_frames=0)[0].shape) == (2, 0)
    assert tuple(facula_audio.load(path, frame_offset=1600)[0].shape) == (2, 0)
    assert tuple(facula_audio.load(path, frame_offset=5000)[0].shape) == (2, 0)
    assert bool((facula_audio.load(path, frame_offset=1500, num_frames=1000)[0] == stereo[:, 1500:]).all())
    assert tuple(facula_audio.load(str(path), 3, 4)[0].shape) == (2, 4)


def test_an_empty_sound_file(tmp_path: Path) -> None:
    facula_audio.save(tmp_path / "a.wav", facula.zeros(1, 0), 8000)
    assert tuple(facula_audio.load(tmp_path / "a.wav")[0].shape) == (1, 0)


# ---- what is refused


@pytest.mark.parametrize("format", ["wav", "rf64", "aiff", "au"])
def test_a_truncated_file_names_both_counts(tmp_path: Path, stereo: Tensor, format: str) -> None:
    whole = tmp_path / f"whole.{format}"
    facula_audio.save(whole, stereo, 8000, bits_per_sample=16)
    cut = tmp_path / f"cut.{format}"
    cut.write_bytes(whole.read_bytes()[:-4000])
    counts = "6400 bytes of samples, but there are 2400" if format == "au" else "1600 frames, but there are 600"
    for read in (facula_audio.load, facula_audio.info):
        with pytest.raises(RuntimeError, match=rf"cut\.{format}: truncated sound file: .*{counts}"):
            read(cut)


def test_a_truncated_file_object_is_named(stereo: Tensor) -> None:
    file = io.BytesIO()
    facula_audio.save(file, stereo, 8000, format="wav")
    cut = io.BytesIO(file.getvalue()[:-80])
    cut.name = "upload.wav"
    with pytest.raises(RuntimeError, match=r"upload\.wav: truncated .* 1600 frames, but there are 1590"):
        facula_audio.load(cut)


def test_a_segment_before_the_cut_is_refused_too(tmp_path: Path, stereo: Tensor) -> None:
    facula_audio.save(tmp_path / "a.wav", stereo, 8000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-8])
    with pytest.raises(RuntimeError, match="1600 frames, but there are 1599"):
        facula_audio.load(tmp_path / "a.wav", num_frames=10)


@pytest.mark.parametrize("format", ["flac", "ogg", "opus"])
@pytest.mark.parametrize("keep", [0.45, 0.5, 0.99])
def test_a_truncated_compressed_file_is_refused(tmp_path: Path, stereo: Tensor, format: str, keep: float) -> None:
    path = tmp_path / f"cut.{format}"
    facula_audio.save(path, stereo.repeat(1, 20), 8000)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(RuntimeError, match=rf"cut\.{format}: (truncated|corrupt)"):
        facula_audio.load(path)


def test_a_truncated_mp3_names_both_counts(tmp_path: Path, stereo: Tensor, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / "cut.mp3"
    facula_audio.save(path, stereo.repeat(1, 20), 8000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RuntimeError, match=r"cut\.mp3: truncated sound file: .*32000 frames, but .* after \d+"):
        facula_audio.load(path)


def test_a_header_that_promises_terabytes_is_refused(tmp_path: Path, stereo: Tensor) -> None:
    """The number of frames in a FLAC file's header has 36 bits; set them all."""
    path = tmp_path / "huge.flac"
    facula_audio.save(path, stereo, 8000)
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    path.write_bytes(content)
    assert facula_audio.info(path).num_frames == 2**36 - 1
    with pytest.raises(RuntimeError, match=r"huge\.flac: (truncated|corrupt)"):
        facula_audio.load(path)


def test_long_files_are_read_in_blocks(tmp_path: Path, stereo: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    facula_audio.save(tmp_path / "a.wav", stereo, 8000)
    for block in (1599, 1600, 1601, 7):
        monkeypatch.setattr(facula_audio.io, "_BLOCK", block)
        assert bool((facula_audio.load(tmp_path / "a.wav")[0] == stereo).all())
        assert bool((facula_audio.load(tmp_path / "a.wav", 10, 1000)[0] == stereo[:, 10:1010]).all())


def test_an_ogg_file_without_end_mark_warns(tmp_path: Path, audio_data: Path) -> None:
    content = (audio_data / "sorohanro_-_solo-trumpet-06.ogg").read_bytes()
    last_page = content.rfind(b"OggS")
    path = tmp_path / "cut.ogg"
    path.write_bytes(content[:last_page])
    with pytest.warns(UserWarning, match=r"cut\.ogg: no end-of-stream mark"):
        facula_audio.info(path)


def test_a_wav_file_written_as_a_stream_is_read(tmp_path: Path, stereo: Tensor) -> None:
    path = tmp_path / "stream.wav"
    facula_audio.save(path, stereo, 8000, bits_per_sample=16)
    content = bytearray(path.read_bytes())
    position = content.find(b"data") + 4
    content[4:8] = content[position : position + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert close(facula_audio.load(path)[0], stereo, QUANTUM[16])


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVE", b"OggS", b"no sound at all" * 20])
def test_what_is_no_sound_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage.wav"
    path.write_bytes(content)
    for read in (facula_audio.load, facula_audio.info):
        with pytest.raises(RuntimeError, match=r"garbage\.wav: (corrupt|truncated)"):
            read(path)


def test_every_cut_of_a_wav_header_is_refused(tmp_path: Path, stereo: Tensor) -> None:
    path = tmp_path / "a.wav"
    facula_audio.save(path, stereo[:, :10], 8000, bits_per_sample=16)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(RuntimeError, match=r"a\.wav: "):
            facula_audio.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"nowhere\.wav: cannot open sound file: No such file"):
        facula_audio.load(tmp_path / "nowhere.wav")


def test_bad_segments() -> None:
    with pytest.raises(ValueError, match="frame_offset must be non-negative, but got -1"):
        facula_audio.load("a.wav", frame_offset=-1)
    with pytest.raises(ValueError, match="num_frames must be -1 .* but got -2"):
        facula_audio.load("a.wav", num_frames=-2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.wav", {"encoding": "PCM_S", "bits_per_sample": 8}, r"wav does not support 8-bit PCM_S; .*\[16, 24, 32\]"),
        ("a.wav", {"encoding": "PCM_U", "bits_per_sample": 16}, r"wav does not support 16-bit PCM_U"),
        ("a.wav", {"encoding": "ULAW", "bits_per_sample": 16}, r"wav does not support 16-bit ULAW"),
        ("a.wav", {"encoding": "VORBIS"}, r"wav does not support encoding 'VORBIS'"),
        ("a.wav", {"bits_per_sample": 64}, r"wav does not support 64-bit PCM_S"),
        ("a.wav", {"compression": 3}, r"compression .* got 3 for wav"),
        ("a.flac", {"bits_per_sample": 32}, r"flac does not support bits_per_sample .* got 32"),
        ("a.flac", {"encoding": "PCM_S"}, r"flac does not support encoding"),
        ("a.ogg", {"bits_per_sample": 16}, r"ogg does not support encoding and bits_per_sample"),
        ("a.xyz", {}, r"Unsupported format: 'xyz'"),
        ("a", {}, r"Unsupported format: ''"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path: Path, stereo: Tensor, name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        facula_audio.save(tmp_path / name, stereo, 8000, **options)
    assert not (tmp_path / name).exists()


def test_bad_tensors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Expected 2D Tensor, got 1D"):
        facula_audio.save(tmp_path / "a.wav", facula.zeros(10), 8000)
    with pytest.raises(ValueError, match="Expected a tensor of float16, .* but got .*int64"):
        facula_audio.save(tmp_path / "a.wav", facula.zeros(1, 10, dtype=facula.int64), 8000)


def test_what_libsndfile_cannot_write_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"a\.opus: cannot write 1 channels at 11025 Hz as opus"):
        facula_audio.save(tmp_path / "a.opus", facula.zeros(1, 100), 11025)


def test_soundfile_is_imported_on_first_use_only() -> None:
    code = "import sys, facula_audio; sys.exit('soundfile' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
