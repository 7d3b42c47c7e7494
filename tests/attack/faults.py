"""A disk that fails on demand: the fault shim of `tests/faults`, compiled and preloaded into the server."""

import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "faults" / "faults.c"


class Faults:
    """Injects faults into files of a folder. `preload` is the environment for the server."""

    def __init__(self, folder, scratch):
        self._control = scratch / "faults.control"
        library = scratch / "faults.so"
        source = Path(os.environ.get("ATTACK_FAULTS_SOURCE", SOURCE))
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True, capture_output=True)
        self.set("")
        self.preload = {"LD_PRELOAD": str(library), "FAULTS_FOLDER": str(folder), "FAULTS_CONTROL": str(self._control)}

    def set(self, text):
        """Sets the faults from the next operation on; an empty text means none."""
        new = self._control.with_suffix(".new")
        new.write_text(text)
        new.rename(self._control)
