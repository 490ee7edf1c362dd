#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""verifier.py - verifier instruction counts of every BPF program beside the last kept ones (tests/bench/verifier.txt).

Called by `make verifier`, with --keep by `make verifier-keep`, which keeps the new ones. Fails when a program is refused or,
on the kernel and with the compiler the kept counts are from, when a count grew by more than GROWTH_PERCENT and GROWTH_LEAST:
other kernels and compilers count otherwise. Needs root; says so and exits 77 without.
"""
import argparse
import os
import re
import subprocess
import sys

KEPT = "tests/bench/verifier.txt"
GROWTH_PERCENT = 10
GROWTH_LEAST = 500  # instructions; a small program may grow
SKIP = 77


def read_kept(path):
    """(kernel and compiler, {program: count}); nothing kept is not an error"""
    kernel, counts = None, {}
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words[:2] == ["#", "kernel"]:
                    kernel = " ".join(words[2:])
                elif len(words) == 2 and not line.startswith("#"):
                    counts[words[0]] = int(words[1])
    except FileNotFoundError:
        pass
    return kernel, counts


def keep(path, kernel, counts):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write("# Instructions the verifier processed for each program; `make verifier-keep` writes this file.\n")
        file.write(f"# kernel {kernel}\n")
        file.writelines(f"{name} {count}\n" for name, count in sorted(counts.items()))


def compiler():
    """The compiler and its major version, such as "clang 14"."""
    command = os.environ.get("CLANG", "clang")
    output = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)", output)
    return f"clang {found.group(1) if found else '?'}"


def describe(count, before):
    """How a count compares with the kept one, and whether it grew too much."""
    if before is None:
        return "new", False
    if count == before:
        return "as kept", False
    return f"{count - before:+d} from {before}", count > before + max(GROWTH_LEAST, before * GROWTH_PERCENT // 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--keep", action="store_true", help="keep the new counts")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("verifier: loading BPF programs needs root")
        return SKIP
    result = subprocess.run(["build/verifier", "build/dbtap.bpf.o"], capture_output=True, text=True, check=False)
    kernel = f"{'.'.join(os.uname().release.split('.')[:2])}, {compiler()}"
    kept_kernel, kept = read_kept(KEPT)
    counts, failed = {}, result.returncode != 0
    for line in result.stdout.splitlines():
        name, *words = line.split()
        if len(words) != 2 or not words[0].isdigit():
            print(line)
            continue
        counts[name] = int(words[0])
        note, grew = describe(counts[name], kept.get(name))
        grew = grew and kernel == kept_kernel
        failed = failed or grew
        print(f"{name:40} {counts[name]:8} instructions {int(words[1]):7} bytes  {note}"
              f"{f' (more than {GROWTH_PERCENT} % on the same kernel: `make verifier-keep` if it is worth it)' if grew else ''}")
    for name in sorted(set(kept) - set(counts)):
        print(f"{name:40} is kept but was not loaded")
    if result.stderr:
        print(result.stderr)
    print(f"verifier: {len(counts)} programs on kernel {kernel}, {sum(counts.values())} instructions; kept are from "
          f"{kept_kernel or 'nowhere'}")
    if arguments.keep and not result.returncode:
        keep(KEPT, kernel, counts)
        return 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
