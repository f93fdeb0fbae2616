"""AG News: real files, and damaged ones."""

import hashlib
from collections import Counter

import pytest
from facula.utils.data import DataLoader, Dataset
from facula_text.datasets import AG_NEWS, AG_NEWS_CLASSES

GOOD = '"3","Title","Some ""quoted"" text \\ here."\n'


def write_train(folder, content):
    (folder / "train.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_the_real_test_set(test_data):
    test = AG_NEWS(test_data / "ag_news_csv", "test")
    assert isinstance(test, Dataset)
    assert len(test) == 7600
    assert Counter(label for label, _ in test) == {1: 1900, 2: 1900, 3: 1900, 4: 1900}
    assert test[0][0] == 3 and test[0][1].startswith("Fears for T N pension after talks Unions representing")
    assert test[-1] == list(test)[7599]
    assert repr(test) == "AG_NEWS(split='test', samples=7600)"
    assert AG_NEWS_CLASSES[test[1][0] - 1] == "Sci/Tech"


def test_another_training_file(test_data):
    train, test = AG_NEWS(test_data / "ag_news_csv", train_file="train_10k.csv")
    assert (len(train), len(test)) == (9995, 7600)
    assert Counter(label for label, _ in train) == {1: 2514, 2: 2500, 3: 2519, 4: 2462}


def test_in_a_loader(test_data):
    loader = DataLoader(AG_NEWS(test_data / "ag_news_csv", "test"), batch_size=3)
    labels, texts = next(iter(loader))
    assert labels.tolist() == [3, 4, 4]
    assert len(texts) == 3 and texts[0].startswith("Fears for T N pension")


def test_quotes_and_backslashes(tmp_path):
    train = AG_NEWS(write_train(tmp_path, GOOD), split="train")
    assert list(train) == [(3, 'Title Some "quoted" text \\ here.')]


def test_a_tuple_of_splits(tmp_path):
    write_train(tmp_path, GOOD)
    (train,) = AG_NEWS(tmp_path, split=("train",))
    assert train.split == "train"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "train.csv: expected text, got an empty file"),
        (GOOD + '"2","only a title"\n', r"train.csv, line 2: expected 3 fields .*, got 2"),
        (GOOD + GOOD + "\n", r"train.csv, line 3: expected 3 fields .*, got 0"),
        (GOOD + '"5","a","b"\n', "train.csv, line 2: expected a class from 1 to 4, got '5'"),
        ("class,title,description\n", "train.csv, line 1: expected a class from 1 to 4, got 'class'"),
        (GOOD + '"1","a","b', "train.csv, line 2: expected a row of quoted fields.*unexpected end of data"),
        (GOOD + '"1","a"x,"b"\n' + GOOD, "train.csv, line 2: expected a row of quoted fields"),
        (GOOD + '"1","two\nlines","b"\n' + '"0","a","b"\n', "train.csv, line 4: expected a class .* got '0'"),
        (GOOD.encode() + b'"1","caf\xe9","b"\n', "train.csv, line 2: expected UTF-8 text"),
    ],
)
def test_damage_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        AG_NEWS(write_train(tmp_path, content), "train")


def test_a_truncated_real_file_is_refused(test_data, tmp_path):
    content = (test_data / "ag_news_csv" / "test.csv").read_bytes()
    (tmp_path / "test.csv").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"test\.csv, line \d+: expected"):
        AG_NEWS(tmp_path, "test")


def test_missing_files_and_splits(tmp_path):
    with pytest.raises(FileNotFoundError, match="train.csv is missing; pass download=True"):
        AG_NEWS(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="train_10k.csv"):
        AG_NEWS(tmp_path, "train", train_file="train_10k.csv", download=True)
    with pytest.raises(ValueError, match="AG_NEWS has the splits 'train', 'test', got 'valid'"):
        AG_NEWS(tmp_path, "valid")


def test_the_known_digest_is_the_real_files(test_data):
    from facula_text.datasets.ag_news import _FILES

    content = (test_data / "ag_news_csv" / "test.csv").read_bytes()
    assert _FILES["test"].digest == "md5:" + hashlib.md5(content, usedforsecurity=False).hexdigest()
