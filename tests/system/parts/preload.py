"""Libraries to preload into a process, each of which makes one function of the system slow."""

import subprocess
from pathlib import Path


def preload(folder: Path, name: str) -> dict[str, str]:
    """Builds the library of this name (`slow_resolver`, `slow_halt_sync`) in the folder; the variables that preload it."""
    library = folder / f"{name}.so"
    source = Path(__file__).parent / f"{name}.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    return {"LD_PRELOAD": str(library)}
