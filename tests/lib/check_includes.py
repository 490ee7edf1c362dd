#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_includes.py - proves the include table of docs/architecture.md ("Layers and what they may include").

The table there is the only one: a row names a folder and the folders it may include, by full name or by last part. Every
#include "..." of the sources must exist in the tree, be written from its top, and follow the table; a folder without a row is
an error, and so is a table that is not free of cycles. Called by `make check-includes`.
"""
import argparse
import os
import re
import sys

DOCUMENT = "docs/architecture.md"
SOURCE_FOLDERS = ("bpf", "correlate", "userspace", "vmlinux")
# Included headers that the build makes, and the one folder that may know them.
GENERATED = {"tracer.skel.h": "userspace/load"}
# Single edges beside the table: (file, included file).
EXCEPTIONS = {
    # The kernel's own spelling of __u32 and friends: in BPF programs it comes from here instead of <linux/types.h>.
    ("bpf/abi/types.h", "vmlinux/vmlinux.h"),
}
ROW = re.compile(r"^\|\s*`([^`]+?)/?`\s*\|([^|]*)\|")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def read_table(path):
    """{folder: set of folders it may include, or None for everything}"""
    words = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = ROW.match(line)
            if row:
                words[row.group(1)] = [w.strip().strip("`").rstrip("/") for w in row.group(2).split(",")]
    if not words:
        raise ValueError(f"{path}: no include table found")
    words.setdefault("vmlinux", ["nothing"])
    table = {}
    for folder, names in words.items():
        if names == ["everything"]:
            table[folder] = None
        elif names == ["nothing"]:
            table[folder] = set()
        else:
            table[folder] = {resolve(name, folder, words) for name in names}
    return table


def resolve(name, folder, folders):
    if name in folders:
        return name
    found = [f for f in folders if f.rsplit("/", 1)[-1] == name]
    if len(found) != 1:
        raise ValueError(f"{DOCUMENT}: row {folder}: `{name}` is not one folder of the table")
    return found[0]


def find_cycle(table):
    """A folder that reaches itself, or None."""
    def reach(start):
        seen, todo = set(), [start]
        while todo:
            for following in table[todo.pop()] or ():
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        return seen
    return next((folder for folder in table if folder in reach(folder)), None)


def folder_of(path, table):
    """The row with the longest name that holds `path`."""
    rows = [f for f in table if path.startswith(f + "/")]
    return max(rows, key=len) if rows else None


def check_edge(path, included, table, top):
    """What is wrong with one include, or None."""
    folder = folder_of(path, table)
    if folder is None:
        return f"its folder has no row in {DOCUMENT}"
    if included in GENERATED:
        return None if folder == GENERATED[included] else f"includes {included}, which only {GENERATED[included]} may"
    if not os.path.isfile(os.path.join(top, included)):
        return f'includes "{included}", which is not a path from the top of the tree'
    target = folder_of(included, table)
    if target is None:
        return f'includes "{included}", whose folder has no row in {DOCUMENT}'
    if target == folder or table[folder] is None or target in table[folder] or (path, included) in EXCEPTIONS:
        return None
    return f'includes "{included}": {folder} may not include {target}'


def sources(top):
    for root in SOURCE_FOLDERS:
        for where, folders, names in os.walk(os.path.join(top, root)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(where, name), top)


def check_tree(top):
    """(number of includes, list of complaints)"""
    table = read_table(os.path.join(top, DOCUMENT))
    complaints, count = [], 0
    cycle = find_cycle(table)
    if cycle:
        complaints.append(f"{DOCUMENT}: {cycle} includes itself in a circle")
    for path in sources(top):
        with open(os.path.join(top, path), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                include = INCLUDE.match(line)
                if not include:
                    continue
                count += 1
                wrong = check_edge(path, include.group(1), table, top)
                if wrong:
                    complaints.append(f"{path}:{number}: {wrong}")
    return count, complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("top", nargs="?", default=".", help="top of the tree")
    top = parser.parse_args().top
    try:
        count, complaints = check_tree(top)
    except (OSError, ValueError) as error:
        print(f"check-includes: {error}")
        return 1
    for line in complaints:
        print(line)
    print(f"check-includes: {count} includes, {len(complaints)} against the table")
    return 1 if complaints or not count else 0


if __name__ == "__main__":
    sys.exit(main())
