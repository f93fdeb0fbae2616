"""The call of PreTrainedTokenizerFast: padding, truncation, tensors, files, threads and processes."""

import json
import os
import pickle
import subprocess
import sys
import threading

import facula
import pytest
from facula_text.tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer, PreTrainedTokenizerFast

CORPUS = ["to be or not to be that is the question"] * 2


@pytest.fixture
def words():
    """A tokenizer to which each of these words is one token."""
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train_from_iterator(CORPUS)
    return tokenizer


def test_single_and_batch(words):
    single = words("to be")
    assert list(single) == ["input_ids", "token_type_ids", "attention_mask"]
    assert single["input_ids"] == single.input_ids == words.encode("to be")
    assert words(["to be", "or"])["input_ids"] == [words.encode("to be"), words.encode("or")]
    assert words.encode_batch(["to be", "or"]) == words(["to be", "or"])["input_ids"]
    assert words([])["input_ids"] == []
    with pytest.raises(AttributeError, match="no attribute or key 'labels'"):
        _ = single.labels


def test_special_tokens_can_be_left_out(words):
    bare = words("to be", add_special_tokens=False)
    assert bare.tokens() == ["to", "be"]
    assert words.encode("to be", add_special_tokens=False) == bare.input_ids == words.encode("to be")[1:-1]


def test_padding(words):
    batch = words(["to be or", "be"], padding=True)
    assert [len(row) for row in batch["input_ids"]] == [5, 5]
    assert batch["input_ids"][1][3:] == [words.pad_token_id] * 2
    assert batch["attention_mask"] == [[1] * 5, [1, 1, 1, 0, 0]]
    left = words(["to be or", "be"], padding="longest", padding_side="left")
    assert left["attention_mask"][1] == [0, 0, 1, 1, 1]
    assert [len(row) for row in words(["to"], padding=True, pad_to_multiple_of=4)["input_ids"]] == [4]
    assert [len(row) for row in words(["to", "be or"], padding="max_length", max_length=6)["input_ids"]] == [6, 6]
    assert [len(row) for row in words(["to", "be or"])["input_ids"]] == [3, 4]


def test_truncation_counts_special_tokens(words):
    assert words("to be or not", truncation=True, max_length=4).tokens() == ["[CLS]", "to", "be", "[SEP]"]
    pair = words("to be or", "not that is", truncation="only_second", max_length=7)
    assert pair.tokens() == ["[CLS]", "to", "be", "or", "[SEP]", "not", "[SEP]"]
    words.truncation_side = "left"
    assert words("to be or not", truncation=True, max_length=4).tokens() == ["[CLS]", "or", "not", "[SEP]"]
    assert len(words("to be or not")["input_ids"]) == 6


def test_overflow(words):
    encoded = words(["to be or not", "that"], truncation=True, max_length=4, stride=1, return_overflowing_tokens=True)
    assert [encoded.tokens(row)[1:-1] for row in range(4)] == [["to", "be"], ["be", "or"], ["or", "not"], ["that"]]
    assert encoded["overflow_to_sample_mapping"] == [0, 0, 0, 1]


def test_tensors(words):
    batch = words(["to be or", "be"], padding=True, return_tensors="pt")
    assert batch["input_ids"].shape == (2, 5)
    assert batch["input_ids"].dtype == facula.int64
    assert batch.attention_mask.sum().item() == 8
    assert words("to", return_tensors="pt")["input_ids"].shape == (1, 3)
    assert words.encode("to", return_tensors="pt").shape == (1, 3)
    assert batch.to("cpu").input_ids.tolist() == batch.input_ids.tolist()
    assert words.batch_decode(batch.input_ids, skip_special_tokens=True) == ["to be or", "be"]
    assert words.decode(batch.input_ids[1, 1]) == "be"
    with pytest.raises(ValueError, match="got lengths 3 to 5; use padding=True"):
        words(["to be or", "be"], return_tensors="pt")
    with pytest.raises(ValueError, match="None or 'pt', got 'np'"):
        words("to", return_tensors="np")


def test_alignment_with_the_text(words):
    text = "To be, or  NOT"
    encoded = words(text, return_offsets_mapping=True, return_special_tokens_mask=True, return_length=True)
    surfaces = [text[start:end] for start, end in encoded["offset_mapping"]]
    assert surfaces[1:3] == ["To", "be"] and surfaces[-2:] == ["NOT", ""]
    assert encoded["special_tokens_mask"][0] == 1 and sum(encoded["special_tokens_mask"][1:-2]) == 0
    assert encoded["length"] == len(encoded["input_ids"])
    token = encoded.char_to_token(0, text.index("NOT"))
    assert encoded.token_to_chars(0, token) == (11, 14)
    assert encoded.token_to_chars(0, 0) is None
    assert encoded.word_ids()[1:3] == [0, 1]


def test_words_already_split(words):
    assert words(["to", "be"], is_split_into_words=True).tokens() == ["[CLS]", "to", "be", "[SEP]"]
    batch = words([["to"], ["be", "or"]], is_split_into_words=True)
    assert [len(row) for row in batch["input_ids"]] == [3, 4]


def test_bad_arguments(words):
    with pytest.raises(ValueError, match="expected max_length, or a tokenizer with model_max_length"):
        words("to", truncation=True)
    with pytest.raises(ValueError, match="truncation to be one of 'longest_first'.*got 'middle'"):
        words("to", truncation="middle", max_length=3)
    with pytest.raises(ValueError, match="padding to be one of .*got 'short'"):
        words("to", padding="short")
    with pytest.raises(ValueError, match="as many texts in text_pair as in text, 2"):
        words(["to", "be"], ["or"])
    with pytest.raises(ValueError, match="either tokenizer_object or tokenizer_file"):
        PreTrainedTokenizerFast()
    with pytest.raises(ValueError, match="role to be one of .*got 'end'"):
        words.add_special_tokens({"end": "<e>"})


def test_padding_needs_a_token():
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(CORPUS, vocab_size=270)
    with pytest.raises(ValueError, match="has no padding token; set one with"):
        tokenizer(["to", "be or"], padding=True)
    size = len(tokenizer)
    assert tokenizer.add_special_tokens({"pad_token": "<pad>"}) == 1
    assert (tokenizer.pad_token_id, len(tokenizer), tokenizer.vocab_size) == (size, size + 1, size)
    assert tokenizer(["to", "be or"], padding=True)["input_ids"][0][-1] == size
    assert tokenizer.add_special_tokens({"pad_token": "<pad>"}) == 0


def test_tokens_and_ids(words):
    assert words.convert_tokens_to_ids("be") == words.token_to_id("be")
    assert words.convert_tokens_to_ids(["be", "unheard"]) == [words.token_to_id("be"), words.unk_token_id]
    assert words.id_to_token(words.token_to_id("be")) == "be"
    assert words.special_tokens_map["mask_token"] == "[MASK]" and words.mask_token_id == 4


def test_save_and_load(words, tmp_path):
    words.model_max_length = 4
    words.save_pretrained(tmp_path / "saved")
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path / "saved")
    assert loaded.get_vocab() == words.get_vocab()
    assert loaded.special_tokens_map == words.special_tokens_map
    assert loaded("to be or not", truncation=True)["input_ids"] == words.encode("to be or not", truncation=True)
    words.save(tmp_path / "tokenizer.json")
    assert PreTrainedTokenizerFast.from_file(tmp_path / "tokenizer.json").encode("or") == words.encode("or")


def test_published_config_forms(words, tmp_path):
    words.save(tmp_path / "tokenizer.json")
    config = {"pad_token": {"content": "[PAD]", "lstrip": False}, "model_max_length": 10**30, "unk_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert loaded.pad_token_id == 0 and loaded.unk_token is None and loaded.model_max_length is None


def test_settings_in_the_file_are_kept_but_do_not_rule_a_call(words, tmp_path):
    words.backend_tokenizer.enable_truncation(3)
    words.backend_tokenizer.enable_padding(length=8)
    words.save(tmp_path / "tokenizer.json")
    loaded = PreTrainedTokenizerFast.from_file(tmp_path / "tokenizer.json")
    assert len(loaded.encode("to be or not")) == 6
    assert loaded.backend_tokenizer.truncation["max_length"] == 3
    assert loaded.backend_tokenizer.padding["length"] == 8


@pytest.mark.parametrize("content", ["", "{", "{}", '{"version": "1.0", "model": {"type": "None"}}'])
def test_broken_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="tokenizer.json: expected a tokenizer.json file"):
        PreTrainedTokenizerFast.from_file(path)
    with pytest.raises(FileNotFoundError):
        PreTrainedTokenizerFast.from_file(tmp_path / "missing.json")


def test_broken_config_is_refused_by_name(words, tmp_path):
    words.save(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text("[1]")
    with pytest.raises(ValueError, match="tokenizer_config.json: expected a JSON object, got list"):
        PreTrainedTokenizerFast.from_pretrained(tmp_path)


def test_pickle(words):
    copy = pickle.loads(pickle.dumps(words))
    assert (
        copy("to be", truncation=True, max_length=3)["input_ids"]
        == words("to be", truncation=True, max_length=3)["input_ids"]
    )


def test_threads_do_not_disturb_each_other(words):
    failures = []

    def work(limit):
        for _ in range(50):
            rows = words(["to be or not to be"] * 4, truncation=True, max_length=limit)["input_ids"]
            if any(len(row) != limit for row in rows):
                failures.append(limit)

    threads = [threading.Thread(target=work, args=(limit,)) for limit in (3, 4, 5, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


FORKING = """
import os, sys, warnings
before = os.environ.get("TOKENIZERS_PARALLELISM")
from facula_text.tokenizers import ByteLevelBPETokenizer
tokenizer = ByteLevelBPETokenizer()
tokenizer.train_from_iterator(["to be or not to be"] * 100, vocab_size=270)
texts = ["to be or not"] * 100
expected = tokenizer.encode_batch(texts)
# Python itself warns of forking a process with threads; here that is the point.
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if child == 0:
    os._exit(0 if tokenizer.encode_batch(texts) == expected else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert os.environ.get("TOKENIZERS_PARALLELISM") == before
sys.exit(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("setting", [None, "true"])
def test_a_forked_child_encodes_without_warning_or_deadlock(setting):
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    if setting is not None:
        environment["TOKENIZERS_PARALLELISM"] = setting
    done = subprocess.run(
        [sys.executable, "-c", FORKING], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
