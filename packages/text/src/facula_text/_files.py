"""Writing small text files so that they are never seen half-written."""

import os
import tempfile
from os import PathLike


def write_text(path: str | PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``: the file appears, or is replaced, all at once."""
    target = os.path.abspath(path)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".", suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp gives the file to its owner alone; a saved file has the usual rights.
        os.chmod(temporary, 0o666 & ~_current_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
