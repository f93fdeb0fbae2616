"""CharTokenizer."""

import json
import pickle

import facula
import pytest
from facula_text.datasets import TinyShakespeare
from facula_text.tokenizers import CharTokenizer


def test_characters_in_code_point_order():
    tokenizer = CharTokenizer("banana né")
    assert tokenizer.get_vocab() == {" ": 0, "a": 1, "b": 2, "n": 3, "é": 4}
    assert len(tokenizer) == tokenizer.vocab_size == 5
    assert tokenizer.encode("né ba") == [3, 4, 0, 2, 1]
    assert tokenizer.decode([3, 4, 0, 2, 1]) == "né ba"
    assert tokenizer.token_to_id("z") is None
    assert tokenizer.id_to_token(5) is None and tokenizer.id_to_token(4) == "é"


def test_special_tokens():
    tokenizer = CharTokenizer("ab", special_tokens=["<pad>", "<unk>"], unk_token="<unk>")
    assert tokenizer.encode("abz") == [2, 3, 1]
    assert tokenizer.decode([0, 2, 1, 3]) == "ab"
    assert tokenizer.decode([0, 2, 1, 3], skip_special_tokens=False) == "<pad>a<unk>b"
    with pytest.raises(ValueError, match=r"one of special_tokens \['<pad>'\], got '<unk>'"):
        CharTokenizer("ab", special_tokens=["<pad>"], unk_token="<unk>")


def test_unknown_is_an_error_without_unk():
    with pytest.raises(ValueError, match="character 'z' at position 1 is not in the vocabulary"):
        CharTokenizer("ab").encode("az")
    with pytest.raises(IndexError, match="between 0 and 1, got 2"):
        CharTokenizer("ab").decode([2])
    with pytest.raises(IndexError, match="got -1"):
        CharTokenizer("ab").decode([-1])


def test_tensors_and_batches():
    tokenizer = CharTokenizer()
    tokenizer.train_from_iterator(["ab", "bc"])
    ids = tokenizer.encode("abc", return_tensors="pt")
    assert ids.dtype == facula.int64 and ids.tolist() == [[0, 1, 2]]
    assert tokenizer.decode(ids[0]) == "abc"
    assert tokenizer.encode_batch(["a", "cb"]) == [[0], [2, 1]]
    assert tokenizer.batch_decode([[0], [2, 1]]) == ["a", "cb"]
    assert tokenizer.batch_decode(facula.tensor([[0, 1], [2, 1]])) == ["ab", "cb"]
    with pytest.raises(ValueError, match="None or 'pt', got 'tf'"):
        tokenizer.encode("a", return_tensors="tf")


def test_save_and_load(tmp_path):
    tokenizer = CharTokenizer('né "x"\n', special_tokens=["<unk>"], unk_token="<unk>")
    path = tmp_path / "characters.json"
    tokenizer.save(path)
    loaded = CharTokenizer.from_file(path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.encode("n?") == tokenizer.encode("n?")
    assert pickle.loads(pickle.dumps(tokenizer)).get_vocab() == tokenizer.get_vocab()
    assert [file.name for file in tmp_path.iterdir()] == ["characters.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({"type": "other"}), '{"type": "CharTokenizer"}'])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="broken.json: expected a CharTokenizer file"):
        CharTokenizer.from_file(path)


def test_real_text_round_trip(test_data):
    text = "".join(TinyShakespeare(test_data / "tinyshakespeare"))
    tokenizer = CharTokenizer(text)
    assert len(tokenizer) == 65
    ids = tokenizer.encode(text)
    assert len(ids) == 1_115_394
    assert tokenizer.decode(ids) == text
