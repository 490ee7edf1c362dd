#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_tidy.py - clang-tidy over every source, each only when something it depends on changed.

A file that was clean leaves a key under build/tidy: a hash of its preprocessed text's own files (the source and every
header of the tree), the flags, .clang-tidy and the tool's version. Called by `make check-tidy`.
"""
import concurrent.futures
import glob
import hashlib
import os
import subprocess
import sys

from build_flags import ask_make

# What the analyzer must know of a function, and the source that defines it.
ERROR_SET = ("tests/lib/tidy/error_set.h", "userspace/base/error.c")


def command_of(path, flags):
    """Compile flags for one source."""
    if path.startswith("bpf/"):
        return flags["bpf"]
    return flags["host"] if path == ERROR_SET[1] else f"{flags['host']} -include {ERROR_SET[0]}"


def dependencies(path, flags):
    """The source and the tree's headers it includes; None when it does not even preprocess."""
    result = subprocess.run(f"clang {flags} -MM {path}", shell=True, capture_output=True, text=True)
    if result.returncode != 0:
        return None
    words = result.stdout.replace("\\\n", " ").split(":", 1)[1].split()
    return sorted(w for w in words if not w.startswith("/"))


def key_of(path, flags, common):
    files = dependencies(path, flags)
    if files is None:
        return None
    digest = hashlib.sha256((common + flags).encode())
    for name in files:
        with open(name, "rb") as file:
            digest.update(name.encode() + b"\0" + file.read() + b"\0")
    return digest.hexdigest()


def check(path, flags, common):
    """(path, state, output); state is clean, kept or failed"""
    kept = os.path.join("build/tidy", path + ".clean")
    key = key_of(path, flags, common)
    try:
        with open(kept, encoding="ascii") as file:
            if key and file.read() == key:
                return path, "kept", ""
    except OSError:
        pass
    result = subprocess.run(f"clang-tidy --quiet {path} -- {flags}", shell=True, capture_output=True, text=True)
    if result.returncode != 0 or key is None:
        return path, "failed", result.stdout + result.stderr
    os.makedirs(os.path.dirname(kept), exist_ok=True)
    with open(kept, "w", encoding="ascii") as file:
        file.write(key)
    return path, "clean", ""


def main():
    flags = {"host": ask_make("print-tidy-flags"), "bpf": ask_make("print-bpf-flags")}
    with open(".clang-tidy", encoding="utf-8") as file:
        common = file.read()
    common += subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True, text=True).stdout
    paths = sorted(path for top in ("bpf", "correlate", "userspace")
                   for path in glob.glob(top + "/**/*.c", recursive=True))
    states = {"clean": 0, "kept": 0, "failed": 0}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, state, output in pool.map(lambda p: check(p, command_of(p, flags), common), paths):
            states[state] += 1
            if state != "kept":
                print(f"{state:6} {path}", flush=True)
            if output:
                print(output, flush=True)
    print(f"check-tidy: {states['clean']} checked and clean, {states['kept']} unchanged since they were, "
          f"{states['failed']} failed")
    return 1 if states["failed"] or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
