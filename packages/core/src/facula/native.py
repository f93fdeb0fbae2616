"""The only door to the C++ library: one typed function a kernel.

No kernel has been built yet; ``available`` says so, and every primitive computes with its array code.
"""

#: Whether the compiled library was found and is switched on.
available = False
