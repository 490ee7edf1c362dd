# SPDX-License-Identifier: BSD-2-Clause
"""pg_debian.py - Debian's builds of PostgreSQL (stripped, position-independent) of other releases, for pg_versions.py.

Packages are got by apt, with lists and a state of its own, and unpacked; nothing is installed. The programs bring their own C library:
their interpreter and run path are set to it (patchelf), since another release's does not run with this one's. Code, symbols and build
ids stay Debian's. settle() does that again where the tree was copied to.
"""
import glob
import os
import re
import shutil

from server_cache import Missing, run

MIRROR = os.environ.get("TAP_DEBIAN_MIRROR", "http://deb.debian.org/debian")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What a server links to; LLVM is for its JIT compiler alone, which is loaded where it is there.
LIBRARIES = re.compile(r"^lib(?!llvm|clang|perl|json-perl|text-|debian)[a-z0-9.+-]+$")


class Apt:
    """apt in a folder of its own, that knows these suites and that nothing is installed."""

    def __init__(self, folder, suites):
        self.folder = folder
        for path in ("etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"):
            os.makedirs(os.path.join(folder, path))
        for path, text in (("var/lib/dpkg/status", ""), ("etc/apt/sources.list", "".join(
                f"deb [signed-by={KEYS}] {MIRROR} {suite} main\n" for suite in suites))):
            with open(os.path.join(folder, path), "w", encoding="ascii") as file:
                file.write(text)
        self.get("update")

    def options(self):
        return ["-q", "-o", f"Dir={self.folder}", "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"]

    def get(self, *arguments):
        return run(["apt-get", *self.options(), *arguments])

    def libraries(self, package):
        """
        What the package needs to run. Not what apt would install: a suite in the middle of a transition of perl's has nothing for it
        that could be, and a server needs no perl.
        """
        kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
        output = run(["apt-cache", *self.options(), "depends", "--recurse", *(f"--no-{kind}" for kind in kinds), package])
        return sorted({line for line in output.splitlines() if LIBRARIES.match(line) or line == "zlib1g"})

    def unpack(self, packages, root):
        place = os.path.join(self.folder, "packages")
        os.makedirs(place)
        run(["apt-get", *self.options(), "download", *packages], place)
        for package in glob.glob(os.path.join(place, "*.deb")):
            run(["dpkg-deb", "-x", package, root])
        shutil.rmtree(place)


def settle(root, major):
    """Programs find the libraries of the tree they are in now."""
    loader = sorted(glob.glob(os.path.join(root, "lib*/ld-linux-*.so.*")) + glob.glob(os.path.join(root, "usr/lib*/ld-linux-*.so.*")) +
                    glob.glob(os.path.join(root, "lib/*/ld-linux-*.so.*")) + glob.glob(os.path.join(root, "usr/lib/*/ld-linux-*.so.*")))
    if not loader:
        raise Missing(f"no loader below {root}")
    folders = sorted({os.path.dirname(path) for pattern in ("lib/*-linux-gnu*/lib*.so.*", "usr/lib/*-linux-gnu*/lib*.so.*")
                      for path in glob.glob(os.path.join(root, pattern))})
    binaries = os.path.join(root, f"usr/lib/postgresql/{major}/bin")
    for program in os.listdir(binaries):
        path = os.path.join(binaries, program)
        with open(path, "rb") as file:
            if file.read(4) == b"\x7fELF":
                run(["patchelf", "--set-interpreter", os.path.realpath(loader[0]), "--force-rpath", "--set-rpath", ":".join(folders), path])
    return binaries


def fetch(folder, suites, major):
    """Puts the server into folder/root and its headers into folder/headers. The folder of its programs."""
    if not os.path.exists(KEYS):
        raise Missing(f"{KEYS} is not there")
    run(["patchelf", "--version"])
    apt = Apt(os.path.join(folder, "apt"), suites)
    root = os.path.join(folder, "root")
    apt.unpack([f"postgresql-{major}/{suites[0]}", *apt.libraries(f"postgresql-{major}")], root)
    headers = os.path.join(folder, "headers")
    apt.unpack([f"postgresql-server-dev-{major}/{suites[0]}"], headers)
    shutil.rmtree(apt.folder)
    # A packager's link that leads out of the tree is another release's there.
    for place in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(os.path.join(root, place), ignore_errors=True)
    return settle(root, major)
