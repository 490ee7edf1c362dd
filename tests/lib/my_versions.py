#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""my_versions.py [NAME...] - fetches MariaDB and MySQL servers of other Debian releases for `make test-matrix`.

Without a name: all of them. Each is unpacked once, with every library it needs, into a root of its own under build/servers
(TAP_SERVERS names another place) and found there by later runs, which need no network. Nothing is installed or mounted: a
server runs with that folder as its root. The packages come from where the host's own come from, by apt with lists of its own.
"""
import glob
import os
import subprocess
import sys
import tempfile

import server_cache
from server_cache import Missing, cache, run

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What only the server's scripts want.
LEFT_OUT = ("perl", "dpkg", "tar_", "debconf", "adduser", "passwd", "login")

# name: (release, package, program)
SERVERS = {
    "mariadb-10.5": ("bullseye", "mariadb-server-core-10.5", "usr/sbin/mariadbd"),
    "mariadb-11.8": ("trixie", "mariadb-server-core", "usr/sbin/mariadbd"),
    "mysql-9.7": ("sid", "mysql-server-core", "usr/sbin/mysqld"),
}


def root(name):
    """The folder that is the server's root when it has been fetched, else None."""
    return server_cache.find(name)


def archive():
    """Where this host has Debian's packages from."""
    lines = run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(RELEASE) $(REPO_URI)", "Created-By: Packages"])
    places = [line.split(" ", 2) for line in lines.splitlines()]
    found = [place for origin, release, place in places if origin == "Debian" and "-" not in release]
    if not found:
        raise Missing("no archive of Debian packages is known to this host")
    return found[0]


def apt(folder, *arguments):
    """With its own lists, sources and state: an empty status, so that every library is fetched."""
    options = {"Dir::Etc::SourceList": f"{folder}/sources.list", "Dir::Etc::SourceParts": "/dev/null",
               "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null",
               "Dir::State": f"{folder}/state", "Dir::State::status": f"{folder}/status", "Dir::Cache": f"{folder}/cache",
               "APT::Architecture": "amd64", "APT::Architectures": "amd64", "APT::Install-Recommends": "0",
               "APT::Sandbox::User": "root", "Acquire::Languages": "none"}
    settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return run(["apt-get", "-qq", "-y", *settings, *arguments], folder)


def packages_fetch(folder, release, package):
    for path in ("state/lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, path))
    with open(os.path.join(folder, "sources.list"), "w", encoding="ascii") as file:
        file.write(f"deb [signed-by={KEYS}] {archive()} {release} main\n")
    with open(os.path.join(folder, "status"), "w", encoding="ascii"):
        pass
    apt(folder, "update")
    apt(folder, "--download-only", "install", package)
    return sorted(glob.glob(os.path.join(folder, "cache/archives/*.deb")))


def unpack(packages, folder):
    """As an installation lays them out, without their scripts."""
    for name in ("lib", "lib64", "bin", "sbin"):
        os.makedirs(os.path.join(folder, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(folder, name))
    for package in packages:
        if not os.path.basename(package).startswith(LEFT_OUT):
            run(["dpkg-deb", "-x", package, folder], folder)
    os.makedirs(os.path.join(folder, "dev"), exist_ok=True)
    os.makedirs(os.path.join(folder, "tmp"), exist_ok=True)
    os.chmod(os.path.join(folder, "tmp"), 0o1777)


def works(folder, name, program):
    """What it says it is; its libraries are all there then."""
    result = subprocess.run(["chroot", folder, f"/{program}", "--no-defaults", "--version"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    if result.returncode:
        raise Missing(f"{program} does not run: {result.stdout.strip().splitlines()[-1:]}")
    if f" {name.rsplit('-', 1)[1]}." not in result.stdout:
        raise Missing(f"the release has another version by now: {result.stdout.strip()}")
    return result.stdout.strip()


def fetch(name):
    """The folder that is the server's root; fetched unless it is there."""
    found = root(name)
    if found:
        return found
    if os.geteuid() != 0 or os.uname().machine != "x86_64":
        raise Missing("needs root and x86-64")
    release, package, program = SERVERS[name]
    os.makedirs(cache(), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache()) as folder:
        made = os.path.join(folder, "root")
        unpack(packages_fetch(folder, release, package), made)
        server_cache.keep(name, made, works(made, name, program))
    return root(name)


if __name__ == "__main__":
    sys.exit(server_cache.command_line(__doc__, SERVERS, fetch))
