#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""record.py - what ran on which kernel: results.json beside this file, which docs/support.md is made of.

Each run of `make test-vm` leaves what it found in build/vm-results.json; `record.py` (make vm-keep) takes that over into results.json,
kernel by kernel, and writes docs/support.md anew.
"""
import json
import os
import platform
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../.."))
KEPT = os.path.join(HERE, "results.json")
FOUND = os.path.join(TOP, "build/vm-results.json")


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.write("\n")


def outcome(check, run):
    """None where it works, else the first line of what does not."""
    try:
        check(run)
    except (AssertionError, KeyError, ValueError, StopIteration) as reason:
        return str(reason).splitlines()[0][:200] if str(reason) else type(reason).__name__
    return None


def entry(run, too_old=False):
    """What is kept of a kernel: nothing that differs from run to run."""
    import checks
    lacks = {feature: sentence for feature, sentence in checks.lacking(run)}
    if too_old:
        checks.refuses(run)
    if run.steps["refused"].status:
        return {"loads": False, "refusal": run.steps["refused"].stderr.strip(), "lacks": lacks}
    found = {name: outcome(check, run) for name, check in checks.CHECKS.items()}
    return {"loads": True, "lacks": lacks,
            "works": sorted(name for name, reason in found.items() if reason is None),
            "fails": sorted(name for name, reason in found.items() if reason is not None)}


def note(name, run, found):
    """Adds a kernel to what this run has found."""
    content = read(FOUND)
    content.setdefault("kernels", {})[name] = {**found, "release": run.kernel.release}
    content["machine"] = platform.machine()
    write(FOUND, content)


def kept(name):
    """What was kept of it, without what security updates change."""
    return {key: value for key, value in read(KEPT).get("kernels", {}).get(name, {}).items() if key != "release"}


def keep():
    import support
    found, content = read(FOUND), read(KEPT)
    if not found:
        sys.exit(f"record: {FOUND} is not there: `make test-vm` makes it")
    for section, rows in found.items():
        content[section] = {**content.get(section, {}), **rows} if isinstance(rows, dict) else rows
    write(KEPT, content)
    support.write(content)


if __name__ == "__main__":
    keep()
