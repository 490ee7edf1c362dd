# SPDX-License-Identifier: BSD-2-Clause
"""conftest.py - each kernel is booted once; all tests of a kernel look at what that run left.

    booted      the Run of the kernel that a test's module-wide parameter names

With TAP_VM="6.1 6.12" only these are booted.
"""
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
sys.path.insert(0, HERE)

import dbtap_process  # noqa: E402
import kernels  # noqa: E402
import machine  # noqa: E402
import server_cache  # noqa: E402

LIMIT_SECONDS = 600
MODULES = ("virtio_pci", "virtio_blk", "ext4")
STACK_MODULES = ("dm_mod", "raid1")


@dataclasses.dataclass
class Run:
    """What a machine left: files by name, steps by name, and how long it ran. `name` is the kernel's row in kernels.py."""
    name: str
    kernel: kernels.Kernel
    files: dict
    steps: dict
    seconds: float

    def json(self, name):
        step = self.steps[name]
        assert step.status == 0, f"{name}: exit status {step.status}: {step.stderr}"
        return json.loads(step.stdout)


@pytest.fixture(scope="session")
def base():
    reason = machine.missing()
    if reason:
        pytest.skip(reason)
    if os.geteuid() != 0:
        pytest.skip("the server's data folder is made as another user: needs root")
    if not os.access(dbtap_process.binary(), os.X_OK):
        pytest.skip(f"{dbtap_process.binary()} is not built")
    import image  # needs what a host without a server has not
    folder = tempfile.mkdtemp(prefix="dbtap-vm-", dir="/tmp")
    try:
        yield image.Base(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def halves(path, first, second):
    size = os.path.getsize(path) // 2
    for number, target in enumerate((first, second)):
        subprocess.run(["dd", f"if={path}", f"of={target}", f"bs={size}", f"skip={number}", "count=1", "conv=sparse", "status=none"],
                       check=True)


def disks_make(base, folder, has_stack):
    """The data disk; and the same as two halves and as two copies."""
    names = ["data", "half1", "half2", "copy1", "copy2"] if has_stack else ["data"]
    disks = [os.path.join(folder, name) for name in names]
    base.data_disk(disks[0])
    if has_stack:
        halves(disks[0], disks[1], disks[2])
        for copy in disks[3:]:
            subprocess.run(["cp", "--sparse=always", disks[0], copy], check=True)
    return disks


@pytest.fixture(scope="module")
def booted(request, base):
    name = request.param
    wanted = os.environ.get("TAP_VM", "").split()
    if wanted and name not in wanted:
        pytest.skip(f"TAP_VM is {' '.join(wanted)}")
    try:
        kernel = kernels.Kernel(kernels.fetch(name))
    except (server_cache.Missing, OSError) as error:
        pytest.skip(f"kernel {name} cannot be had: {error}")
    has_stack = all(map(kernel.has, STACK_MODULES))
    folder = tempfile.mkdtemp(prefix=f"{name}-", dir=base.folder)
    initrd = os.path.join(folder, "initrd")
    base.initrd(kernel, MODULES + (STACK_MODULES if has_stack else ()), initrd)
    try:
        files, seconds = machine.run(kernel, initrd, disks_make(base, folder, has_stack), folder, LIMIT_SECONDS)
    finally:
        if os.environ.get("TAP_VM_KEEP"):
            shutil.copytree(folder, os.environ["TAP_VM_KEEP"], dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    return Run(name, kernel, files, machine.steps(files), seconds)
