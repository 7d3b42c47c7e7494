"""A disk that fails on demand: the fault shim of `tests/faults`, built and loaded before the server's C library."""

import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "faults" / "faults.c"


class Faults:
    """Faults of files in a folder. `preload` is the environment of a server that has them."""

    def __init__(self, folder, scratch):
        self._control = scratch / "faults.control"
        library = scratch / "faults.so"
        source = Path(os.environ.get("ATTACK_FAULTS_SOURCE", SOURCE))
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True, capture_output=True)
        self.set("")
        self.preload = {"LD_PRELOAD": str(library), "FAULTS_FOLDER": str(folder), "FAULTS_CONTROL": str(self._control)}

    def set(self, text):
        """What happens from the next operation on; nothing for the empty text."""
        new = self._control.with_suffix(".new")
        new.write_text(text)
        new.rename(self._control)
