"""Checkpoints: what comes back, what PyTorch reads, and what is refused."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import facula
import numpy as np
import pytest

TYPES = [
    *("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"),
    *("complex64", "complex128", "uint16", "uint32", "uint64"),
]


def round_trip(value: object) -> object:
    file = io.BytesIO()
    facula.save(value, file)
    file.seek(0)
    return facula.load(file)


def archive(pickled: bytes, storages: dict[str, bytes] | None = None) -> io.BytesIO:
    """Return a checkpoint with a pickle of one's own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("archive/data.pkl", pickled)
        made.writestr("archive/version", "3\n")
        for name, data in (storages or {}).items():
            made.writestr(f"archive/data/{name}", data)
    file.seek(0)
    return file


@pytest.mark.parametrize("name", TYPES)
def test_every_type_comes_back(name):
    tensor = facula.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(facula, name))
    back = round_trip(tensor)
    assert (back.dtype, tuple(back.shape)) == (tensor.dtype, (2, 3))
    assert facula.equal(back, tensor)


def test_plain_data_comes_back():
    value = {
        "numbers": [1, -2, 10**30, 2.5, True, None, 1 + 2j],
        "text": "é\n",
        "bytes": b"\0\xff",
        "parts": (1, (2, ()), {3, 4}, frozenset({5})),
        "order": OrderedDict(b=1, a=2),
        "shape": facula.zeros(2, 3).shape,
        "dtype": facula.float16,
        "device": facula.device("cpu"),
    }
    back = round_trip(value)
    assert back == value
    assert list(back["order"]) == ["b", "a"]
    assert back["dtype"] is facula.float16


def test_views_still_share_memory():
    whole = facula.arange(12.0).reshape(3, 4)
    back, part, turned = round_trip([whole, whole[1:, 2:], whole.t()])
    back += 100
    assert part.tolist() == [[106.0, 107.0], [110.0, 111.0]]
    assert turned[3].tolist() == [103.0, 107.0, 111.0]


@pytest.mark.parametrize(
    "tensor", [facula.tensor(3.0), facula.zeros(0), facula.zeros(2, 0, 3), facula.ones(1).expand(4)]
)
def test_odd_shapes_come_back(tensor):
    back = round_trip(tensor)
    assert tuple(back.shape) == tuple(tensor.shape)
    assert facula.equal(back, tensor)


def test_parameters_and_gradients():
    parameter, leaf = round_trip([facula.nn.Parameter(facula.ones(2)), facula.ones(2, requires_grad=True)])
    assert isinstance(parameter, facula.nn.Parameter)
    assert parameter.requires_grad
    assert leaf.requires_grad
    frozen = round_trip(facula.nn.Parameter(facula.ones(2), requires_grad=False))
    assert not frozen.requires_grad


def test_a_model_and_its_optimizer_come_back(tmp_path):
    def make():
        model = facula.nn.Sequential(facula.nn.Linear(3, 4), facula.nn.BatchNorm1d(4))
        return model, facula.optim.Adam(model.parameters(), lr=0.1)

    def step(model, optimizer):
        optimizer.zero_grad()
        model(facula.arange(6.0).reshape(2, 3)).square().sum().backward()
        optimizer.step()

    model, optimizer = make()
    step(model, optimizer)
    facula.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run.pt")
    other, other_optimizer = make()
    saved = facula.load(tmp_path / "run.pt")
    other.load_state_dict(saved["model"])
    other_optimizer.load_state_dict(saved["optimizer"])
    step(model, optimizer)
    step(other, other_optimizer)
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert facula.equal(mine, theirs)


def test_storages_are_aligned(tmp_path):
    path = tmp_path / "aligned.pt"
    facula.save([facula.ones(3), facula.ones(5, dtype=facula.float64)], path)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        for info in file.infolist():
            name, extra = data[info.header_offset + 26 : info.header_offset + 28], data[info.header_offset + 28 :][:2]
            start = info.header_offset + 30 + int.from_bytes(name, "little") + int.from_bytes(extra, "little")
            assert start % 64 == 0 or not info.filename.startswith("aligned/data/")
        assert file.testzip() is None


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.pt"
    facula.save({"a": 1}, path)
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        facula.save({"a": lambda: 1}, path)
    assert facula.load(path) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["model.pt"]


# What is refused.


class Reduced:
    def __init__(self, *parts: object) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple:
        return self.parts


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), "system"),
        (eval, ("open({!r}, 'w')",), "eval"),
        (exec, ("open({!r}, 'w')",), "exec"),
        (__import__, ("os",), "__import__"),
        (getattr, (OrderedDict, "fromkeys"), "getattr"),
        (io.open, ("{}", "w"), "open"),
    ],
)
def test_code_in_a_pickle_is_not_executed(tmp_path, function, arguments, name, protocol):
    target = tmp_path / "executed"
    arguments = tuple(each.format(str(target)) if isinstance(each, str) else each for each in arguments)
    for value in (Reduced(function, arguments), [{"deep": (1, Reduced(function, arguments))}]):
        with pytest.raises(pickle.UnpicklingError, match=name):
            facula.load(archive(pickle.dumps(value, protocol)))
    assert not target.exists()


@pytest.mark.parametrize("weights_only", [True, None])
def test_a_name_is_refused_even_if_it_is_not_called(weights_only):
    with pytest.raises(pickle.UnpicklingError, match="system"):
        facula.load(archive(pickle.dumps(os.system)), weights_only=weights_only)


def test_a_known_class_gives_no_way_to_others():
    for name in ("__class__", "OrderedDict.fromkeys", "OrderedDict.__init__.__globals__"):
        text = b"\x80\x04" + pickle.SHORT_BINUNICODE + b"\x0bcollections"
        text += pickle.SHORT_BINUNICODE + bytes([len(name)]) + name.encode() + pickle.STACK_GLOBAL + b"."
        with pytest.raises(pickle.UnpicklingError, match="refused"):
            facula.load(archive(text))


def test_attributes_of_what_is_shared_cannot_be_set():
    # REDUCE on Size, then BUILD on the class itself.
    text = b"\x80\x02ctorch\nSize\n}X\x01\x00\x00\x00aK\x01sb."
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        facula.load(archive(text))


def tensor_pickle(count: int, offset: int, size: tuple, stride: tuple, key: str = "0") -> bytes:
    """Return the pickle of a tensor with any numbers in it."""
    parts = [f"X{len(each):c}\0\0\0{each}".encode() for each in ("storage", key, "cpu")]
    number = pickle.dumps(count, 2)[2:-1]
    storage = b"(" + parts[0] + b"ctorch\nFloatStorage\n" + parts[1] + parts[2] + number + b"tQ"
    items = b"".join(pickle.dumps(each, 2)[2:-1] for each in (offset, size, stride, False))
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + items + b"ccollections\nOrderedDict\n)RtR."


def test_a_tensor_written_by_hand_loads():
    data = np.arange(4, dtype=np.float32).tobytes()
    loaded = facula.load(archive(tensor_pickle(4, 1, (3,), (1,)), {"0": data}))
    assert loaded.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("count", "offset", "size", "stride"),
    [
        (4, 2, (3,), (1,)),
        (4, 0, (5,), (1,)),
        (4, 0, (2, 2), (4, 1)),
        (4, -1, (2,), (1,)),
        (4, 3, (2,), (-1,)),
        (4, 0, (-1,), (1,)),
        (4, 0, (2, 2), (1,)),
        (5, 0, (5,), (1,)),
        (3, 0, (3,), (1,)),
        (10**15, 0, (10**15,), (1,)),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(count, offset, size, stride):
    data = np.arange(4, dtype=np.float32).tobytes()
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        facula.load(archive(tensor_pickle(count, offset, size, stride), {"0": data}))


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "1"])
def test_a_storage_that_is_not_in_the_archive_is_refused(key):
    with pytest.raises(RuntimeError, match="missing"):
        facula.load(archive(tensor_pickle(4, 0, (4,), (1,), key), {"0": bytes(16)}))


def test_every_cut_is_noticed(tmp_path):
    path = tmp_path / "cut.pt"
    facula.save({"weight": facula.ones(100)}, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 50)):
        path.write_bytes(whole[:length])
        with pytest.raises(RuntimeError, match=r"cut\.pt"):
            facula.load(path)


def test_changed_bytes_are_noticed(tmp_path):
    path = tmp_path / "changed.pt"
    facula.save({"weight": facula.full((100,), 7.0)}, path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(np.full(100, 7.0, np.float32).tobytes()) + 13] ^= 1
    path.write_bytes(whole)
    with pytest.raises(RuntimeError, match=r"changed\.pt.*CRC"):
        facula.load(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"a": 1})])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=r"other\.pt"):
        facula.load(path)


def test_a_zip_without_a_pickle_is_refused(tmp_path: Path):
    path = tmp_path / "empty.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme", "no checkpoint")
    with pytest.raises(RuntimeError, match=r"empty\.zip.*no checkpoint"):
        facula.load(path)


def test_a_damaged_pickle_is_refused():
    for text in (b"", b"\x80\x02", b"\x80\x02.", b"\x80\x02}u.", b"\xff\xff", b"\x80\x02h\x07."):
        with pytest.raises((RuntimeError, pickle.UnpicklingError)):
            facula.load(archive(text))


def test_a_compressed_file_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("archive/data.pkl", pickle.dumps(b"\0" * 10_000_000, 3))
    file.seek(0)
    with pytest.raises(RuntimeError, match="compressed"):
        facula.load(file)


def test_memory_is_not_taken_on_the_word_of_a_file():
    huge = (1 << 45).to_bytes(8, "little")
    for code in (pickle.BYTEARRAY8, pickle.BINBYTES8, pickle.BINUNICODE8, pickle.FRAME):
        with pytest.raises((RuntimeError, pickle.UnpicklingError)):
            facula.load(archive(b"\x80\x05" + code + huge + b"x."))


def test_code_is_executed_only_when_asked_for(tmp_path):
    target = tmp_path / "folder"
    file = archive(pickle.dumps(Reduced(os.mkdir, (str(target),))))
    for weights_only in (None, True, False):
        with pytest.raises(pickle.UnpicklingError, match=r"facula\.serialization\.unsafe_load"):
            facula.load(file, weights_only=weights_only)
    assert not target.exists()
    file.seek(0)
    facula.serialization.unsafe_load(file)
    assert target.exists()


def test_a_missing_file_is_missing():
    with pytest.raises(FileNotFoundError):
        facula.load("no/such/file.pt")


class Point:
    """A class of a program's own."""

    def __init__(self, x: int) -> None:
        self.x = x


def test_classes_are_allowed_one_by_one():
    file = archive(pickle.dumps(Point(3)))
    with pytest.raises(pickle.UnpicklingError, match="Point"):
        facula.load(file)
    with facula.serialization.safe_globals([Point]):
        assert facula.load(file).x == 3
        assert facula.serialization.get_safe_globals() == [Point]
    with pytest.raises(pickle.UnpicklingError, match="Point"):
        facula.load(file)


def test_mapped_storages_are_read_from_the_file_and_never_written_to(tmp_path):
    path = tmp_path / "mapped.pt"
    facula.save({"a": facula.arange(1000.0), "empty": facula.empty(0), "flag": facula.tensor([True])}, path)
    before = path.read_bytes()
    loaded = facula.load(path, mmap=True)
    array = loaded["a"].numpy()
    while isinstance(array.base, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    assert isinstance(array, np.memmap)
    assert loaded["a"].tolist() == list(range(1000))
    assert (loaded["empty"].shape, loaded["flag"].tolist()) == ((0,), [True])
    loaded["a"].zero_()
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="file path"):
        facula.load(io.BytesIO(before), mmap=True)


@pytest.mark.parametrize("place", ["cpu", facula.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage])
def test_where_tensors_go_is_said_in_several_ways(place):
    file = io.BytesIO()
    facula.save([facula.ones(2)], file)
    file.seek(0)
    assert facula.load(file, map_location=place)[0].device.type == "cpu"
