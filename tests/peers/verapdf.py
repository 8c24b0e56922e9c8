"""veraPDF, the reference validator of PDF/A, over its library (`interop/PdfA.java`, Java 17)."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PROGRAM: Final = Path(__file__).parents[2] / "interop" / "PdfA.java"


def missing() -> str | None:
    """Return the one reason why it cannot run here, or None."""
    home = os.environ.get("RIS_VERAPDF_HOME")
    if not home:
        return "veraPDF absent: run `make interop` (Java 17, Maven), or set RIS_VERAPDF_HOME"
    if not list(Path(home).glob("validation-model-*.jar")):
        return f"veraPDF absent: no validation-model jar in RIS_VERAPDF_HOME ({home})"
    return None if shutil.which("java") else "veraPDF needs java (JDK 17 or later) on the PATH"


def clauses(files: Iterable[Path]) -> dict[str, frozenset[str]]:
    """Return, by name of file, the clauses of ISO 19005-1 it breaks at level 1b (`6.7.3`)."""
    jars = Path(os.environ["RIS_VERAPDF_HOME"]).resolve() / "*"
    command = ["java", "-cp", str(jars), str(_PROGRAM), *map(str, files)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    lines = (line.split("\t") for line in told.stdout.splitlines())
    return {
        Path(path).name: frozenset(test.rpartition("-")[0] for test in failed.split())
        for path, failed in lines
    }
