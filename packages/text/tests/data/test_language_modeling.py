"""Language-model batches follow PyTorch's word language model and nanoGPT."""

import facula
import pytest
from facula_text.data import BlockDataset, batchify, bptt_batches, get_batch, random_blocks
from facula_text.datasets import TinyShakespeare
from facula_text.tokenizers import CharTokenizer


def test_batchify_columns_read_on_downwards():
    batches = batchify(facula.arange(26), 4)
    assert batches.shape == (6, 4)
    assert batches[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert batches[:, 3].tolist() == [18, 19, 20, 21, 22, 23]
    assert batches.is_contiguous()


def test_get_batch_targets_are_one_token_further():
    source = batchify(facula.arange(26), 4)
    data, target = get_batch(source, 0, 2)
    assert data.tolist() == [[0, 6, 12, 18], [1, 7, 13, 19]]
    assert target.tolist() == [1, 7, 13, 19, 2, 8, 14, 20]
    data, target = get_batch(source, 4, 2)
    assert data.tolist() == [[4, 10, 16, 22]]
    assert target.tolist() == [5, 11, 17, 23]
    with pytest.raises(IndexError, match="between 0 and 4, got 5"):
        get_batch(source, 5, 2)


def test_bptt_batches_cover_every_target_once():
    source = batchify(facula.arange(103), 5)
    targets = [value for _, target in bptt_batches(source, 7) for value in target.tolist()]
    assert sorted(targets) == sorted(source[1:].reshape(-1).tolist())


def test_bad_batchify():
    with pytest.raises(ValueError, match=r"shape \(N,\), got shape \(2, 3\)"):
        batchify(facula.zeros(2, 3), 2)
    with pytest.raises(ValueError, match="between 1 and the number of tokens 3, got 4"):
        batchify(facula.arange(3), 4)


def test_random_blocks_are_pieces_of_the_text():
    data = facula.arange(100, 200)
    generator = facula.Generator()
    generator.manual_seed(0)
    x, y = random_blocks(data, block_size=8, batch_size=5, generator=generator)
    assert x.shape == y.shape == (5, 8)
    assert facula.equal(x + 1, y)
    assert facula.equal(x[:, 1:], y[:, :-1])
    assert x.min() >= 100 and y.max() <= 199
    generator.manual_seed(0)
    starts = facula.randint(92, (5,), generator=generator)
    assert x[:, 0].tolist() == (starts + 100).tolist()


def test_random_blocks_reach_both_ends():
    x, y = random_blocks(facula.arange(4), block_size=2, batch_size=100)
    assert set(x[:, 0].tolist()) == {0, 1}
    assert y.max() == 3
    with pytest.raises(ValueError, match="more than block_size = 4 tokens, got 4"):
        random_blocks(facula.arange(4), block_size=4, batch_size=1)


@pytest.mark.parametrize(
    ("length", "block", "stride", "starts"),
    [(10, 3, None, [0, 3, 6]), (9, 3, None, [0, 3]), (7, 3, 1, [0, 1, 2, 3]), (4, 3, 5, [0]), (10, 3, 2, [0, 2, 4, 6])],
)
def test_block_dataset(length, block, stride, starts):
    dataset = BlockDataset(facula.arange(length), block, stride)
    assert len(dataset) == len(starts)
    assert [dataset[index][0].tolist() for index in range(len(dataset))] == [
        list(range(start, start + block)) for start in starts
    ]
    assert all(facula.equal(x + 1, y) for x, y in (dataset[index] for index in range(len(dataset))))
    assert facula.equal(dataset[-1][0], dataset[len(dataset) - 1][0])
    with pytest.raises(IndexError, match=f"index {len(starts)} is out of range"):
        dataset[len(starts)]


def test_block_dataset_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="block_size between 1 and 2, got 3"):
        BlockDataset(facula.arange(3), 3)
    with pytest.raises(ValueError, match="stride of 1 or more, got 0"):
        BlockDataset(facula.arange(5), 3, 0)


def test_blocks_of_real_text(test_data):
    text = TinyShakespeare(test_data / "tinyshakespeare", "val")
    tokenizer = CharTokenizer(text)
    dataset = BlockDataset(facula.tensor(tokenizer.encode(text)), 64)
    assert len(dataset) == (len(text) - 1) // 64
    x, y = dataset[17]
    assert tokenizer.decode(x) == text[17 * 64 : 18 * 64]
    assert tokenizer.decode(y) == text[17 * 64 + 1 : 18 * 64 + 1]
