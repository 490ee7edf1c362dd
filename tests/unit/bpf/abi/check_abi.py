#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_abi.py - both compilers lay out every shared struct in the same way. Called by `make check-abi`.

Finds every struct that the headers of bpf/abi define, has gcc (for this machine) and clang (for the BPF machine) describe a
variable of each in BTF, prints size and offsets of all members as both see them, and fails where they differ, where a
member is a pointer or a bit-field, or where a gap is not written out as padding.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../lib"))
from build_flags import ask_make  # noqa: E402

STRUCT = re.compile(r"^struct\s+(\w+)\s*\{", re.MULTILINE)
POINTER_BYTES = 8


class Layouts:
    """The structs one object file describes."""

    def __init__(self, path):
        dump = subprocess.run(["bpftool", "-j", "btf", "dump", "file", path, "format", "raw"], check=True,
                              capture_output=True, text=True).stdout
        self.types = {t["id"]: t for t in json.loads(dump)["types"]}

    def resolve(self, number):
        """The type behind typedefs and qualifiers."""
        while self.types[number]["kind"] in ("TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG"):
            number = self.types[number]["type_id"]
        return self.types[number]

    def size(self, number):
        kind = self.resolve(number)
        if kind["kind"] == "ARRAY":
            return kind["nr_elems"] * self.size(kind["type_id"])
        return POINTER_BYTES if kind["kind"] == "PTR" else kind["size"]

    def has_pointer(self, number):
        kind = self.resolve(number)
        if kind["kind"] == "ARRAY":
            return self.has_pointer(kind["type_id"])
        return kind["kind"] == "PTR"

    def struct(self, name):
        """(size, [(member, offset, size, complaint or None)])"""
        found = [t for t in self.types.values() if t["kind"] == "STRUCT" and t["name"] == name]
        if len(found) != 1:
            raise ValueError(f"struct {name}: {len(found)} definitions in the compiler's output")
        members = []
        for member in found[0]["members"]:
            complaint = None
            if member.get("bitfield_size") or member["bits_offset"] % 8:
                complaint = "is a bit-field"
            elif self.has_pointer(member["type_id"]):
                complaint = "is a pointer"
            name_shown = member["name"] if member["name"] != "(anon)" else "(unnamed)"
            members.append((name_shown, member["bits_offset"] // 8, self.size(member["type_id"]), complaint))
        return found[0]["size"], members


def compile_source(headers, names, folder, bpf_flags, host_flags):
    """The same source by both compilers: {compiler: Layouts}"""
    source = os.path.join(folder, "abi.c")
    with open(source, "w", encoding="ascii") as file:
        file.writelines(f'#include "{header}"\n' for header in headers)
        file.writelines(f"struct {name} instance_of_{name};\n" for name in names)
    host, bpf = os.path.join(folder, "host.o"), os.path.join(folder, "bpf.o")
    subprocess.run(f"gcc {host_flags} -gbtf -c -o {host} {source}", shell=True, check=True)
    subprocess.run(f"clang {bpf_flags} -c -o {bpf} {source}", shell=True, check=True)
    return {"gcc": Layouts(host), "clang -target bpf": Layouts(bpf)}


def gaps(size, members):
    """Where bytes belong to no member."""
    end = 0
    for name, offset, member_size, _ in members:
        if offset > end:
            yield f"{offset - end} bytes before {name} are not written out as padding"
        end = max(end, offset + member_size)
    if end < size:
        yield f"the last {size - end} bytes are not written out as padding"


def check_struct(name, layouts):
    """Print one struct as both see it; the complaints."""
    (host_size, host), (bpf_size, bpf) = (layout.struct(name) for layout in layouts.values())
    print(f"struct {name}: size {host_size} | {bpf_size}")
    for index in range(max(len(host), len(bpf))):
        left, right = (m[index][:3] if index < len(m) else None for m in (host, bpf))
        if left and right and left[0] == right[0]:
            print(f"    {left[0]:32} offset {left[1]:5} size {left[2]:5} | offset {right[1]:5} size {right[2]:5}")
        else:
            print(f"    {left} | {right}")
    complaints = [] if (host_size, host) == (bpf_size, bpf) else ["the compilers differ"]
    complaints += [f"{m[0]} {m[3]}" for m in host if m[3]] + list(gaps(host_size, host))
    return [f"struct {name}: {complaint}" for complaint in complaints]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("headers", nargs="*", default=sorted(glob.glob("bpf/abi/*.h")))
    headers = parser.parse_args().headers
    names = []
    for header in headers:
        with open(header, encoding="utf-8") as file:
            names += STRUCT.findall(file.read())
    with tempfile.TemporaryDirectory() as folder:
        layouts = compile_source(headers, names, folder, ask_make("print-bpf-flags"), "-std=gnu11 -I.")
        complaints = [complaint for name in names for complaint in check_struct(name, layouts)]
    for complaint in complaints:
        print(complaint)
    print(f"check-abi: {len(names)} structs as gcc | as clang -target bpf, {len(complaints)} complaints")
    return 1 if complaints or not names else 0


if __name__ == "__main__":
    sys.exit(main())
