"""What SummaryWriter writes, read back by the tensorboard library itself."""

import builtins
import io

import facula
import numpy as np
import pytest
from facula.utils.tensorboard import SummaryWriter

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util


def read(folder) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"images": 0, "histograms": 0, "tensors": 0, "audio": 0})
    accumulator.Reload()
    return accumulator


def test_scalars(tmp_path) -> None:
    with SummaryWriter(tmp_path) as writer:
        assert writer.get_logdir() == str(tmp_path)
        for step in range(3):
            writer.add_scalar("loss", facula.tensor(0.5 * step), step, walltime=100.0 + step)
        writer.add_scalar("new", np.float32(2.5), 7, new_style=True)
        writer.add_scalars("both", {"a": 1, "b": facula.ones(1)}, 4)
    found = read(tmp_path)
    assert [(each.step, each.value, each.wall_time) for each in found.Scalars("loss")] == [
        (0, 0.0, 100.0),
        (1, 0.5, 101.0),
        (2, 1.0, 102.0),
    ]
    (new,) = found.Tensors("new")
    assert tensor_util.make_ndarray(new.tensor_proto) == 2.5 and new.step == 7
    assert [read(tmp_path / f"both_{tag}").Scalars("both")[0].value for tag in "ab"] == [1.0, 1.0]
    with SummaryWriter(tmp_path / "other") as writer, pytest.raises(ValueError, match="of one element"):
        writer.add_scalar("loss", facula.ones(2))


def test_histograms(tmp_path) -> None:
    facula.manual_seed(0)
    values = facula.randn(1000)
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("usual", values, 1)
        writer.add_histogram("ten", values, 1, bins=10)
        writer.add_histogram("few", values, 1, bins=10, max_bins=5)
        with pytest.raises(ValueError, match="no element"):
            writer.add_histogram("none", facula.ones(0))
        with pytest.raises(ValueError, match="got 1 and 2"):
            writer.add_histogram_raw("raw", 0, 1, 2, 1, 1, [1.0], [1, 1])
    found = read(tmp_path)
    for name in ("usual", "ten", "few"):
        (one,) = found.Histograms(name)
        histogram = one.histogram_value
        assert (histogram.num, sum(histogram.bucket)) == (1000, 1000)
        assert histogram.min == pytest.approx(float(values.min())) and histogram.sum == pytest.approx(
            float(values.sum()), 1e-4
        )
        assert len(histogram.bucket) == len(histogram.bucket_limit) > 3


@pytest.mark.parametrize("formats", ["CHW", "HWC", "HW"])
def test_images(tmp_path, formats) -> None:
    image_module = pytest.importorskip("PIL.Image")
    picture = facula.rand(*(dict(C=3, H=4, W=5)[letter] for letter in formats))
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("picture", picture, 2, dataformats=formats)
        writer.add_images("several", facula.rand(9, 1, 4, 5), 2)
        with pytest.raises(ValueError, match="does not name each dimension"):
            writer.add_image("wrong", picture, dataformats="CHWN")
    found = read(tmp_path)
    (one,) = found.Images("picture")
    pixels = np.asarray(image_module.open(io.BytesIO(one.encoded_image_string)))
    expected = (np.asarray(picture) * 255).astype(np.uint8)
    expected = expected.transpose([formats.index(letter) for letter in "HWC" if letter in formats])
    np.testing.assert_array_equal(pixels if expected.ndim == 3 else pixels[..., 0], expected)
    (several,) = found.Images("several")
    assert (several.height, several.width) == (8, 40)


def test_figures_sounds_and_texts(tmp_path) -> None:
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure(figsize=(2, 1), dpi=50)
    with SummaryWriter(tmp_path) as writer:
        writer.add_figure("figure", figure, 1)
        writer.add_audio("sound", facula.zeros(100), 1, sample_rate=8000)
        writer.add_text("text", "**bold**", 1)
    found = read(tmp_path)
    assert (found.Images("figure")[0].height, found.Images("figure")[0].width) == (50, 100)
    assert found.Audio("sound")[0].sample_rate == 8000
    assert tensor_util.make_ndarray(found.Tensors("text/text_summary")[0].tensor_proto)[0] == b"**bold**"


def test_curves_settings_layouts_and_bodies(tmp_path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_pr_curve("curve", [0, 1, 1, 0], [0.1, 0.8, 0.6, 0.7], 1, num_thresholds=11)
        writer.add_hparams({"rate": 0.1, "name": "a", "big": True}, {"accuracy": 0.5}, run_name="run")
        writer.add_custom_scalars({"losses": {"both": ["Multiline", ["a", "b"]], "range": ["Margin", ["m", "l", "u"]]}})
        writer.add_mesh("body", facula.rand(1, 4, 3), faces=facula.tensor([[[0, 1, 2]]]), global_step=1)
        with pytest.raises(NotImplementedError, match="add_graph"):
            writer.add_graph(None)
    found = read(tmp_path)
    curve = tensor_util.make_ndarray(found.Tensors("curve")[0].tensor_proto)
    assert curve.shape == (6, 11)
    np.testing.assert_allclose(curve[:, 7], [1, 1, 1, 1, 0.5, 0.5])
    assert "custom_scalars__config__" in found.Tags()["tensors"]
    assert sum(tag.startswith("body") for tag in found.Tags()["tensors"]) == 2
    inner = read(tmp_path / "run")
    assert inner.Scalars("accuracy")[0].value == 0.5
    assert "_hparams_/session_start_info" in inner.summary_metadata


def test_embeddings(tmp_path) -> None:
    vectors = facula.arange(6.0).reshape(3, 2)
    with SummaryWriter(tmp_path) as writer:
        writer.add_embedding(vectors, metadata=["a", "b", "c"], label_img=facula.rand(3, 3, 4, 4), global_step=2)
        with pytest.raises(ValueError, match="#labels"):
            writer.add_embedding(vectors, metadata=["a"])
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "00002/default/tensors.tsv"), np.asarray(vectors))
    assert (tmp_path / "00002/default/metadata.tsv").read_text() == "a\nb\nc\n"
    assert "sprite.png" in (tmp_path / "projector_config.pbtxt").read_text()


def test_a_run_that_goes_on_drops_what_came_after(tmp_path) -> None:
    with SummaryWriter(tmp_path) as writer:
        for step in range(6):
            writer.add_scalar("loss", step, step)
    with SummaryWriter(tmp_path, purge_step=3, filename_suffix=".second") as writer:
        writer.add_scalar("loss", 30, 3)
    assert [each.value for each in read(tmp_path).Scalars("loss")] == [0, 1, 2, 30]


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch) -> None:
    whole = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("tensorboard"):
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.setattr("facula.utils.tensorboard.import_module", lambda name: refuse(name))
    with pytest.raises(ModuleNotFoundError, match="pip install tensorboard"):
        SummaryWriter(tmp_path)
