"""GPT-2's checkpoints on disk, in the layouts they were published in."""

import json

import facula
import pytest
from facula_text.models import GPT2Config, GPT2LMHeadModel, convert_gpt2_state_dict

SMALL = GPT2Config(vocab_size=23, n_positions=12, n_embd=16, n_layer=2, n_head=4)


@pytest.fixture
def model():
    facula.manual_seed(0)
    return GPT2LMHeadModel(SMALL).eval()


def bare_layout(model):
    """Return the weights as the first published file has them: no prefix, no output layer, masks stored."""
    weights = {key.removeprefix("transformer."): value for key, value in model.state_dict().items()}
    del weights["lm_head.weight"]
    for layer in range(2):
        weights[f"h.{layer}.attn.bias"] = facula.ones(1, 1, 12, 12)
        weights[f"h.{layer}.attn.masked_bias"] = facula.tensor(-1e4)
    return weights


def same(model, other):
    batch = facula.randint(23, (2, 6))
    return facula.equal(other(batch).logits, model(batch).logits)


def test_the_bare_layout_loads(model):
    other = GPT2LMHeadModel(SMALL).eval()
    assert not same(model, other)
    other.load_state_dict(convert_gpt2_state_dict(bare_layout(model)))
    assert same(model, other)
    assert other.lm_head.weight is other.transformer.wte.weight
    assert convert_gpt2_state_dict(model.state_dict()).keys() == model.state_dict().keys()


def test_save_and_load(model, tmp_path):
    model.save_pretrained(tmp_path / "saved")
    assert sorted(file.name for file in (tmp_path / "saved").iterdir()) == ["config.json", "model.safetensors"]
    other = GPT2LMHeadModel.from_pretrained(tmp_path / "saved")
    assert other.config == SMALL and not other.training
    assert other.lm_head.weight is other.transformer.wte.weight
    assert same(model, other)


def test_the_library_reads_what_is_saved(model, tmp_path):
    numpy_files = pytest.importorskip("safetensors.numpy")
    model.save_pretrained(tmp_path)
    arrays = numpy_files.load_file(tmp_path / "model.safetensors")
    assert arrays.keys() == model.state_dict().keys() - {"lm_head.weight"}
    assert all((arrays[key] == model.state_dict()[key].numpy()).all() for key in arrays)


def test_older_folders_load(model, tmp_path):
    config = {"model_type": "gpt2", "n_ctx": 12, "activation_function": "gelu_new", **SMALL.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    facula.save(bare_layout(model), tmp_path / "pytorch_model.bin")
    assert same(model, GPT2LMHeadModel.from_pretrained(tmp_path))


def test_what_is_missing_or_damaged_is_named(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        GPT2LMHeadModel.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[:-100])
    with pytest.raises(RuntimeError, match=r"model\.safetensors"):
        GPT2LMHeadModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors or .*pytorch_model\.bin, found neither"):
        GPT2LMHeadModel.from_pretrained(tmp_path)
    for broken in ("{", "[]", '{"model_type": "llama"}', '{"n_layer": "two"}'):
        (tmp_path / "config.json").write_text(broken)
        with pytest.raises(ValueError, match=r"config\.json: expected a GPT-2 configuration"):
            GPT2LMHeadModel.from_pretrained(tmp_path)


def test_weights_of_another_size_are_refused(model, tmp_path):
    model.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**SMALL.to_dict(), "vocab_size": 24}))
    with pytest.raises(RuntimeError, match=r"size mismatch for transformer\.wte\.weight"):
        GPT2LMHeadModel.from_pretrained(tmp_path)
