"""Running out of memory: telling it from other errors, and trying again with less."""

from __future__ import annotations

import functools
import gc
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

import facula

P = ParamSpec("P")
R = TypeVar("R")

#: What errors that are not of a class of their own say.
_MESSAGES = (
    "out of memory",  # of CUDA's runtime and driver
    "cudaErrorMemoryAllocation",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_SUPPORTED",  # what cuDNN says where a batch is too large for it
    "DefaultCPUAllocator: can't allocate memory",
)


def is_oom_error(exception: BaseException) -> bool:
    """Return whether an error says that there was not enough memory: Python's, NumPy's, CuPy's or CUDA's.

    >>> is_oom_error(MemoryError()), is_oom_error(RuntimeError("shapes differ"))
    (True, False)
    """
    # NumPy's and CuPy's are MemoryErrors; CuPy's, where it is not, is known by its name.
    if isinstance(exception, (MemoryError, facula.cuda.OutOfMemoryError)):
        return True
    kind = type(exception)
    if kind.__name__ == "OutOfMemoryError" and kind.__module__.partition(".")[0].startswith(("cupy", "torch")):
        return True
    return isinstance(exception, RuntimeError) and any(text in str(exception) for text in _MESSAGES)


def garbage_collection_cuda() -> None:
    """Free what nobody refers to any more, and give the GPU's memory that is kept for later back."""
    gc.collect()
    try:
        facula.cuda.empty_cache()
    except Exception as error:
        # This may need memory itself.
        if not is_oom_error(error):
            raise


@overload
def find_executable_batch_size(
    function: Callable[Concatenate[int, P], R],
    starting_batch_size: int = 128,
    reduce_batch_size_fn: Callable[[], int] | None = None,
) -> Callable[P, R]: ...


@overload
def find_executable_batch_size(
    function: None = None,
    starting_batch_size: int = 128,
    reduce_batch_size_fn: Callable[[], int] | None = None,
) -> Callable[[Callable[Concatenate[int, P], R]], Callable[P, R]]: ...


def find_executable_batch_size(
    function: Callable[..., Any] | None = None,
    starting_batch_size: int = 128,
    reduce_batch_size_fn: Callable[[], int] | None = None,
) -> Callable[..., Any]:
    """Return ``function`` changed to be called with a batch size first, again with a smaller one while memory runs out.

    The first is ``starting_batch_size``; each next one is nine tenths of it, or what ``reduce_batch_size_fn()`` returns. The
    size that was found stays for the next call. RuntimeError when even a batch of 1 is too large.

    >>> @find_executable_batch_size(starting_batch_size=100)
    ... def train(batch_size):
    ...     if batch_size > 80:
    ...         raise MemoryError
    ...     return batch_size
    >>> train()
    72
    """
    if function is None:
        return functools.partial(
            find_executable_batch_size,
            starting_batch_size=starting_batch_size,
            reduce_batch_size_fn=reduce_batch_size_fn,
        )
    inner: Callable[..., Any] = function
    size = starting_batch_size

    @functools.wraps(inner)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal size
        garbage_collection_cuda()
        names = list(inspect.signature(inner).parameters)
        if len(names) < len(args) + 1:
            given = ", ".join(f"{name}={value}" for name, value in zip(names[1:], args[1:]))
            raise TypeError(
                f"Batch size was passed into `{inner.__name__}` as the first argument when called. Remove this as the"
                f" decorator already does so: `{inner.__name__}({given})`"
            )
        while True:
            if size <= 0:
                raise RuntimeError("No executable batch size found, reached zero.")
            try:
                return inner(size, *args, **kwargs)
            except Exception as error:
                if not is_oom_error(error):
                    raise
            # The error, and with it the tensors of the call that failed, is gone by now.
            garbage_collection_cuda()
            size = int(size * 0.9) if reduce_batch_size_fn is None else reduce_batch_size_fn()

    return wrapped
