# SPDX-License-Identifier: BSD-2-Clause
"""machine.py - boots a kernel in QEMU, waits for it to switch itself off, and hands out what it left.

Software emulation: no hypervisor is needed. The machine is killed when it takes too long, and dies with the process that started
it. What its script left is an archive at the start of a disk of its own.
"""
import ctypes
import dataclasses
import io
import os
import shutil
import signal
import subprocess
import tarfile
import time

MIB = 1 << 20
QEMU = "qemu-system-x86_64"
MEMORY_MIB = 2048
# With more, or with -cpu max, QEMU 7.2 has crashed Debian's 6.12 as it booted.
CPUS = 1
RESULTS_MIB = 16
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
# The emulated time stamp counter is as good as the host's: nothing else could be.
COMMAND_LINE = "console=ttyS0 panic=-1 rdinit=/init tsc=reliable clocksource=tsc mitigations=off loglevel=4"


class TooLong(Exception):
    """The machine had to be killed; with the end of what its console said."""


@dataclasses.dataclass
class Step:
    """What one of the script's steps left."""
    status: int
    stdout: str
    stderr: str


def missing():
    """Why there can be no machine here, or None."""
    return None if shutil.which(QEMU) else f"{QEMU} is not installed"


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def command(kernel, initrd, disks, console):
    words = [QEMU, "-accel", "tcg,thread=single", "-cpu", "qemu64", "-m", str(MEMORY_MIB), "-smp", str(CPUS), "-nodefaults",
             "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none", "-serial", f"file:{console}",
             "-kernel", kernel.image, "-initrd", initrd, "-append", COMMAND_LINE]
    for disk in disks:
        words += ["-drive", f"file={disk},if=virtio,format=raw,cache=unsafe"]
    return words


def run(kernel, initrd, disks, folder, seconds):
    """
    Boots it with these disks as vdb and so on; vda takes the results. {name of a file that the script left: contents},
    seconds taken.
    """
    results, console = os.path.join(folder, "results"), os.path.join(folder, "console")
    with open(results, "wb") as file:
        file.truncate(RESULTS_MIB * MIB)
    started = time.monotonic()
    with subprocess.Popen(command(kernel, initrd, [results, *disks], console), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, preexec_fn=die_with_parent) as machine:
        try:
            said = machine.communicate(timeout=seconds)[0]
        except BaseException as reason:
            machine.kill()
            machine.communicate()
            if isinstance(reason, subprocess.TimeoutExpired):
                raise TooLong(f"still running after {seconds} s\n{console_end(console)}") from None
            raise
    if machine.returncode:
        raise RuntimeError(f"{QEMU}: exit status {machine.returncode}: {said.decode('utf-8', 'replace')}")
    return unpack(results, console), time.monotonic() - started


def console_end(path, lines=60):
    try:
        with open(path, "rb") as file:
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return "nothing on the console"


def unpack(results, console):
    with open(results, "rb") as file:
        data = file.read()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            found = {os.path.normpath(member.name): archive.extractfile(member).read() for member in archive if member.isfile()}
    except tarfile.TarError:
        found = {}
    if not found:
        raise RuntimeError(f"the machine left no results\n{console_end(console)}")
    return {name: data.decode("utf-8", "backslashreplace") for name, data in found.items()}


def steps(found):
    """The steps of a script by their names."""
    names = {name.rsplit(".", 1)[0] for name in found if name.endswith(".status")}
    return {name: Step(int(found[f"{name}.status"]), found.get(f"{name}.out", ""), found.get(f"{name}.err", "")) for name in names}
