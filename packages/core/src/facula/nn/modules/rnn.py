"""Recurrent layers and cells."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from typing import Any

from facula.creation import empty, zeros
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.graph.modes import types_may_differ
from facula.nn import init
from facula.nn.module import Module
from facula.nn.parameter import Parameter
from facula.nn.utils.rnn import PackedSequence
from facula.ops import recurrent
from facula.tensor import Tensor

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """Layers of recurrent cells over sequences: parameters ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0`` …

    Inputs are (L, N, input_size), (N, L, input_size) with ``batch_first``, (L, input_size), or a PackedSequence.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater "
                f"than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        for name, flag in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(flag, bool):
                raise TypeError(f"{name} should be of type bool, got: {type(flag).__name__}")
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(size, int):
                raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
        if input_size <= 0:
            raise ValueError("input_size must be greater than zero")
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        rows = _GATES[mode] * hidden_size
        output = proj_size or hidden_size
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: 2 if bidirectional else 1]:
                inputs = input_size if layer == 0 else output * (2 if bidirectional else 1)
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, output)}
                if bias:
                    shapes.update(bias_ih=(rows,), bias_hh=(rows,))
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for kind, shape in shapes.items():
                    name = f"{kind}_l{layer}{suffix}"
                    setattr(self, name, Parameter(empty(shape, device=device, dtype=dtype)))
                    names.append(name)
                self._all_weights.append(names)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters evenly from within ``1 / sqrt(hidden_size)`` of zero."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: parameters need no common memory here."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [weight for weights in self.all_weights for weight in weights]

    def _zeros(self, input: Tensor, batch: int, size: int) -> Tensor:
        directions = 2 if self.bidirectional else 1
        return zeros((self.num_layers * directions, batch, size), dtype=input.dtype, device=input.device)

    def _check(self, input: Tensor, state: Tensor, batch: int, size: int, name: str) -> None:
        directions = 2 if self.bidirectional else 1
        expected = (self.num_layers * directions, batch, size)
        if tuple(state.shape) != expected:
            raise RuntimeError(f"Expected {name} size {expected}, got {list(state.shape)}")

    def _run(self, input: Tensor | PackedSequence, hx: Any) -> tuple[Any, ...]:
        """Return the output and last states, in the form of the input; ``hx`` is None or a tuple of states."""
        data = input.data if isinstance(input, PackedSequence) else input
        weights = self._flat_weights
        kind = weights[0].dtype
        if data.dtype != kind and not types_may_differ():
            raise ValueError(
                f"RNN input dtype ({data.dtype}) does not match weight dtype ({kind}). Convert input: input.to({kind}), or "
                f"convert model: model.to({data.dtype})"
            )
        function = getattr(recurrent, self.mode.lower())
        settings = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        if isinstance(input, PackedSequence):
            data, batch_sizes, sorted_indices, unsorted_indices = input
            batch = int(batch_sizes[0])
            states = self._states(data, hx, batch, sorted_indices)
            output, *last = function(data, batch_sizes, states, weights, *settings)
            if unsorted_indices is not None:
                last = [each.index_select(1, unsorted_indices) for each in last]
            return PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices), last
        if input.dim() not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )
        alone = input.dim() == 2
        if alone:
            input = input.unsqueeze(0 if self.batch_first else 1)
            hx = None if hx is None else tuple(each.unsqueeze(1) for each in hx)
        states = self._states(input, hx, input.shape[0 if self.batch_first else 1], None)
        output, *last = function(input, states, weights, *settings, self.batch_first)
        if alone:
            output = output.squeeze(0 if self.batch_first else 1)
            last = [each.squeeze(1) for each in last]
        return output, last

    def _states(self, input: Tensor, hx: Any, batch: int, order: Tensor | None) -> Any:
        sizes = [self.proj_size or self.hidden_size, self.hidden_size][: 2 if self.mode == "LSTM" else 1]
        if hx is None:
            states = tuple(self._zeros(input, batch, size) for size in sizes)
        else:
            states = tuple(hx)
            for state, size, name in zip(states, sizes, ("hidden[0]", "hidden[1]")):
                self._check(input, state, batch, size, name)
            if order is not None:
                states = tuple(each.index_select(1, order) for each in states)
        return states if self.mode == "LSTM" else states[0]

    def extra_repr(self) -> str:
        """Return the settings that are not the usual ones."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if not self.bias:
            text += f", bias={self.bias}"
        if self.batch_first:
            text += f", batch_first={self.batch_first}"
        if self.dropout:
            text += f", dropout={self.dropout}"
        return text + (f", bidirectional={self.bidirectional}" if self.bidirectional else "")


class RNN(RNNBase):
    """Elman layers: ``tanh`` or ``relu`` of a linear map of input and hidden state."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("RNN_" + nonlinearity.upper(), input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor | PackedSequence, hx: Tensor | None = None) -> tuple[Any, ...]:
        """Return the outputs of the last layer and the last hidden state (layers * directions, N, hidden)."""
        output, (hidden,) = self._run(input, None if hx is None else (hx,))
        return output, hidden


class LSTM(RNNBase):
    """Long short-term memory layers. Hochreiter and Schmidhuber 1997; gates i, f, g, o.

    >>> facula.nn.LSTM(3, 4)(facula.zeros(5, 2, 3))[0].shape
    facula.Size([5, 2, 4])
    """

    def __init__(self, input_size: int, hidden_size: int, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", input_size, hidden_size, *args, **kwargs)

    def forward(self, input: Tensor | PackedSequence, hx: Sequence[Tensor] | None = None) -> tuple[Any, ...]:
        """Return the outputs of the last layer and the last hidden and cell states."""
        output, last = self._run(input, hx)
        return output, tuple(last)


class GRU(RNNBase):
    """Gated recurrent layers. Cho et al. 2014, arXiv 1406.1078; gates r, z, n."""

    def __init__(self, input_size: int, hidden_size: int, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", input_size, hidden_size, *args, **kwargs)

    def forward(self, input: Tensor | PackedSequence, hx: Tensor | None = None) -> tuple[Any, ...]:
        """Return the outputs of the last layer and the last hidden state."""
        output, (hidden,) = self._run(input, None if hx is None else (hx,))
        return output, hidden


class RNNCellBase(Module):
    """One step of a cell: parameters ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(empty((rows, hidden_size), device=device, dtype=dtype))
        if bias:
            self.bias_ih = Parameter(empty(rows, device=device, dtype=dtype))
            self.bias_hh = Parameter(empty(rows, device=device, dtype=dtype))
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters evenly from within ``1 / sqrt(hidden_size)`` of zero."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _prepare(
        self, input: Tensor, states: tuple[Any, ...] | None, count: int
    ) -> tuple[Tensor, tuple[Any, ...], bool]:
        if input.dim() not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for each in states or ():
            if each.dim() not in (1, 2):
                raise ValueError(f"{self._get_name()}: Expected hidden to be 1D or 2D, got {each.dim()}D instead")
        alone = input.dim() == 1
        rows = input.unsqueeze(0) if alone else input
        if states is None:
            blank = zeros((rows.shape[0], self.hidden_size), dtype=input.dtype, device=input.device)
            return rows, (blank,) * count, alone
        return rows, tuple(each.unsqueeze(0) if alone else each for each in states), alone

    def extra_repr(self) -> str:
        """Return the settings that are not the usual ones."""
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCell(RNNCellBase):
    """One step of an Elman cell."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next hidden state (N, hidden)."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        rows, (hidden,), alone = self._prepare(input, None if hx is None else (hx,), 1)
        step = recurrent.rnn_tanh_cell if self.nonlinearity == "tanh" else recurrent.rnn_relu_cell
        result = step(rows, hidden, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return result.squeeze(0) if alone else result


class LSTMCell(RNNCellBase):
    """One step of a long short-term memory."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return the next hidden and cell state (N, hidden)."""
        rows, states, alone = self._prepare(input, None if hx is None else tuple(hx), 2)
        result = recurrent.lstm_cell(rows, states, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return (result[0].squeeze(0), result[1].squeeze(0)) if alone else result


class GRUCell(RNNCellBase):
    """One step of a gated recurrent unit."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next hidden state (N, hidden)."""
        rows, (hidden,), alone = self._prepare(input, None if hx is None else (hx,), 1)
        result = recurrent.gru_cell(rows, hidden, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return result.squeeze(0) if alone else result
