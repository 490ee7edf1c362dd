# SPDX-License-Identifier: BSD-2-Clause
"""debian_apt.py - packages of other Debian releases, for pg_debian.py and my_versions.py: asked for by apt with lists and a state of its
own, and unpacked; nothing is installed. They come from where the host's own come from; TAP_DEBIAN_MIRROR names another archive.
"""
import glob
import os
import re
import shutil

from server_cache import Missing, run

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What a server links to; LLVM is for PostgreSQL's JIT compiler alone (pg_debian.py).
LIBRARIES = re.compile(r"^(zlib1g|lib(?!llvm|clang|perl|json-perl|text-|debian)[a-z0-9.+-]+)$")
UNWANTED = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")


def archive():
    """Where this host has Debian's packages from."""
    chosen = os.environ.get("TAP_DEBIAN_MIRROR")
    if chosen:
        return chosen
    lines = run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(RELEASE) $(REPO_URI)", "Created-By: Packages"])
    places = [line.split(" ", 2) for line in lines.splitlines()]
    found = [place for origin, release, place in places if origin == "Debian" and "-" not in release]
    if not found:
        raise Missing("no archive of Debian packages is known to this host")
    return found[0]


class Apt:
    """apt in a folder of its own, that knows these suites and that nothing is installed."""

    def __init__(self, folder, suites):
        if not os.path.exists(KEYS):
            raise Missing(f"{KEYS} is not there")
        self.folder = folder
        for path in ("etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"):
            os.makedirs(os.path.join(folder, path))
        place = archive()
        for path, text in (("var/lib/dpkg/status", ""),
                           ("etc/apt/sources.list", "".join(f"deb [signed-by={KEYS}] {place} {suite} main\n" for suite in suites))):
            with open(os.path.join(folder, path), "w", encoding="ascii") as file:
                file.write(text)
        self.ask("apt-get", "update")

    def ask(self, program, *arguments, folder=None):
        options = {"Dir": self.folder, "Acquire::Languages": "none", "APT::Sandbox::User": "root"}
        settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return run([program, "-q", *settings, *arguments], folder)

    def libraries(self, package):
        """
        What the package needs to run. Not what apt would install: a suite in the middle of a transition of perl's has nothing for it
        that could be, and a server needs no perl.
        """
        return self.needed(package, LIBRARIES)

    def needed(self, package, wanted):
        """Names that match, of it and of all packages that it depends on."""
        lines = self.ask("apt-cache", "depends", "--recurse", *(f"--no-{kind}" for kind in UNWANTED), package).splitlines()
        return sorted({line for line in lines if wanted.match(line)})

    def unpack(self, packages, root):
        """As an installation lays them out, without their scripts."""
        place = os.path.join(self.folder, "packages")
        os.makedirs(place)
        self.ask("apt-get", "download", *packages, folder=place)
        for package in glob.glob(os.path.join(place, "*.deb")):
            run(["dpkg-deb", "-x", package, root])
        shutil.rmtree(place)

    def close(self):
        shutil.rmtree(self.folder)
