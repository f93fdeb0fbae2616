"""Compile the kernels: ``python packages/core/native/build.py [--all-levels]``.

Every file of ``src/`` is compiled once for each CPU level and linked into one extension module a level, and those of
``src/base/`` once, into a module that says which level this CPU can run. The modules lie in ``src/facula/_native/``
beside the Python code, where `facula.native` imports them. Objects are kept in
``build/`` by a hash of what they were made of, so that a second run compiles only what has changed.

Without a C++ compiler nothing is built and `NoCompiler` is raised; facula then computes with its array code.
"""

import argparse
import concurrent.futures
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "src"
OBJECTS = HERE / "build"
TARGET = HERE.parent / "src" / "facula" / "_native"

#: Flags of each level; the first suits every CPU of the kind.
X86_LEVELS = {
    1: ["-march=x86-64"],
    3: ["-march=x86-64-v3"],
    4: ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}
OTHER_LEVELS: dict[int, list[str]] = {1: []}

# Not -ffast-math: it would set flush-to-zero for the whole process.
FLAGS = [
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fno-semantic-interposition",
    "-fopenmp-simd",
    "-Wall",
    "-Wextra",
    "-Wno-missing-field-initializers",
    "-Wno-psabi",
    "-Wno-uninitialized",  # of which GCC 12 accuses its own intrinsics
    "-Wno-maybe-uninitialized",
]


class NoCompiler(RuntimeError):
    """No C++ compiler, or none that works, is on this machine."""


def compiler() -> list[str]:
    """Return the command of the C++ compiler: ``CXX``, or the first of c++, g++ and clang++ that is there."""
    if os.environ.get("CXX"):
        return shlex.split(os.environ["CXX"])
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    raise NoCompiler("no C++ compiler was found (looked for c++, g++ and clang++; CXX names another)")


def levels(every: bool) -> dict[int, list[str]]:
    """Return the flags of the levels to build: every one, or the one this machine can run."""
    known = X86_LEVELS if platform.machine() in ("x86_64", "AMD64") else OTHER_LEVELS
    if every or len(known) == 1:
        return known
    level = _level_of_this_cpu()
    return {level: known[level]}


def _level_of_this_cpu() -> int:
    sys.path.insert(0, str(TARGET))
    try:
        import base  # type: ignore[import-not-found]  # made a moment ago
    finally:
        sys.path.remove(str(TARGET))
    return int(base.level())


def build(every_level: bool = False, quiet: bool = True, extra_flags: tuple[str, ...] = ()) -> list[Path]:
    """Compile and link what has changed; return the files of the extension modules."""
    import numpy

    command = compiler()
    includes = [f"-I{sysconfig.get_paths()['include']}", f"-I{numpy.get_include()}"]
    versions = f"{sys.implementation.cache_tag} numpy {numpy.__version__}"
    TARGET.mkdir(parents=True, exist_ok=True)
    OBJECTS.mkdir(parents=True, exist_ok=True)
    common = [*command, *FLAGS, *extra_flags]
    suffix = sysconfig.get_config_var("EXT_SUFFIX")

    sources = sorted(SOURCES.glob("*.cpp"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        base = pool.map(
            lambda path: _object(common, includes, path, versions, quiet), sorted((SOURCES / "base").glob("*.cpp"))
        )
        made = [_link(command, list(base), TARGET / f"base{suffix}", extra_flags)]
        wanted = levels(every_level)
        jobs = {
            level: [
                pool.submit(
                    _object, [*common, *flags, f"-DFACULA_MODULE=level{level}"], includes, path, versions, quiet
                )
                for path in sources
            ]
            for level, flags in wanted.items()
        }
        for level, futures in jobs.items():
            objects = [future.result() for future in futures]
            made.append(_link(command, objects, TARGET / f"level{level}{suffix}", extra_flags))
    return made


def _with_headers(source: Path, seen: set[Path]) -> bytes:
    """Return the text of a file and of our own headers that it includes."""
    if source in seen or not source.exists():
        return b""
    seen.add(source)
    text = source.read_bytes()
    names = re.findall(rb'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE)
    return text + b"".join(_with_headers((source.parent / name.decode()).resolve(), seen) for name in names)


def _object(command: list[str], includes: list[str], source: Path, versions: str, quiet: bool) -> Path:
    # By what the headers are, not where: each isolated build has NumPy's in a folder of its own.
    what = _with_headers(source, set()) + "\0".join([versions, *command]).encode()
    made = OBJECTS / f"{source.parent.name}-{source.stem}-{hashlib.sha256(what).hexdigest()[:16]}.o"
    if made.exists():
        return made
    if not quiet:
        print(f"compiling {source.name}", file=sys.stderr)
    partial = made.with_suffix(f".{os.getpid()}.tmp")
    _run([*command, *includes, "-c", str(source), "-o", str(partial)])
    partial.replace(made)
    return made


def _link(command: list[str], objects: list[Path], target: Path, extra_flags: tuple[str, ...]) -> Path:
    # Written beside and renamed: a process that has the old one mapped keeps it whole.
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    # Without the names of what is not exported, unless somebody looks into the code with flags of their own.
    plain = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else [] if extra_flags else ["-s"]
    _run([*command, "-shared", "-pthread", *plain, *extra_flags, *map(str, objects), "-o", str(partial)])
    partial.replace(target)
    return target


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise NoCompiler(f"the C++ compiler could not be started: {error}") from error
    if done.returncode != 0:
        raise NoCompiler(f"{shlex.join(command)} failed:\n{done.stderr}")
    if done.stderr:
        print(done.stderr, file=sys.stderr)


def main() -> None:
    """Build from the command line."""
    parser = argparse.ArgumentParser(description="Compile the kernels.")
    parser.add_argument("--all-levels", action="store_true", help="for every CPU level, not only for this machine's")
    parser.add_argument("--flags", default="", help="further compiler flags, such as -fsanitize=address")
    arguments = parser.parse_args()
    for path in build(arguments.all_levels, quiet=False, extra_flags=tuple(shlex.split(arguments.flags))):
        print(path)


if __name__ == "__main__":
    main()
