"""A name resolver that fails after twenty seconds, to preload into a process."""

import subprocess
from pathlib import Path


def slow_resolver(folder: Path) -> dict[str, str]:
    """Builds the library in this folder; the variables that preload it."""
    library = folder / "slow_resolver.so"
    source = Path(__file__).parent / "slow_resolver.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    return {"LD_PRELOAD": str(library)}
