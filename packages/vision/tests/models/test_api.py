"""Tests of finding models by name, and of loading their weights from files and from a server on this machine."""

import hashlib
from pathlib import Path

import facula
import facula_vision.models
import pytest
from facula_vision.models import (
    LeNet,
    ResNet18_Weights,
    ResNet50_Weights,
    Weights,
    WeightsEnum,
    get_model,
    get_model_builder,
    get_model_weights,
    get_weight,
    lenet,
    list_models,
    register_model,
    resnet18,
)
from facula_vision.models._api import load_weights, resolve_weights
from facula_vision.models._hub import load_state_dict_from_url
from facula_vision.transforms._presets import ImageClassification


def test_models_are_found_by_name() -> None:
    assert list_models() == sorted(list_models())
    assert {"lenet", "resnet18", "wide_resnet101_2"} <= set(list_models())
    assert list_models(facula_vision.models) == list_models()
    assert list_models(include=["resnet1*", "lenet"], exclude="*152") == ["lenet", "resnet101", "resnet18"]
    assert get_model_builder("ResNet18") is resnet18
    assert get_model("lenet", num_classes=4).fc3.out_features == 4
    with pytest.raises(ValueError, match="Unknown model resnet19"):
        get_model("resnet19")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="already registered under the name 'lenet'"):
        register_model("lenet")(LeNet)


def test_weights_are_found_by_name() -> None:
    assert get_model_weights("resnet50") is get_model_weights(facula_vision.models.resnet50) is ResNet50_Weights
    assert get_weight("ResNet50_Weights.DEFAULT") is ResNet50_Weights.IMAGENET1K_V2
    assert ResNet50_Weights.verify("IMAGENET1K_V1") is ResNet50_Weights.IMAGENET1K_V1
    assert ResNet50_Weights.verify(None) is None
    assert repr(ResNet18_Weights.DEFAULT) == "ResNet18_Weights.IMAGENET1K_V1"
    assert [member.name for member in ResNet50_Weights] == ["IMAGENET1K_V1", "IMAGENET1K_V2"]
    with pytest.raises(ValueError, match="No published weights are known for the model 'lenet'"):
        get_model_weights("lenet")
    with pytest.raises(ValueError, match="ResNet50_Weights has no 'V9'"):
        get_weight("ResNet50_Weights.V9")
    with pytest.raises(ValueError, match="The weight enum 'Other' is not known"):
        get_weight("Other.V1")
    with pytest.raises(ValueError, match="Invalid weight name"):
        get_weight("ResNet50_Weights")
    with pytest.raises(KeyError, match="has no 'V9'; it has IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT"):
        ResNet50_Weights.verify("V9")
    with pytest.raises(TypeError, match="expected ResNet50_Weights but received ResNet18_Weights"):
        ResNet50_Weights.verify(ResNet18_Weights.DEFAULT)


def test_facts_of_weights() -> None:
    weights = ResNet50_Weights.IMAGENET1K_V2
    assert weights.url == "https://download.pytorch.org/models/resnet50-11ad3fa6.pth"
    assert weights.meta["num_params"] == 25_557_032
    assert weights.meta["_metrics"] == {"ImageNet-1K": {"acc@1": 80.858, "acc@5": 95.434}}
    preset = weights.transforms()
    assert isinstance(preset, ImageClassification)
    assert (preset.resize_size, preset.crop_size) == ([232], [224])


def test_what_the_weights_argument_means(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.touch()
    assert resolve_weights(ResNet18_Weights, None) is None
    assert resolve_weights(ResNet18_Weights, "DEFAULT") is ResNet18_Weights.IMAGENET1K_V1
    assert resolve_weights(ResNet18_Weights, "ResNet18_Weights.IMAGENET1K_V1") is ResNet18_Weights.IMAGENET1K_V1
    assert resolve_weights(ResNet18_Weights, path) == path
    assert resolve_weights(None, str(path)) == path
    with pytest.raises(ValueError, match="expected one of IMAGENET1K_V1, DEFAULT or the path of an existing"):
        resnet18(weights="IMAGENET1K_V3")
    with pytest.raises(TypeError, match="expected ResNet18_Weights but received ResNet50_Weights"):
        resnet18(weights=ResNet50_Weights.DEFAULT)
    with pytest.raises(TypeError, match="should be None or the path of a checkpoint, got ResNet18_Weights"):
        lenet(weights=ResNet18_Weights.DEFAULT)
    with pytest.raises(ValueError, match="'num_classes' expected value 1000 but got 10 instead"):
        resnet18(weights="DEFAULT", num_classes=10)


@pytest.mark.parametrize("wrap", [False, True])
def test_weights_from_a_file(tmp_path: Path, wrap: bool) -> None:
    original = LeNet(num_classes=3)
    path = tmp_path / "lenet.pt"
    state = original.state_dict()
    facula.save({"epoch": 3, "state_dict": state} if wrap else state, path)
    loaded = lenet(weights=str(path), num_classes=3)
    for name, value in loaded.state_dict().items():
        assert value.tolist() == state[name].tolist()
    with pytest.raises(RuntimeError, match=r"fc3\.weight"):
        lenet(weights=path, num_classes=4)


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.pt"
    facula.save([1, 2], path)
    with pytest.raises(ValueError, match=r"list\.pt: expected a state dict, got list"):
        lenet(weights=path)


@pytest.fixture
def served(server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A LeNet's weights on a loopback server, under a name that carries their digest; the cache is a new folder."""
    monkeypatch.setenv("FACULA_HOME", str(tmp_path / "home"))
    facula.save(LeNet().state_dict(), tmp_path / "served.pth")
    content = (tmp_path / "served.pth").read_bytes()
    name = f"lenet-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    server.files["/" + name] = content
    server.name = name
    return server


def test_weights_are_downloaded_once_and_checked(served, tmp_path: Path) -> None:
    class LeNet_Weights(WeightsEnum):
        ONLY = Weights(url=served.url + served.name, transforms=ImageClassification, meta={"num_classes": 10})

    for _ in range(2):
        model = LeNet()
        load_weights(model, LeNet_Weights.ONLY, progress=False)
    assert served.requests == ["/" + served.name]
    assert (tmp_path / "home" / "hub" / "checkpoints" / served.name).is_file()
    expected = facula.load(tmp_path / "served.pth", weights_only=True)
    assert model.fc1.weight.tolist() == expected["fc1.weight"].tolist()


def test_a_wrong_download_is_refused(served, tmp_path: Path) -> None:
    served.files["/" + served.name] += b"more"
    with pytest.raises(RuntimeError, match="expected sha256 [0-9a-f]{8}, got"):
        load_state_dict_from_url(served.url + served.name, check_hash=True)
    assert list((tmp_path / "home" / "hub" / "checkpoints").iterdir()) == []


def test_folder_and_name_can_be_chosen(served, tmp_path: Path) -> None:
    state = load_state_dict_from_url(served.url + served.name, model_dir=tmp_path / "mine", file_name="a.pth")
    assert (tmp_path / "mine" / "a.pth").is_file()
    assert "conv1.weight" in state
