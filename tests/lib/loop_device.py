# SPDX-License-Identifier: BSD-2-Clause
"""loop_device.py - private file systems on loop devices: disks whose own counters nobody else moves.

A Volume makes an image in a folder of its own, attaches a free loop device to it (direct I/O where the folder's file
system can), makes a file system there and mounts it. The device detaches itself once the file system is gone. A guard process
unmounts when the test run dies without doing so.
"""
import collections
import contextlib
import os
import shutil
import subprocess
import tempfile
import time

MIB = 1 << 20
SECTOR = 512  # of /sys/block/*/stat, whatever the device's is
STAT = ("read_requests", "read_merges", "read_sectors", "read_ms", "write_requests", "write_merges", "write_sectors", "write_ms",
        "in_flight", "busy_ms", "queue_ms", "discard_requests", "discard_merges", "discard_sectors", "discard_ms", "flushes",
        "flush_ms")
# Everything is made at once: nothing writes to the device later that nobody asked for.
MAKE = {"ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"),
        "xfs": ("mkfs.xfs", "-q", "-f", "-K"),
        "btrfs": ("mkfs.btrfs", "-q", "-f", "-K")}
GUARD = 'read -r end || { umount -l "$1/mounted"; losetup -d "$2"; rm -rf --one-file-system "$1"; } 2>/dev/null'
ATTACH_SECONDS = 30

Counters = collections.namedtuple("Counters", ("read_requests", "read_bytes", "write_requests", "write_bytes",
                                               "discard_requests", "discard_bytes", "flushes", "in_flight"))


def environment():
    return {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


def run(*command):
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False, env=environment())
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status {result.returncode}: {result.stdout.strip()}")
    return result.stdout.strip()


def missing(filesystem="ext4"):
    """Why no volume can be made here, or None."""
    if os.geteuid() != 0:
        return "a loop device needs root"
    if not os.path.exists("/dev/loop-control"):
        return "this machine has no loop devices"
    for tool in (MAKE[filesystem][0], "losetup"):
        if not shutil.which(tool, path=environment()["PATH"]):
            return f"{tool} is not installed"
    # A file system that is a module says so only once it is loaded.
    with contextlib.suppress(RuntimeError, OSError):
        run("modprobe", "-q", filesystem)
    with open("/proc/filesystems", encoding="ascii") as file:
        return None if filesystem in file.read().split() else f"this kernel has no {filesystem}"


class Volume:
    """`path` where it is mounted, `name` of the device ("loop3"), `number` as st_dev has it."""

    def __init__(self, filesystem="ext4", size_mib=768, options="noatime"):
        self.filesystem = filesystem
        self.name = self.guard = None
        self.home = tempfile.mkdtemp(prefix="dbtap-test-volume-", dir="/tmp")
        os.chmod(self.home, 0o755)  # a server's own user gets here
        self.image = os.path.join(self.home, "image")
        self.path = os.path.join(self.home, "mounted")
        os.mkdir(self.path)
        try:
            self.open(size_mib, options)
        except BaseException:
            self.close()
            raise

    def open(self, size_mib, options):
        with open(self.image, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size_mib * MIB)
        self.attach()
        run(*MAKE[self.filesystem], self.node)
        run("mount", "-t", self.filesystem, *(("-o", options) if options else ()), self.node, self.path)
        # While it is mounted this only marks it: it goes when the file system does.
        run("losetup", "-d", self.node)
        os.chmod(self.path, 0o755)
        self.number = os.stat(self.path).st_dev

    def attach(self):
        """Others take loop devices too: between the look for a free one and the taking it may be gone."""
        deadline = time.monotonic() + ATTACH_SECONDS
        direct = ["--direct-io=on"]
        while True:
            try:
                node = run("losetup", "--find", "--show", *direct, self.image)
                break
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                direct = [] if time.monotonic() > deadline - ATTACH_SECONDS / 2 else direct
                time.sleep(0.2)
        self.name = os.path.basename(node)
        self.guard = subprocess.Popen(["sh", "-c", GUARD, "guard", self.home, node], stdin=subprocess.PIPE,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
                                      start_new_session=True)

    @property
    def node(self):
        return f"/dev/{self.name}"

    def folder(self, name, mode=0o755, owner=None):
        """A new folder on the volume."""
        path = os.path.join(self.path, name)
        os.mkdir(path, mode)
        if owner:
            shutil.chown(path, owner, owner)
        return path

    def counters(self):
        """The device's own counters."""
        with open(f"/sys/block/{self.name}/stat", encoding="ascii") as file:
            stat = dict(zip(STAT, map(int, file.read().split())))
        return Counters(stat["read_requests"], stat["read_sectors"] * SECTOR, stat["write_requests"],
                        stat["write_sectors"] * SECTOR, stat.get("discard_requests", 0),
                        stat.get("discard_sectors", 0) * SECTOR, stat.get("flushes", 0), stat["in_flight"])

    def sync(self):
        """Everything dirty on the volume is on the device."""
        run("sync", "-f", self.path)

    def settle(self, quiet=0.3, seconds=20):
        """The counters once nothing moved them for a while."""
        self.sync()
        deadline = time.monotonic() + seconds
        counters, since = self.counters(), time.monotonic()
        while time.monotonic() - since < quiet:
            assert time.monotonic() < deadline, f"{self.name} never rests: {counters}"
            time.sleep(0.02)
            now = self.counters()
            if now != counters or now.in_flight:
                counters, since = now, time.monotonic()
        return counters

    def attached(self):
        """Whether the device still has our image."""
        if self.name is None:
            return False
        try:
            with open(f"/sys/block/{self.name}/loop/backing_file", encoding="utf-8", errors="replace") as file:
                return file.read().strip().removesuffix(" (deleted)") == self.image
        except OSError:
            return False

    def mounted(self):
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
            return any(line.split()[1] == self.path for line in file)

    def close(self, seconds=20):
        """Unmounts, detaches, removes; raises when the device could not be given back."""
        deadline = time.monotonic() + seconds
        last = None
        while self.mounted() and time.monotonic() < deadline:
            try:
                run("umount", self.path)
            except RuntimeError as error:
                last = error
                time.sleep(0.1)
        if self.mounted():
            with contextlib.suppress(RuntimeError):
                run("umount", "-l", self.path)
        if self.attached():
            with contextlib.suppress(RuntimeError):
                run("losetup", "-d", self.node)
        while self.attached() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.end_guard()
        if not self.mounted():
            shutil.rmtree(self.home, ignore_errors=True)
        if self.attached():
            raise RuntimeError(f"{self.node} on {self.path} was not given back: {last}")

    def end_guard(self):
        guard, self.guard = self.guard, None
        if guard:
            with contextlib.suppress(BrokenPipeError):
                guard.stdin.write(b"\n")
                guard.stdin.flush()
            guard.stdin.close()
            guard.wait()


def difference(after, before):
    return Counters(*(a - b for a, b in zip(after, before)))
