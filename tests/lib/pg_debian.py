# SPDX-License-Identifier: BSD-2-Clause
"""pg_debian.py - Debian's builds of PostgreSQL (stripped, position-independent) of other releases, for pg_versions.py.

The programs bring their own C library: their interpreter and run path are set to it (patchelf), since another release's does not run
with this one's. Code, symbols and build ids stay Debian's. settle() does that again where the tree was copied to.
"""
import glob
import os
import shutil

import debian_apt
from server_cache import Missing, run


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
    run(["patchelf", "--version"])
    apt = debian_apt.Apt(os.path.join(folder, "apt"), suites)
    root = os.path.join(folder, "root")
    packages = [f"postgresql-{major}", f"postgresql-client-{major}"]
    libraries = {library for package in packages for library in apt.libraries(package)}
    apt.unpack([*(f"{package}/{suites[0]}" for package in packages), *sorted(libraries)], root)
    headers = os.path.join(folder, "headers")
    apt.unpack([f"postgresql-server-dev-{major}/{suites[0]}"], headers)
    apt.close()
    # A packager's link that leads out of the tree is another release's there.
    for place in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(os.path.join(root, place), ignore_errors=True)
    # Without LLVM there is no JIT compiler: a server that finds the one half fails each statement it would compile.
    for half in glob.glob(os.path.join(root, "usr/lib/postgresql/*/lib/llvmjit*.so")):
        os.unlink(half)
    return settle(root, major)
