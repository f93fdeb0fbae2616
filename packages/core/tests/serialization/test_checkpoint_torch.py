"""Checkpoints between here and PyTorch, when it is installed."""

import pickle
import zipfile
from collections import OrderedDict

import facula
import numpy as np
import pytest

torch = pytest.importorskip("torch")

TYPES = [
    *("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"),
    *("complex64", "complex128"),
]


def values(tensor) -> np.ndarray:
    """Return the values of a tensor of either library."""
    return tensor.detach().float().numpy() if "bfloat16" in str(tensor.dtype) else tensor.detach().numpy()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pytorch_reads_what_is_saved_here(tmp_path, protocol):
    tensors = {name: facula.arange(6).reshape(2, 3).to(getattr(facula, name)) for name in TYPES}
    whole = facula.arange(10.0)
    saved = {
        "tensors": OrderedDict(tensors),
        "views": [whole, whole[3:7], whole.reshape(2, 5).t()],
        "parameter": facula.nn.Parameter(facula.ones(2, 2)),
        "odd": [facula.tensor(3), facula.zeros(0, 4)],
        "plain": [1, 2.5, "text", None, (True, {"a": 1})],
        "size": whole.shape,
        "dtype": facula.bfloat16,
        "device": facula.device("cpu"),
    }
    facula.save(saved, tmp_path / "file.pt", pickle_protocol=protocol)
    # PyTorch's own restricted reader knows protocol 2 only.
    read = torch.load(tmp_path / "file.pt", weights_only=protocol == 2)
    for name in TYPES:
        assert read["tensors"][name].dtype == getattr(torch, name)
        np.testing.assert_array_equal(values(read["tensors"][name]), values(tensors[name]))
    read["views"][0].add_(100)
    assert read["views"][1].tolist() == [103.0, 104.0, 105.0, 106.0]
    assert read["views"][2].tolist() == (np.arange(10.0).reshape(2, 5).T + 100).tolist()
    assert isinstance(read["parameter"], torch.nn.Parameter)
    assert [tuple(each.shape) for each in read["odd"]] == [(), (0, 4)]
    assert read["plain"] == saved["plain"]
    assert (read["size"], read["dtype"], read["device"]) == (torch.Size([10]), torch.bfloat16, torch.device("cpu"))


def test_what_pytorch_saves_is_read_here(tmp_path):
    tensors = {name: torch.arange(6).reshape(2, 3).to(getattr(torch, name)) for name in TYPES}
    whole = torch.arange(10.0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    saved = {
        "tensors": tensors,
        "views": [whole, whole[3:7], whole.reshape(2, 5).t()],
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "plain": [1, "text", None, (2.5,), {1, 2}, torch.Size([3]), torch.float16, torch.device("cpu")],
    }
    torch.save(saved, tmp_path / "file.pt")
    read = facula.load(tmp_path / "file.pt")
    for name in TYPES:
        assert read["tensors"][name].dtype == getattr(facula, name)
        np.testing.assert_array_equal(values(read["tensors"][name]), values(tensors[name]))
    read["views"][0].add_(100)
    assert read["views"][1].tolist() == [103.0, 104.0, 105.0, 106.0]
    assert isinstance(read["parameter"], facula.nn.Parameter)
    assert read["plain"][:6] == [1, "text", None, (2.5,), {1, 2}, (3,)]
    assert read["plain"][6] is facula.float16
    mine = facula.nn.Sequential(facula.nn.Linear(3, 2), facula.nn.BatchNorm1d(2))
    mine.load_state_dict(read["model"])
    my_optimizer = facula.optim.Adam(mine.parameters())
    my_optimizer.load_state_dict(read["optimizer"])
    for ours, theirs in zip(mine.state_dict().values(), model.state_dict().values(), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_a_round_trip_through_both_keeps_the_state_of_a_run(tmp_path):
    facula.manual_seed(0)
    model = facula.nn.Linear(3, 2)
    optimizer = facula.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(facula.ones(1, 3)).sum().backward()
    optimizer.step()
    facula.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "first.pt")
    torch.save(torch.load(tmp_path / "first.pt"), tmp_path / "second.pt")
    back = facula.load(tmp_path / "second.pt")
    assert back["model"].keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert facula.equal(back["model"][name], tensor)
    groups = optimizer.state_dict()["param_groups"]
    assert back["optimizer"]["param_groups"] == groups


def test_records_have_the_names_pytorch_gives_them(tmp_path):
    facula.save({"a": facula.ones(2)}, tmp_path / "mine.pt")
    torch.save({"a": torch.ones(2)}, tmp_path / "theirs.pt")
    with zipfile.ZipFile(tmp_path / "mine.pt") as mine, zipfile.ZipFile(tmp_path / "theirs.pt") as theirs:
        names = {name.partition("/")[2] for name in mine.namelist()}
        assert names <= {name.partition("/")[2] for name in theirs.namelist()}
        assert {"data.pkl", "byteorder", "version", "data/0"} <= names


@pytest.fixture
def legacy(tmp_path):
    """Return a file in the format before the zip files, and what is in it."""
    whole = torch.arange(10.0)
    content = {
        "views": [whole, whole[3:7], whole.reshape(2, 5).t()],
        "types": {name: torch.arange(6).reshape(2, 3).to(getattr(torch, name)) for name in TYPES},
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "rest": (1, "a", None, torch.Size([2])),
    }
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    return tmp_path / "old.pt", content


def test_pytorchs_legacy_format_is_read(legacy):
    path, content = legacy
    loaded = facula.load(path)
    for name, tensor in content["types"].items():
        assert np.array_equal(values(loaded["types"][name]), values(tensor)), name
        assert str(loaded["types"][name].dtype).split(".")[1] == name
    loaded["views"][0][3] = 100
    assert loaded["views"][1].tolist() == [100, 4, 5, 6]
    assert loaded["views"][2].shape == (5, 2)
    assert isinstance(loaded["parameter"], facula.nn.Parameter)
    assert loaded["rest"] == (1, "a", None, (2,))


def test_every_cut_of_the_legacy_format_is_noticed(legacy, tmp_path):
    data = legacy[0].read_bytes()
    cut = tmp_path / "cut.pt"
    for length in (*range(0, 60, 7), *range(60, len(data), 211), len(data) - 1):
        cut.write_bytes(data[:length])
        with pytest.raises((RuntimeError, pickle.UnpicklingError), match=r"cut\.pt"):
            facula.load(cut)


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_types_without_a_storage_of_their_own_go_both_ways(tmp_path, name):
    facula.save(facula.arange(6).reshape(2, 3).to(getattr(facula, name)), tmp_path / "here.pt")
    theirs = torch.load(tmp_path / "here.pt")
    assert (str(theirs.dtype), theirs.tolist()) == (f"torch.{name}", [[0, 1, 2], [3, 4, 5]])
    torch.save(theirs, tmp_path / "there.pt")
    assert facula.load(tmp_path / "there.pt").tolist() == theirs.tolist()


def models(T) -> dict[str, object]:
    """Return ten models of either library, with what a layer can hold: weights, statistics, tied and shared parts."""
    nn = T.nn

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(7, 4)
            self.head = nn.Linear(4, 7, bias=False)
            self.head.weight = self.embed.weight

    return {
        "mlp": nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)),
        "convolution": nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4)),
        "transposed": nn.ConvTranspose1d(2, 3, 3, groups=1),
        "normalized": nn.Sequential(nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.InstanceNorm1d(4, affine=True)),
        "recurrent": nn.LSTM(3, 4, num_layers=2, bidirectional=True),
        "gated": nn.GRU(3, 4, bias=False),
        "attention": nn.MultiheadAttention(4, 2, kdim=3, vdim=3),
        "transformer": nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2),
        "tied": Tied(),
        "bilinear": nn.ModuleDict({"a": nn.Bilinear(2, 3, 4), "b": nn.ParameterList([nn.Parameter(T.ones(2))])}),
    }


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", models(facula))
def test_models_go_both_ways_bit_for_bit(tmp_path, name):
    mine, theirs = models(facula)[name], models(torch)[name]
    torch.save(theirs.state_dict(), tmp_path / "there.pt")
    mine.load_state_dict(facula.load(tmp_path / "there.pt"))
    facula.save(mine.state_dict(), tmp_path / "here.pt")
    back = torch.load(tmp_path / "here.pt")
    assert list(back) == list(theirs.state_dict())
    for key, tensor in theirs.state_dict().items():
        assert torch.equal(back[key], tensor), key
        assert np.array_equal(values(mine.state_dict()[key]), values(tensor)), key
