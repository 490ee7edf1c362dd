# SPDX-License-Identifier: BSD-2-Clause
"""slow_disk.py - a control group whose requests to a disk are held back: a slow disk, made of a fast one.

What a process of the group reads from a loop device is held back below it, where its image lies: for the loop device it is just
a disk that takes so long.
"""
import contextlib
import os

NAME = "blkio.throttle.{}_iops_device"


class Unavailable(Exception):
    """Why nothing can be held back here."""


def hierarchy():
    """(mount point, True for cgroup v1)"""
    with open("/proc/mounts", encoding="utf-8") as file:
        mounts = [line.split()[:4] for line in file]
    for _, where, kind, options in mounts:
        if kind == "cgroup" and "blkio" in options.split(","):
            return where, True
    for _, where, kind, _ in mounts:
        if kind == "cgroup2" and "io" in read(os.path.join(where, "cgroup.subtree_control")).split():
            return where, False
    raise Unavailable("no cgroup hierarchy with the I/O controller is mounted")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def whole_disk(path):
    """"254:0" of the disk below a file."""
    device = os.stat(path).st_dev
    numbers = f"{os.major(device)}:{os.minor(device)}"
    folder = os.path.realpath(f"/sys/dev/block/{numbers}")
    if not os.path.isdir(folder):
        raise Unavailable(f"{path} is on no disk of its own")
    return read(os.path.join(os.path.dirname(folder), "dev")).strip() if os.path.exists(f"{folder}/partition") else numbers


class Group:
    """`enter`: words before a command that is to run in the group."""

    def __init__(self, path, requests_per_second, directions=("read", "write")):
        top, old = hierarchy()
        self.path = os.path.join(top, f"dbtap-test-io-{os.getpid()}")
        os.mkdir(self.path)
        try:
            disk = whole_disk(path)
            if old:
                for direction in directions:
                    write(os.path.join(self.path, NAME.format(direction)), f"{disk} {requests_per_second}")
            else:
                limits = " ".join(f"{direction[0]}iops={requests_per_second}" for direction in directions)
                write(os.path.join(self.path, "io.max"), f"{disk} {limits}")
        except OSError as error:
            self.close()
            raise Unavailable(f"{path}: {error}") from error
        self.enter = ("sh", "-c", 'echo $$ >"$0" && exec "$@"', os.path.join(self.path, "cgroup.procs"))

    def add(self, *pids):
        """Those that have ended meanwhile are passed over."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                write(os.path.join(self.path, "cgroup.procs"), pid)

    def release(self):
        """All its processes go on as fast as the disk is."""
        for pid in read(os.path.join(self.path, "cgroup.procs")).split():
            with contextlib.suppress(ProcessLookupError):
                write(os.path.join(os.path.dirname(self.path), "cgroup.procs"), pid)

    def close(self):
        """Its processes have ended."""
        os.rmdir(self.path)
