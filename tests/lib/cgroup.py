# SPDX-License-Identifier: BSD-2-Clause
"""cgroup.py - a control group of our own whose CPU time the kernel counts: the outside truth for cpu_ns.

Takes the cpuacct hierarchy (cgroup v1, nanoseconds) where there is one, else cgroup v2 (microseconds).
"""
import os
import time

SECONDS_TO_EMPTY = 5


def find_hierarchy():
    """(mount point, "cpuacct" or "unified"), or None."""
    unified = None
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            _, where, kind, options = line.split()[:4]
            if kind == "cgroup" and "cpuacct" in options.split(","):
                return where, "cpuacct"
            if kind == "cgroup2" and unified is None:
                unified = where
    return (unified, "unified") if unified else None


class Cgroup:
    def __init__(self, name):
        found = find_hierarchy()
        if not found:
            raise RuntimeError("no cgroup hierarchy with CPU accounting is mounted")
        self.top, self.kind = found
        self.path = os.path.join(self.top, name)
        os.mkdir(self.path)

    def add(self, pid):
        """Move a process with all its threads; its children born later follow, those it has stay where they are."""
        self._write(self.path, pid)

    def enter(self):
        """For preexec_fn: the calling process. Everything it becomes and forks is inside from its first instruction."""
        self.add(0)

    def pids(self):
        with open(os.path.join(self.path, "cgroup.procs"), encoding="ascii") as file:
            return [int(line) for line in file]

    def usage_ns(self):
        """CPU time of all that ever ran inside, user and system."""
        if self.kind == "cpuacct":
            with open(os.path.join(self.path, "cpuacct.usage"), encoding="ascii") as file:
                return int(file.read())
        with open(os.path.join(self.path, "cpu.stat"), encoding="ascii") as file:
            return next(int(line.split()[1]) * 1000 for line in file if line.startswith("usage_usec "))

    def remove(self):
        """Hand what is left inside back to the parent group and remove ours."""
        deadline = time.monotonic() + SECONDS_TO_EMPTY
        while True:
            for pid in self.pids():
                try:
                    self._write(self.top, pid)
                except ProcessLookupError:
                    pass
            try:
                os.rmdir(self.path)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    @staticmethod
    def _write(folder, pid):
        with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(pid))
