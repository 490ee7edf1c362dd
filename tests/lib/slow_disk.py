# SPDX-License-Identifier: BSD-2-Clause
"""slow_disk.py - a control group whose requests to a disk are held back: a slow disk, made of a fast one.

What a process of the group reads from a loop device is held back below it, where its image lies: for the loop device it is just
a disk that takes so long.
"""
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

    def __init__(self, path, requests_per_second):
        top, old = hierarchy()
        self.path = os.path.join(top, f"dbtap-test-io-{os.getpid()}")
        os.mkdir(self.path)
        try:
            disk = whole_disk(path)
            if old:
                for direction in ("read", "write"):
                    write(os.path.join(self.path, NAME.format(direction)), f"{disk} {requests_per_second}")
            else:
                write(os.path.join(self.path, "io.max"), f"{disk} riops={requests_per_second} wiops={requests_per_second}")
        except OSError as error:
            self.close()
            raise Unavailable(f"{path}: {error}") from error
        self.enter = ("sh", "-c", 'echo $$ >"$0" && exec "$@"', os.path.join(self.path, "cgroup.procs"))

    def close(self):
        """Its processes have ended."""
        os.rmdir(self.path)
