#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""kernels.py [NAME...] - fetches the kernels that `make test-vm` boots.

Without a name: all of them. Each is unpacked once into a folder of its own under build/servers (TAP_SERVERS names another place);
nothing is installed. A row is a release of Debian, with the kernel it had when the row was written; what came is asked of the
machine that runs it.
"""
import glob
import lzma
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import server_cache  # noqa: E402
from debian_apt import Apt  # noqa: E402
from server_cache import Missing  # noqa: E402

META = "linux-image-cloud-amd64"
# The image itself; since 2025 its parts are packages of their own.
PARTS = re.compile(r"^linux-(image|binary|modules|base)-\d\S*$")
# Where they have the kernel, older ones and newer ones.
IMAGES = ("boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz")
# name: suites of Debian, the one that has the kernel first
KERNELS = {
    "5.10": ("bullseye",),
    "6.1": ("bookworm",),
    "6.12": ("trixie",),
    "7.2": ("sid",),
}


class Kernel:
    """A kernel that has been fetched: `image`, and load order of modules."""

    def __init__(self, folder):
        images = [path for place in IMAGES for path in glob.glob(os.path.join(folder, "root", place))]
        if len(images) != 1:
            raise Missing(f"{folder}: {len(images)} kernels in the package, not one")
        self.image = images[0]
        places = glob.glob(os.path.join(folder, "root/lib/modules/*")) + glob.glob(os.path.join(folder, "root/usr/lib/modules/*"))
        if len(places) != 1:
            raise Missing(f"{folder}: {len(places)} folders of modules in the packages, not one")
        self.modules = places[0]
        self.release = os.path.basename(self.modules)
        self.files = {}
        for folder_name, _, names in os.walk(self.modules):
            for name in names:
                if ".ko" in name:
                    self.files[name.split(".ko")[0].replace("-", "_")] = os.path.join(folder_name, name)
        with open(os.path.join(self.modules, "modules.builtin"), encoding="ascii") as file:
            self.builtin = {os.path.basename(line.strip())[:-3].replace("-", "_") for line in file}

    def read(self, name):
        """A module as it was before it was packed."""
        path = self.files[name]
        with open(path, "rb") as file:
            data = file.read()
        if path.endswith(".xz"):
            return lzma.decompress(data)
        if not path.endswith(".ko"):
            raise Missing(f"{path}: packed in a way that is not known here")
        return data

    def with_needed(self, names):
        """[(name, contents)] of these modules and what they need, in the order to load them in; built-in ones are left out."""
        found = {}

        def add(name):
            if name in found or name in self.builtin:
                return
            if name not in self.files:
                raise Missing(f"kernel {self.release} has no module {name}")
            data = self.read(name)
            needed = re.search(rb"\0depends=([\w,-]*)\0", data)
            for one in filter(None, needed.group(1).decode().split(",") if needed else ()):
                add(one.replace("-", "_"))
            found[name] = data

        for name in names:
            add(name)
        return list(found.items())

    def has(self, name):
        return name in self.builtin or name in self.files


def fetch(name):
    """The folder of a kernel; fetched unless it is there."""
    cached = f"kernel-{name}"
    found = server_cache.find(cached)
    if found:
        return found
    os.makedirs(server_cache.cache(), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f".{cached}-", dir=server_cache.cache())
    try:
        apt = Apt(os.path.join(folder, "apt"), KERNELS[name])
        parts = apt.needed(META, PARTS)
        if not parts:
            raise Missing(f"{META} of {KERNELS[name][0]} names no kernel")
        apt.unpack(parts, os.path.join(folder, "root"))
        shutil.rmtree(apt.folder)
        Kernel(folder)
        return server_cache.keep(cached, folder, ", ".join(parts))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(server_cache.command_line(__doc__, KERNELS, fetch))
