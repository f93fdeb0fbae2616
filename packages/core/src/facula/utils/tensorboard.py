"""SummaryWriter: what a run measures, written to event files for TensorBoard by the tensorboard library.

It needs ``pip install tensorboard`` (Pillow for images, matplotlib for figures), imported on first use.
"""

from __future__ import annotations

import io
import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from facula.tensor import Tensor

__all__ = ["FileWriter", "SummaryWriter"]


def _library(name: str, package: str = "tensorboard") -> Any:
    """Return a module of an optional library; ModuleNotFoundError that says what to install."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"facula.utils.tensorboard needs the package {package}: pip install {package}"
        ) from error


def _array(values: Any) -> np.ndarray:
    """Return tensors, arrays, and lists of numbers or tensors as an array in main memory."""
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, (list, tuple)):
        return np.array([_array(each) for each in values])
    return np.asarray(values)


def _number(value: Any) -> float:
    array = _array(value)
    if array.size != 1:
        raise ValueError(f"expected a tensor, array or number of one element, got one of shape {array.shape}")
    return float(array.reshape(()))


def _as_bytes(image: np.ndarray, dataformats: str) -> np.ndarray:
    """Return an image, or several side by side in rows, as (H, W, 3) bytes; floats are numbers from 0 to 1."""
    if len(dataformats) != image.ndim or len(set(dataformats)) != len(dataformats):
        raise ValueError(
            f"dataformats={dataformats!r} does not name each dimension of an image of shape {image.shape} once"
        )
    scale = 255.0 if image.dtype.kind == "f" else 1.0
    image = np.clip(image.astype(np.float32) * scale, 0, 255).astype(np.uint8)
    for letter in "NCHW":
        if letter not in dataformats:
            image, dataformats = image[None], letter + dataformats
    image = image.transpose([dataformats.index(letter) for letter in "NHWC"])
    if image.shape[-1] == 1:
        image = image.repeat(3, axis=-1)
    count, height, width, channels = image.shape
    columns = min(count, 8)
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, channels), np.uint8)
    sheet[:count] = image
    sheet = sheet.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return sheet.reshape(rows * height, columns * width, channels)


class FileWriter:
    """Writes events to a file of their own in ``log_dir``."""

    def __init__(self, log_dir: str, max_queue: int = 10, flush_secs: float = 120, filename_suffix: str = "") -> None:
        writer = _library("tensorboard.summary.writer.event_file_writer")
        self.event_writer = writer.EventFileWriter(str(log_dir), max_queue, flush_secs, filename_suffix)

    def get_logdir(self) -> str:
        """Return the folder."""
        return str(self.event_writer.get_logdir())

    def add_event(self, event: Any, step: int | None = None, walltime: float | None = None) -> None:
        """Write an event of the tensorboard library."""
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self.event_writer.add_event(event)

    def add_summary(self, summary: Any, global_step: int | None = None, walltime: float | None = None) -> None:
        """Write a summary of the tensorboard library."""
        event = _library("tensorboard.compat.proto.event_pb2").Event(summary=summary)
        self.add_event(event, global_step, walltime)

    def flush(self) -> None:
        """Write everything to the disk."""
        self.event_writer.flush()

    def close(self) -> None:
        """Write everything and close the file."""
        self.event_writer.close()


class SummaryWriter:
    """Writes scalars, images, histograms and more to ``log_dir``, for TensorBoard to show.

    Without ``log_dir`` it is ``runs/<date and time>_<host><comment>``. ``purge_step`` is where a run goes on that was cut
    off: TensorBoard drops what an earlier file has from that step on. What `add_graph` and `add_video` do in PyTorch needs
    a traced program, and moviepy: both raise NotImplementedError here.

    >>> import tempfile
    >>> with facula.utils.tensorboard.SummaryWriter(tempfile.mkdtemp()) as writer:  # doctest: +SKIP
    ...     writer.add_scalar("loss", 0.5, 1)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
    ) -> None:
        if log_dir is None:
            name = f"{datetime.now():%b%d_%H-%M-%S}_{socket.gethostname()}{comment}"
            log_dir = os.path.join("runs", name)
        self.log_dir = str(log_dir)
        self.purge_step = purge_step
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self.file_writer: FileWriter | None = None
        #: For `add_scalars` and `add_hparams`: writers of runs inside this one, by their folder.
        self._inner: dict[str, FileWriter] = {}
        self._embeddings: list[str] = []
        self._get_file_writer()

    def _get_file_writer(self) -> FileWriter:
        if self.file_writer is None:
            self.file_writer = FileWriter(self.log_dir, self.max_queue, self.flush_secs, self.filename_suffix)
            if self.purge_step is not None:
                events = _library("tensorboard.compat.proto.event_pb2")
                self.file_writer.add_event(events.Event(file_version="brain.Event:2"), self.purge_step)
                restart = events.SessionLog(status=events.SessionLog.START)
                self.file_writer.add_event(events.Event(session_log=restart), self.purge_step)
                self.purge_step = None
        return self.file_writer

    def get_logdir(self) -> str:
        """Return the folder."""
        return self.log_dir

    def _add(self, tag: str, step: int | None, walltime: float | None, **value: Any) -> None:
        summaries = _library("tensorboard.compat.proto.summary_pb2")
        summary = summaries.Summary(value=[summaries.Summary.Value(tag=tag, **value)])
        self._get_file_writer().add_summary(summary, step, walltime)

    # Numbers.

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Write a number; ``new_style`` as a tensor, with ``double_precision`` if wanted."""
        number = _number(scalar_value)
        if not new_style:
            self._add(tag, global_step, walltime, simple_value=number)
            return
        make = _library("tensorboard.util.tensor_util").make_tensor_proto
        tensor = make(np.asarray(number, np.float64 if double_precision else np.float32))
        self._add(tag, global_step, walltime, tensor=tensor, metadata=_metadata("scalars"))

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Write several numbers that are drawn in one diagram, each as a run of its own inside this one."""
        summaries = _library("tensorboard.compat.proto.summary_pb2")
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            writer = self._inner.get(folder)
            if writer is None:
                writer = self._inner[folder] = FileWriter(folder, self.max_queue, self.flush_secs, self.filename_suffix)
            one = summaries.Summary.Value(tag=main_tag, simple_value=_number(value))
            writer.add_summary(summaries.Summary(value=[one]), global_step, walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: str | int | Sequence[float] = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Write how values are distributed, in ``bins`` of ``numpy.histogram`` or TensorBoard's own."""
        array = _array(values).reshape(-1).astype(np.float64)
        if array.size == 0:
            raise ValueError("The input has no element.")
        edges = _usual_edges() if isinstance(bins, str) and bins == "tensorflow" else bins
        counts, limits = np.histogram(array, bins=edges)
        if max_bins is not None and len(counts) > max_bins:
            together = -(-len(counts) // max_bins)
            padded = np.concatenate([counts, np.zeros(-len(counts) % together, counts.dtype)])
            counts = padded.reshape(-1, together).sum(axis=1)
            limits = np.append(limits[:-1:together], limits[-1])
        self.add_histogram_raw(
            tag,
            float(array.min()),
            float(array.max()),
            array.size,
            float(array.sum()),
            float(array @ array),
            limits[1:].tolist(),
            counts.tolist(),
            global_step,
            walltime,
        )

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: int,
        sum: float,
        sum_squares: float,
        bucket_limits: Sequence[float],
        bucket_counts: Sequence[float],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Write a histogram that was made elsewhere: ``bucket_limits`` are the upper ends of its buckets."""
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError(
                f"len(bucket_limits) != len(bucket_counts): got {len(bucket_limits)} and {len(bucket_counts)}"
            )
        kept = [at for at, count in enumerate(bucket_counts) if count]
        # Empty buckets at both ends are left out, but for one before the first that is filled.
        first, last = (np.maximum(kept[0] - 1, 0), kept[-1] + 1) if kept else (0, len(bucket_counts))
        made = _library("tensorboard.compat.proto.summary_pb2").HistogramProto(
            min=min,
            max=max,
            num=num,
            sum=sum,
            sum_squares=sum_squares,
            bucket_limit=list(bucket_limits)[first:last],
            bucket=list(bucket_counts)[first:last],
        )
        self._add(tag, global_step, walltime, histo=made)

    # Pictures, sounds and texts.

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Write a picture: floats from 0 to 1, or bytes."""
        sheet = _as_bytes(_array(img_tensor), dataformats.upper())
        buffer = io.BytesIO()
        _library("PIL.Image", "pillow").fromarray(sheet).save(buffer, format="PNG")
        made = _library("tensorboard.compat.proto.summary_pb2").Summary.Image(
            height=sheet.shape[0], width=sheet.shape[1], colorspace=3, encoded_image_string=buffer.getvalue()
        )
        self._add(tag, global_step, walltime, image=made)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Write several pictures as one, side by side."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Write one of matplotlib's figures, or several, as a picture, and close them."""
        backend = _library("matplotlib.backends.backend_agg", "matplotlib")
        figures = figure if isinstance(figure, list) else [figure]
        sheets = []
        for each in figures:
            canvas = backend.FigureCanvasAgg(each)
            canvas.draw()
            sheets.append(np.asarray(canvas.buffer_rgba())[..., :3])
            if close:
                import_module("matplotlib.pyplot").close(each)
        self.add_images(tag, np.stack(sheets), global_step, walltime, "NHWC")

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Write sound: numbers from -1 to 1, of one channel."""
        import wave

        samples = np.clip(_array(snd_tensor).squeeze(), -1.0, 1.0)
        if samples.ndim != 1:
            raise ValueError(f"add_audio expects sound of one channel, got shape {samples.shape}")
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes((samples * 32767.0).astype("<i2").tobytes())
        made = _library("tensorboard.compat.proto.summary_pb2").Summary.Audio(
            sample_rate=sample_rate,
            num_channels=1,
            length_frames=len(samples),
            encoded_audio_string=buffer.getvalue(),
            content_type="audio/wav",
        )
        self._add(tag, global_step, walltime, audio=made)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """Write a text, which TensorBoard shows as Markdown."""
        make = _library("tensorboard.util.tensor_util").make_tensor_proto
        tensor = make(np.array([text_string.encode()], dtype=object))
        self._add(f"{tag}/text_summary", global_step, walltime, tensor=tensor, metadata=_metadata("text"))

    # Of whole runs.

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Write precision and recall of predictions from 0 to 1 for thresholds between; labels are 0 or 1."""
        truth, scores = _array(labels).reshape(-1), _array(predictions).reshape(-1)
        if truth.shape != scores.shape:
            raise ValueError(f"labels and predictions differ in size: {truth.size} and {scores.size}")
        shares = np.ones(truth.size) if weights is None else _array(weights).reshape(-1)
        place = np.floor(np.clip(scores, 0, 1) * (num_thresholds - 1)).astype(np.int64)
        right, wrong = (
            np.bincount(place, weights=shares * part, minlength=num_thresholds)[::-1].cumsum()[::-1]
            for part in (truth.astype(np.float64), 1.0 - truth.astype(np.float64))
        )
        tiny = 1e-7
        precision = right / np.maximum(right + wrong, tiny)
        recall = right / np.maximum(right[0], tiny)
        counts = (right, wrong, wrong[0] - wrong, right[0] - right)
        self.add_pr_curve_raw(tag, *counts, precision, recall, global_step, num_thresholds, walltime=walltime)

    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Write a curve of precision and recall that was made elsewhere."""
        counts = [true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts]
        data = np.stack([_array(each) for each in (*counts, precision, recall)]).astype(np.float32)
        plugin = _library("tensorboard.plugins.pr_curve.plugin_data_pb2")
        content = plugin.PrCurvePluginData(version=0, num_thresholds=num_thresholds).SerializeToString()
        make = _library("tensorboard.util.tensor_util").make_tensor_proto
        self._add(tag, global_step, walltime, tensor=make(data), metadata=_metadata("pr_curves", content))

    def add_hparams(
        self,
        hparam_dict: Mapping[str, bool | str | float | int | None],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Mapping[str, Sequence[Any]] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Write the settings of a run and what came of them, to compare runs by."""
        if not isinstance(hparam_dict, Mapping) or not isinstance(metric_dict, Mapping):
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        api = _library("tensorboard.plugins.hparams.api_pb2")
        data = _library("tensorboard.plugins.hparams.plugin_data_pb2")
        struct = _library("google.protobuf.struct_pb2", "protobuf")
        start, infos = data.SessionStartInfo(), []
        for name, value in hparam_dict.items():
            if value is None:
                continue
            plain = _array(value).item() if isinstance(value, (Tensor, np.generic)) else value
            kinds = {bool: ("bool_value", "BOOL"), str: ("string_value", "STRING")}
            if not isinstance(plain, (bool, str, int, float)):
                raise ValueError(f"value should be one of int, float, str, bool, or facula.Tensor, got {type(value)}")
            field, kind = kinds.get(type(plain), ("number_value", "FLOAT64"))
            start.hparams[name].MergeFrom(struct.Value(**{field: plain}))
            info = api.HParamInfo(name=name, type=api.DataType.Value(f"DATA_TYPE_{kind}"))
            for choice in (hparam_domain_discrete or {}).get(name, ()):
                info.domain_discrete.values.add(**{field: choice})
            infos.append(info)
        metrics = [api.MetricInfo(name=api.MetricName(tag=name)) for name in metric_dict]
        experiment = data.HParamsPluginData(
            experiment=api.Experiment(hparam_infos=infos, metric_infos=metrics), version=0
        )
        end = data.HParamsPluginData(
            session_end_info=data.SessionEndInfo(status=api.Status.Value("STATUS_SUCCESS")), version=0
        )
        begin = data.HParamsPluginData(session_start_info=start, version=0)
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        with SummaryWriter(folder) as inner:
            names = ("experiment", "session_start_info", "session_end_info")
            for name, content in zip(names, (experiment, begin, end), strict=True):
                metadata = _metadata("hparams", content.SerializeToString())
                inner._add(f"_hparams_/{name}", global_step, None, metadata=metadata)
            for name, value in metric_dict.items():
                inner.add_scalar(name, value, global_step)

    def add_custom_scalars(self, layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        """Write which numbers to draw together: ``{category: {title: ["Multiline" or "Margin", [tags]]}}``."""
        pb = _library("tensorboard.plugins.custom_scalar.layout_pb2")
        categories = []
        for category, charts in layout.items():
            made = []
            for title, (kind, tags) in charts.items():
                if kind == "Margin":
                    value, lower, upper = tags
                    series = pb.MarginChartContent.Series(value=value, lower=lower, upper=upper)
                    made.append(pb.Chart(title=title, margin=pb.MarginChartContent(series=[series])))
                else:
                    made.append(pb.Chart(title=title, multiline=pb.MultilineChartContent(tag=list(tags))))
            categories.append(pb.Category(title=category, chart=made))
        make = _library("tensorboard.util.tensor_util").make_tensor_proto
        content = pb.Layout(category=categories).SerializeToString()
        tensor = make(np.array(content, dtype=object))
        self._add("custom_scalars__config__", None, None, tensor=tensor, metadata=_metadata("custom_scalars"))

    def add_mesh(
        self,
        tag: str,
        vertices: Any,
        colors: Any = None,
        faces: Any = None,
        config_dict: Mapping[str, Any] | None = None,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Write bodies: vertices (N, V, 3), and colours (N, V, 3) and faces (N, F, 3) where there are some."""
        data = _library("tensorboard.plugins.mesh.plugin_data_pb2")
        metadata = _library("tensorboard.plugins.mesh.metadata")
        given = {"VERTEX": vertices, "FACE": faces, "COLOR": colors}
        parts = {name: _array(values) for name, values in given.items() if values is not None}
        components = metadata.get_components_bitmask([data.MeshPluginData.ContentType.Value(name) for name in parts])
        summaries = _library("tensorboard.compat.proto.summary_pb2")
        make = _library("tensorboard.util.tensor_util").make_tensor_proto
        made = []
        for name, values in parts.items():
            kind = data.MeshPluginData.ContentType.Value(name)
            described = metadata.create_summary_metadata(
                tag, tag, kind, components, list(values.shape), None, json_config=json.dumps(config_dict or {})
            )
            full = metadata.get_instance_name(tag, kind)
            made.append(summaries.Summary.Value(tag=full, tensor=make(values.astype(np.float32)), metadata=described))
        self._get_file_writer().add_summary(summaries.Summary(value=made), global_step, walltime)

    def add_embedding(
        self,
        mat: Any,
        metadata: Sequence[Any] | None = None,
        label_img: Any = None,
        global_step: int | None = None,
        tag: str = "default",
        metadata_header: Sequence[str] | None = None,
    ) -> None:
        """Write vectors (N, D) for the projector, with a label, or a row of them under a header, for each."""
        vectors = _array(mat)
        if vectors.ndim != 2:
            raise ValueError(f"mat should be 2D, where mat.size(0) is the number of data points, got {vectors.shape}")
        name = f"{0 if global_step is None else global_step:05d}/{tag}"
        folder = Path(self.log_dir) / name
        folder.mkdir(parents=True, exist_ok=True)
        lines = ["\t".join(repr(float(number)) for number in row) for row in vectors]
        (folder / "tensors.tsv").write_text("\n".join(lines) + "\n")
        config = [f'tensor_name: "{tag}:{name[:5]}"', f'tensor_path: "{name}/tensors.tsv"']
        if metadata is not None:
            if len(metadata) != len(vectors):
                raise ValueError("#labels should equal with #data points")
            table = [metadata_header, *metadata] if metadata_header else [[each] for each in metadata]
            text = "".join("\t".join(map(str, row)) + "\n" for row in table)
            (folder / "metadata.tsv").write_text(text)
            config.append(f'metadata_path: "{name}/metadata.tsv"')
        if label_img is not None:
            pictures = _array(label_img)
            if len(pictures) != len(vectors):
                raise ValueError("#images should equal with #data points")
            side = int(np.ceil(np.sqrt(len(pictures))))
            height, width = pictures.shape[2:]
            places = np.zeros((side * side, height, width, 3), np.uint8)
            places[: len(pictures)] = [_as_bytes(each, "CHW") for each in pictures]
            sheet = places.reshape(side, side, height, width, 3).swapaxes(1, 2).reshape(side * height, side * width, 3)
            _library("PIL.Image", "pillow").fromarray(sheet).save(folder / "sprite.png")
            config.append(
                f'sprite {{ image_path: "{name}/sprite.png" single_image_dim: {width} single_image_dim: {height} }}'
            )
        self._embeddings.append("embeddings { " + " ".join(config) + " }")
        (Path(self.log_dir) / "projector_config.pbtxt").write_text("\n".join(self._embeddings) + "\n")

    def add_graph(
        self, model: Any, input_to_model: Any = None, verbose: bool = False, use_strict_trace: bool = True
    ) -> None:
        """Raise NotImplementedError: the diagram of a model is drawn of a traced program."""
        raise NotImplementedError("SummaryWriter.add_graph needs a traced program, which facula does not have yet")

    def add_video(
        self, tag: str, vid_tensor: Any, global_step: int | None = None, fps: float = 4, walltime: float | None = None
    ) -> None:
        """Raise NotImplementedError: moving pictures are not encoded here; `add_images` shows the pictures."""
        raise NotImplementedError("SummaryWriter.add_video is not offered; add_images writes the pictures themselves")

    def flush(self) -> None:
        """Write everything to the disk."""
        for writer in (self.file_writer, *self._inner.values()):
            if writer is not None:
                writer.flush()

    def close(self) -> None:
        """Write everything and close the files; what is added later goes to new ones."""
        for writer in (self.file_writer, *self._inner.values()):
            if writer is not None:
                writer.flush()
                writer.close()
        self.file_writer, self._inner = None, {}

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _metadata(plugin: str, content: bytes = b"") -> Any:
    kinds = _library("tensorboard.compat.proto.summary_pb2").SummaryMetadata
    return kinds(plugin_data=kinds.PluginData(plugin_name=plugin, content=content))


def _usual_edges() -> list[float]:
    """Return the edges TensorBoard's own histograms have: growing by a tenth from 1e-12 to 1e20, on both sides of 0."""
    edge, positive = 1e-12, []
    while edge < 1e20:
        positive.append(edge)
        edge *= 1.1
    return [-each for each in reversed(positive)] + [0.0, *positive]
