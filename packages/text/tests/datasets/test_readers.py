"""WikiText-2, SST-2, Multi30k and Tiny Shakespeare: real files, other layouts, and damaged ones."""

import gzip
import hashlib
import zipfile

import pytest
from facula_text.datasets import SST2, Multi30k, TinyShakespeare, WikiText2


def test_wikitext2(test_data):
    splits = WikiText2(test_data / "wikitext-2")
    # The published counts, with the end of each line a token.
    assert [sum(len(line.split()) + 1 for line in split) for split in splits] == [2_088_628, 217_646, 245_569]
    assert splits[1][1] == " = Homarus gammarus = \n"
    assert len({token for split in splits for line in split for token in line.split()} | {"<eos>"}) == 33_278


def test_wikitext2_unpacked_or_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"wikitext-2-v1.zip or .*wiki.valid.tokens, found neither"):
        WikiText2(tmp_path, "valid")
    (tmp_path / "wikitext-2").mkdir()
    (tmp_path / "wikitext-2" / "wiki.valid.tokens").write_text(" \n = A = \n")
    assert list(WikiText2(tmp_path, "valid")) == [" \n", " = A = \n"]
    (tmp_path / "wikitext-2-v1.zip").write_bytes(b"PK not a zip")
    with pytest.raises(ValueError, match=r"wikitext-2-v1.zip: expected a zip archive with wikitext-2/wiki.test.tokens"):
        WikiText2(tmp_path, "test")
    with zipfile.ZipFile(tmp_path / "wikitext-2-v1.zip", "w") as archive:
        archive.writestr("other.txt", "text")
    with pytest.raises(ValueError, match="There is no item named 'wikitext-2/wiki.test.tokens'"):
        WikiText2(tmp_path, "test")


def test_truncated_wikitext2(test_data, tmp_path):
    content = (test_data / "wikitext-2" / "wikitext-2-v1.zip").read_bytes()
    (tmp_path / "wikitext-2-v1.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="wikitext-2-v1.zip: expected a zip archive"):
        WikiText2(tmp_path, "train")


def test_sst2(test_data):
    train, dev, test = SST2(test_data / "sst2")
    assert (len(train), len(dev), len(test)) == (6920, 872, 1821)
    assert dev[0] == ("one long string of cliches", 0)
    assert {label for split in (train, dev, test) for _, label in split} == {0, 1}


def test_sst2_as_glue_has_it(tmp_path):
    (tmp_path / "train.tsv").write_text("sentence\tlabel\nfine film \t1\n")
    (tmp_path / "test.tsv").write_text("index\tsentence\n0\tdull\n")
    assert list(SST2(tmp_path, "train")) == [("fine film", 1)]
    assert list(SST2(tmp_path, "test")) == [("dull",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("good\t1\nbad\n", "dev.tsv, line 2: expected 2 fields separated by a tab, got 1"),
        ("sentence\tlabel\ngood\t2\n", "dev.tsv, line 2: expected a label 0 or 1, got '2'"),
        ("", "dev.tsv: expected text, got an empty file"),
    ],
)
def test_damaged_sst2(tmp_path, content, message):
    (tmp_path / "dev.tsv").write_text(content)
    with pytest.raises(ValueError, match=message):
        SST2(tmp_path, "dev")


def test_multi30k(test_data):
    train, valid, test = Multi30k(test_data / "multi30k")
    assert (len(train), len(valid), len(test)) == (29_000, 1_014, 1_000)
    assert train[0] == (
        "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
        "Two young, White males are outside near many bushes.",
    )
    english_french = Multi30k(test_data / "multi30k", "test_2017_flickr", language_pair=("en", "fr"))
    assert len(english_french) == 1_000 and all(source and target for source, target in english_french)


def test_multi30k_plain_or_damaged(tmp_path):
    (tmp_path / "val.de").write_text("eins\nzwei\n")
    (tmp_path / "val.en").write_text("one\ntwo\nthree\n")
    with pytest.raises(ValueError, match=r"as many lines in .*val.de as in .*val.en, got 2 and 3"):
        Multi30k(tmp_path, "valid")
    (tmp_path / "val.en").write_text("one\ntwo\n")
    assert list(Multi30k(tmp_path, "valid")) == [("eins", "one"), ("zwei", "two")]
    (tmp_path / "test.de.gz").write_bytes(gzip.compress(b"eins\n" * 100)[:-9])
    (tmp_path / "test.en").write_text("one\n")
    with pytest.raises(ValueError, match="test.de.gz: expected a gzip file"):
        Multi30k(tmp_path, "test")
    with pytest.raises(FileNotFoundError, match=r"expected one of .*train.de, .*train.de.gz, found none"):
        Multi30k(tmp_path, "train")
    with pytest.raises(ValueError, match=r"two different languages, got \('de', 'de'\)"):
        Multi30k(tmp_path, "train", ("de", "de"))


def test_tiny_shakespeare(test_data):
    from facula_text.datasets.tiny_shakespeare import _FILE

    folder = test_data / "tinyshakespeare"
    train, validation = TinyShakespeare(folder)
    content = (folder / "input.txt").read_bytes()
    assert (train + validation).encode() == content
    assert len(train) == 1_003_854
    assert TinyShakespeare(folder, "val") == validation
    assert _FILE.digest == "sha256:" + hashlib.sha256(content).hexdigest()


def test_tiny_shakespeare_missing_or_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match="input.txt is missing; pass download=True"):
        TinyShakespeare(tmp_path)
    (tmp_path / "input.txt").write_bytes(b"First\n\xff\n")
    with pytest.raises(ValueError, match="input.txt, line 2: expected UTF-8 text"):
        TinyShakespeare(tmp_path)
