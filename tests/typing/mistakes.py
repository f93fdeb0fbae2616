"""Mistakes that a type checker must find: where it does not, the ignored error is reported as unused."""

import facula
from facula import nn

x = facula.ones(2, 3)

x.reshap(3, 2)  # type: ignore[attr-defined]
x.max(1).value  # type: ignore[attr-defined]
x.sum(dim="first")  # type: ignore[call-overload, arg-type, unused-ignore]
facula.cat(3)  # type: ignore[arg-type]
facula.softmax(x, dimension=1)  # type: ignore[call-arg]
nn.Linear("4", 2)  # type: ignore[arg-type]
facula.optim.SGD(3, lr=0.1)  # type: ignore[arg-type]
number: int = x.sum()  # type: ignore[assignment]
