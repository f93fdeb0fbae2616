"""Compile the kernels when a wheel is built or the package is installed from its sources; without a compiler, go on."""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "native"))
import build


class Kernels(BuildHookInterface):
    """Put the extension modules of `facula._native` into the wheel: of all CPU levels, or, for an editable install, of this CPU's."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and mark the wheel as one for this platform; it stays a pure one where nothing could be compiled."""
        if self.target_name != "wheel" or os.environ.get("FACULA_NATIVE", "1") in ("0", "off", "false"):
            return
        try:
            made = build.build(every_level=version != "editable")
        except build.NoCompiler as error:
            self.app.display_warning(f"facula is installed without compiled kernels: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for path in made:
            build_data["force_include"][str(path)] = f"facula/_native/{path.name}"
