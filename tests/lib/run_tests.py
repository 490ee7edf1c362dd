#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""run_tests.py [GROUP...] - builds, runs every test, prints failures, writes the results.

Groups, in this order: build, unit, static, fuzz, live; none named: these, and the results go to test_results.json at the top
of the tree (else to build/test_results-<groups>.json). The last line is `N passed, N failed, N skipped`; the exit status is 1
when a test failed or none passed. The group matrix, only when named, runs the live tests of MATRIX_TESTS with every server of
pg_versions.py and my_versions.py, and once those of SCALE_TESTS at full size; it ends with a line for each. Called by `make test`, test-unit, test-live, test-matrix and fuzz-short. Only python's own library is
used here, so that a missing package is one skipped test and not a broken run.
"""
import argparse
import concurrent.futures
import glob
import importlib.util
import os
import signal
import subprocess
import sys
import time

import my_versions
import pg_versions
import results
import server_cache
from build_flags import ask_make, clean_environment

GROUPS = ("build", "unit", "static", "fuzz", "live")
LOGS = "build/test-logs"
SKIP = 77  # exit status of a check that cannot run here; its last line says why
JOBS = os.cpu_count() or 1
BUILD_SECONDS = 900
UNIT_SECONDS = 300
STATIC_SECONDS = 900
LIVE_SECONDS = 3600
MATRIX_SECONDS = 2400  # of one version
# The truth tests of what depends on the server's version: what is read from its memory, and what is made of it.
MATRIX_TESTS = ("test_smoke", "test_calls", "test_cpu", "test_conservation", "test_rows", "test_sessions", "test_waits",
                "test_fingerprint_live", "test_locks_graph", "test_aio", "test_background", "test_restart", "test_identity",
                "test_io_labels_pg", "test_statements")
MY_MATRIX_TESTS = ("test_my_queries", "test_my_pool", "test_my_layout", "test_my_kinds", "test_my_locks", "test_my_locks_asked",
                   "test_my_locks_order", "test_my_io")
# What takes more time, connections or servers than a run of everything should, with the installed server.
SCALE_TESTS = ("test_scale", "test_distinct", "test_unknown_build", "test_background", "test_my_io",
               "test_statements")
SCALE = "scale"
# Whose servers, which variable names the one that tests are to use, and the tests.
MATRIX = ((pg_versions, "TAP_PG_SERVER", MATRIX_TESTS), (my_versions, "TAP_MY_SERVER", MY_MATRIX_TESTS))
# One row a check: test's name, make goal
STATIC = (("format", "check-format"), ("includes", "check-includes"), ("headers", "check-headers"), ("abi", "check-abi"),
          ("tidy", "check-tidy"), ("verifier", "verifier"))


def say(text):
    print(text, flush=True)


def run(command, seconds, environment=None, stream=False):
    """(exit status, output, seconds taken); a command that takes too long is killed with its whole group."""
    started = time.monotonic()
    pipe = None if stream else subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=None if stream else subprocess.STDOUT,
                          env={**clean_environment(), **(environment or {})}, start_new_session=True) as child:
        try:
            output = child.communicate(timeout=seconds)[0]
            status = child.returncode
        except BaseException as reason:
            os.killpg(child.pid, signal.SIGKILL)
            output = child.communicate()[0]
            if not isinstance(reason, subprocess.TimeoutExpired):
                raise
            status = -signal.SIGKILL
            output = (output or b"") + f"\n[killed after {seconds} s]\n".encode()
    return status, (output or b"").decode("utf-8", "replace"), time.monotonic() - started


def describe_status(status):
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def run_build(found):
    """The program first, then what tests need; each its own test, so that one that does not build hides nothing else."""
    for name, goals in (("dbtap", ["all"]), ("unit-programs", ["unit-programs"]), ("verifier", ["build/verifier"])):
        say(f"build: {name}")
        status, output, seconds = run(["make", "-k", f"-j{JOBS}", "--no-print-directory", *goals], BUILD_SECONDS)
        found.add("build", name, "failed" if status else "passed", seconds, describe_status(status) if status else None,
                  output)


def unit_environment(program):
    log = os.path.join(LOGS, "unit", program.replace("/", "_"))
    for old in (log + ".xml", log + ".tap"):
        if os.path.exists(old):
            os.unlink(old)
    return log + ".xml", {"TAP_TEST_XML": log + ".xml", "TAP_TEST_LOG": log + ".tap", "CK_DEFAULT_TIMEOUT": "60",
                          "CK_VERBOSITY": "normal"}


def run_unit_program(program):
    """What one unit test program had to say: [(name, outcome, seconds, reason, output)]"""
    name = program.split("tests/unit/", 1)[1]
    if not os.path.exists(program):
        return [(name, "failed", 0.0, "was not built", None)]
    log, environment = unit_environment(program)
    status, output, seconds = run([program], UNIT_SECONDS, environment)
    tests = results.read_check_log(log)
    if not tests:
        return [(name, "failed", seconds, f"{describe_status(status)}, no log", output)]
    rows = []
    for test, passed, spent, message in tests:
        # The program's output belongs to all of its tests: shown once.
        first = not passed and all(row[1] == "passed" for row in rows)
        rows.append((f"{name}:{test}", "passed" if passed else "failed", spent, None if passed else message,
                     output if first else None))
    if status and all(passed for _, passed, _, _ in tests):
        rows.append((name, "failed", seconds, describe_status(status), output))
    return rows


def run_unit(found, programs=None):
    os.makedirs(os.path.join(LOGS, "unit"), exist_ok=True)
    if programs is None:
        programs = ask_make("print-unit-programs").split()
    if not programs:
        found.add("unit", "programs", "failed", 0, "no unit test program found")
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for program, rows in zip(programs, pool.map(run_unit_program, programs)):
            failed = sum(row[1] == "failed" for row in rows)
            say(f"unit: {program.split('tests/unit/', 1)[1]}: {len(rows)} tests, {failed} failed")
            for row in rows:
                found.add("unit", *row)


def run_static(found):
    for name, goal in STATIC:
        say(f"static: {name}")
        status, output, seconds = run(["make", "--no-print-directory", goal], STATIC_SECONDS)
        lines = output.strip().splitlines()
        last = next((line for line in reversed(lines) if not line.startswith("make: ***")), "no output")
        # make turns a skip into a failure and says so in a line of its own.
        if lines and f"Error {SKIP}" in lines[-1]:
            found.add("static", name, "skipped", seconds, last)
            continue
        if name == "verifier":
            say(output.rstrip())
        else:
            say(f"  {last}")
        found.add("static", name, "failed" if status else "passed", seconds, last if status else None, output)


def fuzzer_runtime():
    """Why fuzzers cannot be linked here, or None."""
    status, output, _ = run(["sh", "-c", "echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n)"
                             "{ return !d && n; }' | clang -x c -fsanitize=fuzzer,address,undefined -o /dev/null -"], 60)
    return None if status == 0 else f"clang has no fuzzer runtime: {output.strip().splitlines()[-1] if output else '?'}"


def run_fuzzer(program, seconds):
    name = os.path.basename(program)
    if not os.path.exists(program):
        return name, "failed", 0.0, "was not built", None
    corpus, crashes = f"build/fuzz/corpus/{name}", f"build/fuzz/crashes/{name}-"
    for folder in (corpus, os.path.dirname(crashes)):
        os.makedirs(folder, exist_ok=True)
    seeds = f"tests/fuzz/corpus/{name}"
    command = [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
               f"-artifact_prefix={crashes}", corpus] + ([seeds] if os.path.isdir(seeds) else [])
    status, output, spent = run(command, seconds + 120, {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"})
    return name, "failed" if status else "passed", spent, describe_status(status) if status else None, output


def run_fuzz(found, seconds):
    names = sorted(glob.glob("tests/fuzz/fuzz_*.c"))
    reason = fuzzer_runtime() if names else "there is no tests/fuzz/fuzz_*.c"
    if reason:
        found.add("fuzz", "all", "skipped", 0, reason)
        return
    say(f"fuzz: building {len(names)}")
    status, output, spent = run(["make", "-k", f"-j{JOBS}", "--no-print-directory", "fuzz-programs"], BUILD_SECONDS)
    if status:
        found.add("fuzz", "build", "failed", spent, describe_status(status), output)
    programs = [f"build/fuzz/{name[:-2]}" for name in names]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for row in pool.map(lambda p: run_fuzzer(p, seconds), programs):
            say(f"fuzz: {row[0]}: {row[1]} after {row[2]:.0f} s")
            found.add("fuzz", *row)


def run_pytest(found, group, paths, environment=None, seconds=LIVE_SECONDS):
    if importlib.util.find_spec("pytest") is None:
        found.add(group, paths[0], "skipped", 0, "python3-pytest is not installed")
        return
    os.makedirs(LOGS, exist_ok=True)
    log = os.path.join(LOGS, f"{group}.xml")
    if os.path.exists(log):
        os.unlink(log)
    command = [sys.executable, "-B", "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short", f"--junitxml={log}", *paths]
    status, _, spent = run(command, seconds, environment, stream=True)
    tests = results.read_junit_log(log)
    for row in tests or ():
        found.add(group, *row)
    # 5: nothing collected
    if status not in (0, 1, 5) or tests is None:
        found.add(group, paths[0], "failed", spent, f"pytest: {describe_status(status)}")


def run_live(found, environment=None):
    if importlib.util.find_spec("psycopg2") is None:
        found.add("live", "tests/live", "skipped", 0, "python3-psycopg2 is not installed")
        return
    run_pytest(found, "live", ["tests/live"], environment)


def matrix_wanted():
    """[(name, row of MATRIX or None)]: what TAP_MATRIX names, or everything."""
    wanted = os.environ.get("TAP_MATRIX", "").split()
    known = {name: row for row in MATRIX for name in row[0].SERVERS}
    known[SCALE] = None
    return [(name, known.get(name)) for name in wanted or known]


def matrix_missing(name, row):
    """Why this server cannot be had, or None; fetched when it is not there."""
    if not row:
        return None if name == SCALE else "no such server is known"
    try:
        say(f"matrix: {name}: {row[0].fetch(name)}")
    except (server_cache.Missing, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        return f"cannot be had: {error}"
    return None


def run_matrix(found, path):
    """
    What it ran is told at the end: a version that could not be had is a skipped test, not one that is forgotten. Results are written
    after each, so that a run that is broken off leaves what it had.
    """
    for name, row in matrix_wanted():
        group = f"matrix-{name}"
        missing = matrix_missing(name, row)
        tests, environment = (row[2], {row[1]: name}) if row else (SCALE_TESTS, {"TAP_SCALE": "full"})
        if missing:
            found.add(group, "server", "skipped", 0, missing)
        else:
            run_pytest(found, group, [f"tests/live/{test}.py" for test in tests], environment, MATRIX_SECONDS)
        found.close_group(group)
        found.write(path)


def run_groups(found, groups, fuzz_seconds, path):
    if "build" in groups:
        run_build(found)
    if "unit" in groups:
        run_unit(found)
    if "static" in groups:
        run_static(found)
        run_pytest(found, "tools", ["tests/lib/test_tools.py", "tests/vm/test_support.py"])
    if "fuzz" in groups:
        run_fuzz(found, fuzz_seconds)
    if "live" in groups:
        run_live(found)
    if "vm" in groups:
        run_pytest(found, "vm", ["tests/vm"], seconds=LIVE_SECONDS)
    if "matrix" in groups:
        run_matrix(found, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--fuzz-seconds", type=int, default=10)
    arguments = parser.parse_args()
    unknown = set(arguments.groups) - {*GROUPS, "matrix", "vm"}
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    os.makedirs(LOGS, exist_ok=True)
    found = results.Results()
    groups = ["build", *arguments.groups] if arguments.groups else GROUPS
    path = f"build/test_results-{'-'.join(arguments.groups)}.json" if arguments.groups else "test_results.json"
    try:
        run_groups(found, groups, arguments.fuzz_seconds, path)
    finally:
        found.write(path)
    found.print_summary()
    return 0 if found.ok() else 1


if __name__ == "__main__":
    sys.exit(main())
