#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""coverage.py - line coverage of userspace/ and correlate/ by the unit and the live tests, per folder and in total.

Builds the flavour `cov`, runs the unit programs and the live tests (DBTAP=build/cov/dbtap) with it, reads gcov's JSON and
prints the table; --files shows every file, --lines the lines never run. Fails when a test failed, or a path of
tests/lib/coverage_thresholds.txt is below its percentage. Called by `make coverage`.
"""
import argparse
import collections
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import results
import run_tests

ROOT = "build/cov"
MEASURED = ("userspace/", "correlate/")
THRESHOLDS = "tests/lib/coverage_thresholds.txt"


def read_thresholds(path):
    """[(path or "total", percent)]"""
    rows = []
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split("#", 1)[0].split()
            if words:
                rows.append((words[0].rstrip("/"), float(words[1])))
    return rows


def merge(lines, document, top):
    """Add one gcov document to lines: {file: {line: times}}"""
    for part in document["files"]:
        name = os.path.relpath(os.path.join(document["current_working_directory"], part["file"]), top)
        if name.startswith(MEASURED):
            for line in part["lines"]:
                lines[name][line["line_number"]] += line["count"]


def read_gcov(root):
    """{file: {line: times run}} of everything compiled under root, run or not"""
    top = os.getcwd()
    notes = [os.path.abspath(note) for where in MEASURED for note in glob.glob(f"{root}/{where}**/*.gcno", recursive=True)]
    lines = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as folder:
        for note in notes:
            # Sources that are gone leave their notes behind.
            if not os.path.exists(os.path.relpath(note, os.path.abspath(root))[:-len("gcno")] + "c"):
                continue
            result = subprocess.run(["gcov", "--json-format", "--stdout", note], cwd=folder, capture_output=True,
                                    check=True)
            for text in result.stdout.splitlines():
                if text.strip():
                    merge(lines, json.loads(text), top)
    return lines


def summarise(lines, prefix):
    """(lines run, lines) of a file, a folder with all below it, or everything ("total")"""
    chosen = [counts for name, counts in lines.items()
              if prefix == "total" or name == prefix or name.startswith(prefix + "/")]
    return sum(sum(times > 0 for times in counts.values()) for counts in chosen), sum(map(len, chosen))


def percent(run, total):
    return 100.0 * run / total if total else 100.0


def ranges(numbers):
    """[1, 2, 3, 7] as "1-3 7" """
    parts = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return " ".join(f"{a}-{b}" if a != b else str(a) for a, b in parts)


def print_table(lines, with_files, with_lines):
    folders = sorted({os.path.dirname(name) for name in lines})
    for folder in folders:
        inside = {name: counts for name, counts in lines.items() if os.path.dirname(name) == folder}
        run, total = summarise(inside, "total")
        print(f"{folder:44} {run:6} of {total:6} lines {percent(run, total):6.1f} %")
        for name, counts in sorted(inside.items()) if with_files or with_lines else ():
            run, total = summarise({name: counts}, "total")
            print(f"    {os.path.basename(name):40} {run:6} of {total:6} lines {percent(run, total):6.1f} %")
            missed = ranges(number for number, times in counts.items() if not times)
            if with_lines and missed:
                print(f"        never run: {missed}")
    run, total = summarise(lines, "total")
    print(f"{'total':44} {run:6} of {total:6} lines {percent(run, total):6.1f} %")


def below_thresholds(lines, thresholds):
    """Lines of text, one for each path that misses its percentage; a path without lines is a mistake in the table."""
    for path, least in thresholds:
        run, total = summarise(lines, path)
        if not total:
            yield f"coverage: {path}: no lines measured"
        elif percent(run, total) < least:
            yield f"coverage: {path}: {percent(run, total):.1f} % is below {least:.0f} %"


def run_everything(live):
    shutil.rmtree("build/cov-logs", ignore_errors=True)
    for counts in glob.glob(f"{ROOT}/**/*.gcda", recursive=True):
        os.unlink(counts)
    found = results.Results()
    status, output, seconds = run_tests.run(["make", "-k", f"-j{run_tests.JOBS}", "--no-print-directory", "coverage-programs"],
                                            run_tests.BUILD_SECONDS)
    found.add("build", "coverage-programs", "failed" if status else "passed", seconds,
              run_tests.describe_status(status) if status else None, output)
    # One that does not build is a failure of its own; the others still say something.
    run_tests.run_unit(found, [p.replace("build/san/", f"{ROOT}/")
                               for p in run_tests.ask_make("print-unit-programs").split()])
    if live:
        run_tests.run_live(found, {"DBTAP": os.path.abspath(f"{ROOT}/dbtap")})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--no-live", action="store_true", help="unit tests only")
    parser.add_argument("--no-run", action="store_true", help="print what the last run left")
    parser.add_argument("--files", action="store_true")
    parser.add_argument("--lines", action="store_true")
    arguments = parser.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    found = None
    if not arguments.no_run:
        found = run_everything(not arguments.no_live)
        found.print_summary()
    lines = read_gcov(ROOT)
    print_table(lines, arguments.files, arguments.lines)
    complaints = list(below_thresholds(lines, read_thresholds(THRESHOLDS)))
    for line in complaints:
        print(line)
    return 1 if complaints or (found and not found.ok()) else 0


if __name__ == "__main__":
    sys.exit(main())
