#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_headers.py - every header compiles alone. Called by `make check-headers`.

Headers under bpf/ and vmlinux/ are compiled for the BPF machine, those of bpf/abi by both compilers.
"""
import glob
import subprocess
import sys

from build_flags import ask_make


def compile_alone(command, header):
    text = f'#include "{header}"\n'
    result = subprocess.run(f"{command} -fsyntax-only -x c -", shell=True, input=text, text=True, capture_output=True)
    return None if result.returncode == 0 else result.stderr


def main():
    host = "gcc -Wall -Wextra -Werror " + ask_make("print-tidy-flags")
    bpf = "clang " + ask_make("print-bpf-flags") + " -Wno-unused-function"
    headers = sorted(glob.glob("**/*.h", recursive=True))
    failed = count = 0
    for header in headers:
        top = header.split("/", 1)[0]
        if top not in ("bpf", "correlate", "userspace", "vmlinux", "tests"):
            continue
        commands = []
        if top in ("bpf", "vmlinux"):
            commands.append(bpf)
        if top not in ("bpf", "vmlinux") or header.startswith("bpf/abi/"):
            commands.append(host)
        for command in commands:
            count += 1
            wrong = compile_alone(command, header)
            if wrong:
                failed += 1
                print(f"{header}: does not compile alone\n{wrong}")
    print(f"check-headers: {count} compilations, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
