"""Batches of similar length."""

import facula
import pytest
from facula_text.data import BucketBatchSampler
from facula_text.datasets import SST2


def seeded(seed):
    generator = facula.Generator()
    generator.manual_seed(seed)
    return generator


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("count", "batches", "whole"), [(10, 4, 3), (9, 3, 3), (2, 1, 0), (0, 0, 0)])
def test_every_sample_once(shuffle, count, batches, whole):
    lengths = [(7 * index) % 5 + 1 for index in range(count)]
    sampler = BucketBatchSampler(lengths, batch_size=3, shuffle=shuffle, pool_factor=2)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == batches
    assert sorted(index for batch in drawn for index in batch) == list(range(count))
    dropping = BucketBatchSampler(lengths, batch_size=3, shuffle=shuffle, drop_last=True, pool_factor=2)
    drawn = list(dropping)
    assert len(drawn) == len(dropping) == whole
    assert all(len(batch) == 3 for batch in drawn)


def test_without_shuffle_from_short_to_long():
    assert list(BucketBatchSampler([3, 1, 2, 1], 2, shuffle=False)) == [[1, 3], [2, 0]]


def test_shuffled_order_follows_the_generator():
    lengths = list(range(100))
    first = list(BucketBatchSampler(lengths, 4, generator=seeded(1)))
    assert first == list(BucketBatchSampler(lengths, 4, generator=seeded(1)))
    assert first != list(BucketBatchSampler(lengths, 4, generator=seeded(2)))
    generator = seeded(1)
    sampler = BucketBatchSampler(lengths, 4, generator=generator)
    assert list(sampler) != list(sampler)


def test_bad_sizes():
    with pytest.raises(ValueError, match="of 1 or more, got 0 and 100"):
        BucketBatchSampler([1], 0)


def test_little_padding_on_real_text(test_data):
    lengths = [len(sentence.split()) for sentence, _ in SST2(test_data / "sst2", "train")]

    def padded(batches):
        return sum(max(lengths[index] for index in batch) * len(batch) for batch in batches)

    bucketed = padded(BucketBatchSampler(lengths, 32, generator=seeded(0)))
    in_order = padded([range(start, min(start + 32, len(lengths))) for start in range(0, len(lengths), 32)])
    assert bucketed < 1.05 * sum(lengths) < 1.5 * sum(lengths) < in_order
