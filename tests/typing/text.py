"""What a type checker says of vocabularies, tokenizers and language models."""

from typing import assert_type

import facula
from facula import Tensor
from facula_text import data, models, tokenizers
from facula_text.vocab import Vocab, build_vocab_from_iterator

words = build_vocab_from_iterator([["to", "be"], ["or"]], specials=["<unk>"])
assert_type(words, Vocab)
assert_type(words(["be"]), list[int])
assert_type(words["be"], int)
assert_type(words.get_stoi(), dict[str, int])
assert_type(data.get_tokenizer("basic_english")("To be"), list[str])
assert_type(data.bleu_score([["a", "b"]], [[["a", "b"]]], max_n=1, weights=[1.0]), float)

# Characters to indices: a list, or a tensor where one is asked for.
characters = tokenizers.CharTokenizer("hello")
assert_type(characters.encode("hell"), list[int])
assert_type(characters.encode("hell", return_tensors="pt"), Tensor)
assert_type(characters.encode_batch(["he", "lo"]), list[list[int]])
assert_type(characters.decode([0, 1]), str)
assert_type(characters.token_to_id("h"), int | None)

model = models.GPT2LMHeadModel(models.GPT2Config(vocab_size=8, n_positions=8, n_embd=4, n_layer=1, n_head=1))
ids = facula.zeros(1, 2, dtype=facula.int64)
output = model.forward(ids)
assert_type(output, models.CausalLMOutput)
assert_type(output.logits, Tensor)
assert_type(model.generate(ids, max_new_tokens=2), Tensor)
assert_type(models.generate(model, ids, 2), Tensor)
