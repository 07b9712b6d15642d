"""A control group with a memory limit, version 1 or 2. If this user may not create one, there is none."""

import uuid
from pathlib import Path

from parts.daemon import wait_until

ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """All processes started through `enter` together have at most `limit_mib` of memory, as in a container."""

    def __init__(self, limit_mib: int):
        self.directory: Path | None = None
        is_v2 = (ROOT / "cgroup.controllers").exists()
        directory = (ROOT if is_v2 else ROOT / "memory") / f"sentinel-test-{uuid.uuid4().hex[:8]}"
        try:
            directory.mkdir()
        except OSError:
            return
        self.directory = directory
        self._peak = directory / ("memory.peak" if is_v2 else "memory.max_usage_in_bytes")
        try:
            limit = directory / ("memory.max" if is_v2 else "memory.limit_in_bytes")
            limit.write_text(str(limit_mib << 20))
        except OSError:
            self.close()

    def enter(self, command: list[str]) -> list[str]:
        """The command, inside the group."""
        if not self.directory:
            return command
        return ["/bin/sh", "-c", f'echo $$ > {self.directory}/cgroup.procs && exec "$@"', "sh", *command]

    def peak(self) -> str:
        """The group's peak memory as text, including the kernel's share and cached files."""
        if not self.directory or not self._peak.exists():
            return "no cgroup could be made"
        return f"peak of the cgroup {int(self._peak.read_text()) / 2**20:.1f} MiB"

    def close(self):
        """Removes the group. Call this when its processes have ended."""
        if self.directory:
            wait_until("the group is empty", self._is_removed)
            self.directory = None

    def _is_removed(self) -> bool:
        # The kernel needs a moment to release a process that has ended.
        try:
            self.directory.rmdir()
        except OSError:
            return False
        return True
