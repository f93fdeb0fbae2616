"""Operations on lists of tensors are those on each tensor."""

import facula
import pytest


def tensors(seed: int) -> list[facula.Tensor]:
    facula.manual_seed(seed)
    return [facula.rand(2, 3) + 0.1, facula.rand(4) + 0.1]


@pytest.mark.parametrize("name", ["abs", "sqrt", "neg", "exp", "reciprocal", "sign", "zero"])
def test_of_each(name) -> None:
    expected = [getattr(each.clone(), name + "_")() for each in tensors(0)]
    changed = tensors(0)
    assert getattr(facula, f"_foreach_{name}_")(changed) is None
    for found, mine, want in zip(getattr(facula, f"_foreach_{name}")(tensors(0)), changed, expected, strict=True):
        assert facula.equal(found, want) and facula.equal(mine, want)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "clamp_min"])
@pytest.mark.parametrize("other", [tensors(1), [2, 3], 2.0])
def test_with_a_list_or_a_number(name, other) -> None:
    others = other if isinstance(other, list) else [other, other]
    bounds = {"maximum": "clamp_min", "minimum": "clamp_max"}
    method = bounds.get(name, name) if not isinstance(others[0], facula.Tensor) else name
    expected = [getattr(each, method)(value) for each, value in zip(tensors(0), others, strict=True)]
    changed = tensors(0)
    getattr(facula, f"_foreach_{name}_")(changed, other)
    for found, mine, want in zip(
        getattr(facula, f"_foreach_{name}")(tensors(0), other), changed, expected, strict=True
    ):
        assert facula.equal(found, want) and facula.equal(mine, want)


def test_with_factors() -> None:
    x, y, z = tensors(0), tensors(1), tensors(2)
    for found, a, b, c in zip(facula._foreach_addcmul(x, y, z, 0.5), x, y, z, strict=True):
        assert facula.allclose(found, a + 0.5 * b * c)
    for found, a, b, c in zip(facula._foreach_addcdiv(x, y, z, [2.0, 3.0]), x, y, z, strict=True):
        assert facula.allclose(found, a.addcdiv(b, c, value=2.0 if a is x[0] else 3.0))
    for found, a, b in zip(facula._foreach_lerp(x, y, 0.25), x, y, strict=True):
        assert facula.allclose(found, a.lerp(b, 0.25))
    for found, a, b in zip(facula._foreach_add(x, y, alpha=3), x, y, strict=True):
        assert facula.allclose(found, a + 3 * b)
    assert [each.item() for each in facula._foreach_norm(x)] == [each.norm().item() for each in x]
    assert [each.item() for each in facula._foreach_max(x)] == [each.max().item() for each in x]


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(RuntimeError, match="same number of tensors, got 2 and 1"):
        facula._foreach_add(tensors(0), [1])
