#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""pg_layout_row.py FOLDER - prints the rows of userspace/attach/pg_layout.c for the PostgreSQL whose headers are there.

FOLDER: what `pg_config --includedir-server` says. Called by `make pg-layout-row HEADERS=FOLDER`. Names of types and states
are for a person to put in: the numbers are printed behind the rows.
"""
import os
import subprocess
import sys
import tempfile

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/userspace/attach/pg_offsets.c")


def numbers(headers):
    """{"layout": [(field, number), ...], ...} as the headers say."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "offsets")
        subprocess.run([os.environ.get("CC", "cc"), "-isystem", headers, "-o", program, SOURCE], check=True)
        output = subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {}
    for line in output.splitlines():
        name, number = line.split()
        struct, field = name.split(".")
        found.setdefault(struct, []).append((field, int(number)))
    return found


def initializer(fields):
    words = [f".{field} = {'TAP_PG_ABSENT' if number == 0xffff else number}" for field, number in fields]
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) > 95:
            lines.append(line)
            line = ""
        line += word + ", "
    return "\n\t\t".join(text.rstrip() for text in [*lines, line])


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = numbers(sys.argv[1])
    print(f"/* PostgreSQL {dict(found['row'])['major']} */")
    for struct in ("row", "layout", "locks", "aio"):
        if struct in found:
            print(f"{struct}:\n\t\t{initializer(found[struct])}")
    for struct in ("kind", "state"):
        print(f"{struct}:\n\t\t" + ", ".join(f"[{number}] = {name}" for name, number in sorted(found[struct], key=lambda f: f[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
