#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""my_versions.py [NAME...] - fetches MariaDB and MySQL servers of other Debian releases for `make test-matrix`.

Without a name: all of them. Each is unpacked once, with every library it needs, into a root of its own under build/servers
(TAP_SERVERS names another place) and found there by later runs, which need no network. Nothing is installed or mounted: a
server runs with that folder as its root. The packages come by debian_apt.py.
"""
import os
import subprocess
import sys
import tempfile

import debian_apt
import server_cache
from server_cache import Missing, cache

# name: (release, package, program)
SERVERS = {
    "mariadb-10.5": ("bullseye", "mariadb-server-core-10.5", "usr/sbin/mariadbd"),
    "mariadb-11.8": ("trixie", "mariadb-server-core", "usr/sbin/mariadbd"),
    "mysql-9.7": ("sid", "mysql-server-core", "usr/sbin/mysqld"),
}


def root(name):
    """The folder that is the server's root when it has been fetched, else None."""
    return server_cache.find(name)


def unpack(apt, package, folder):
    """Merged as later releases have it, so that older ones' programs and libraries are found by both names."""
    for name in ("lib", "lib64", "bin", "sbin"):
        os.makedirs(os.path.join(folder, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(folder, name))
    apt.unpack([package, *apt.libraries(package)], folder)
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
        unpack(debian_apt.Apt(os.path.join(folder, "apt"), (release,)), package, made)
        server_cache.keep(name, made, works(made, name, program))
    return root(name)


if __name__ == "__main__":
    sys.exit(server_cache.command_line(__doc__, SERVERS, fetch))
