"""Puts the command into the wheel, where installers make it a program of the environment."""

import os

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommandHook(BuildHookInterface):
    """Takes `binary` and `platform` from pyproject.toml, the former from its folder."""

    def initialize(self, version, build_data):
        """Adds the command. Raises FileNotFoundError where none was built."""
        if version == "editable":
            return  # a working tree has the command of `make build` on its PATH, or names it in IMGVEC_BINARY
        binary = os.path.join(self.root, self.config["binary"])
        if not os.path.isfile(binary):
            raise FileNotFoundError(f"{binary} is not there: `make wheel` builds the command and then the wheel around it")
        build_data["shared_scripts"][binary] = "imgvec"
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + self.config["platform"]
