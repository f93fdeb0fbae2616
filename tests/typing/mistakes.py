"""Mistakes that a type checker must find: where it does not, the ignored error is reported as unused."""

import facula
import facula_audio
from facula import nn
from facula_lightning import Trainer
from facula_text.tokenizers import CharTokenizer
from facula_vision import models, ops
from facula_vision.transforms import functional as F

x = facula.ones(2, 3)

x.reshap(3, 2)  # type: ignore[attr-defined]
x.max(1).value  # type: ignore[attr-defined]
x.sum(dim="first")  # type: ignore[call-overload, arg-type, unused-ignore]
facula.cat(3)  # type: ignore[arg-type]
facula.softmax(x, dimension=1)  # type: ignore[call-arg]
nn.Linear("4", 2)  # type: ignore[arg-type]
facula.optim.SGD(3, lr=0.1)  # type: ignore[arg-type]
number: int = x.sum()  # type: ignore[assignment]

models.resnet18(weights=18)  # type: ignore[arg-type]
scores: str = models.resnet18().forward(x)  # type: ignore[assignment]
ops.nms(x, x)  # type: ignore[call-arg]
F.resize("picture.png", 3)  # type: ignore[type-var]
facula_audio.load(3)  # type: ignore[arg-type]
tensor: facula.Tensor = CharTokenizer("abc").encode("a")  # type: ignore[assignment]
Trainer(max_epoch=3)  # type: ignore[call-arg]
Trainer().fit(nn.Linear(1, 1))  # type: ignore[arg-type]
