"""``torch.version``: which version is stood for."""

from facula.as_torch.names import VERSIONS

__version__ = VERSIONS["torch"]
cuda = hip = xpu = git_version = None
debug = False
