#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""support.py - writes docs/support.md from results.json: what ran, nothing else. Called by record.py; by hand: `make support`."""
import os

import record

PATH = os.path.join(record.TOP, "docs/support.md")
HEAD = """<!-- Made by tests/vm/support.py from tests/vm/results.json, which holds what `make test-vm` ran;
     `make vm-keep` takes a new run over. Not to be edited by hand: a test compares. -->
# Kernels and machines

`make test-vm` boots each of these kernels, Debian's own builds, in QEMU (software emulation, one CPU) with this program. Where
its BPF programs load, a PostgreSQL 15 is started and what the views say is held against the server's counters and the kernel's. A kernel
that refuses them is told of as such: what this page does not call working does not work there, or was not tried.

"""
VIEWS_NONE = "-"


def version_key(name):
    return [int(part) for part in name.split(".")]


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def kernel_row(name, entry):
    if not entry["loads"]:
        return [name, f"`{entry['release']}`", "no", VIEWS_NONE, "refused"]
    missing = sorted(entry["fails"])
    return [name, f"`{entry['release']}`", "yes", "all below" if not missing else "all below but " + ", ".join(missing),
            ", ".join(sorted(entry["lacks"])) or "nothing"]


def views(kernels):
    names = sorted({view for entry in kernels.values() for view in entry.get("works", []) + entry.get("fails", [])})
    return "\n".join(f"- {name}" for name in names) + "\n"


def lacks(kernels):
    """What is missing, where, and what that means: doctor's own words."""
    found = {}
    for name in sorted(kernels, key=version_key):
        for feature, sentence in kernels[name]["lacks"].items():
            found.setdefault((feature, sentence), []).append(name)
    return table(("missing", "on", "what doctor says"), [[feature, ", ".join(names), sentence]
                                                         for (feature, sentence), names in sorted(found.items())])


def refusals(kernels):
    return "".join(f"On {name} dbtap ends with exit status 1 and this line:\n\n    {entry['refusal']}\n\n"
                   for name, entry in sorted(kernels.items()) if not entry["loads"])


def machines(content):
    rows = [[name, entry["how"]] for name, entry in sorted(content.get("machines", {}).items())]
    return "## Machines\n\n" + table(("machine", "what was done"), rows) if rows else ""


def text(content):
    kernels = content.get("kernels", {})
    order = sorted(kernels, key=version_key)
    parts = [HEAD, table(("kernel", "release", "loads", "views that work", "missing"),
                         [kernel_row(name, kernels[name]) for name in order]), "\nWhat was tried on each that loads:\n\n" if views(kernels).strip() else "", views(kernels),
             "\nNot tried: 5.15, the oldest kernel that the programs are written for, since no release of Debian has it; arm64.\n\n", refusals(kernels),
             "## What is missing where\n\n", lacks(kernels), "\n", machines(content)]
    return "".join(parts).rstrip() + "\n"


def write(content):
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(text(content))


if __name__ == "__main__":
    write(record.read(record.KEPT))
