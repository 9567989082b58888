"""Build hook: a wheel carries `unmask.py` as `unmask/__init__.py`.

An editable install uses the file where it lies, and a static force-include would break that.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class UnmaskBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"][str(Path(self.root, "unmask.py"))] = "unmask/__init__.py"
