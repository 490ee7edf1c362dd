# SPDX-License-Identifier: BSD-2-Clause
"""test_demo.py - `dbtap demo` with servers on the host, and on a host that has none."""
import ctypes
import os
import re
import shutil
import signal
import time

import dbtap_process
import pytest
import trace

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
LIBC = ctypes.CDLL(None, use_errno=True)


def postmasters():
    """Pids of the servers that run now."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/comm", encoding="ascii", errors="replace") as file:
                name = file.read().strip()
        except OSError:
            continue
        if name in ("postgres", "postmaster"):
            found.append(entry)
    return found


@pytest.fixture
def without_servers(tmp_path):
    """For preexec_fn: the servers that run now are not in the /proc of the process, whose mounts are its own."""
    hidden, nothing = postmasters(), bytes(tmp_path)

    def prepare():
        if LIBC.unshare(CLONE_NEWNS) or LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
            raise OSError("no mount namespace")
        for pid in hidden:
            LIBC.mount(nothing, b"/proc/" + pid.encode(), None, MS_BIND, None)  # it may have ended

    return prepare


def test_traces_what_is_there(dbtap, server):
    outcome = dbtap("demo", "--duration", 1, "--format", "json").ok()
    document = outcome.json()
    trace.check(document)
    assert server.instance in [instance["id"] for instance in document["instances"]]
    assert "throwaway" not in outcome.stderr


def test_a_server_of_its_own(dbtap, server, without_servers):
    outcome = dbtap("demo", "--duration", 3, "--format", "json", preexec_fn=without_servers, timeout=120).ok()
    assert "starting a throwaway PostgreSQL" in outcome.stderr
    document = outcome.json()
    trace.check(document)
    assert server.instance not in [instance["id"] for instance in document["instances"]]
    # Of everything a little: what the mixed load is for.
    texts = " ".join(row.get("query", "").lower() for row in document["queries"])
    for word in ("pg_sleep", "load_locks", "pgbench_accounts", "copy", "load_spin"):
        assert word in texts, word
    assert trace.rows(document, kind="parallel")
    assert any(wait["class"] == "Lock" for row in document["queries"] for wait in row["waits"])
    folder = document["instances"][0]["data_dir"]
    assert not os.path.exists(folder)
    assert not dbtap_process.wait_for_none(lambda: dbtap_process.processes_inside(os.path.dirname(folder)))


def test_keep(dbtap, without_servers):
    outcome = dbtap("demo", "--duration", 1, "--keep", preexec_fn=without_servers, timeout=120).ok()
    pid, folder = re.search(r"pid (\d+), folder (\S+?)\)", outcome.stderr).groups()
    try:
        assert dbtap_process.processes_inside(folder)
        assert "load_locks" in outcome.stdout
    finally:
        os.kill(int(pid), signal.SIGQUIT)
        left = dbtap_process.wait_for_none(lambda: dbtap_process.processes_inside(folder))
        shutil.rmtree(folder)
    assert not left


def test_interrupted_while_it_starts(dbtap, without_servers):
    run = dbtap.start("demo", preexec_fn=without_servers)
    trace.wait_until_caught(run)
    time.sleep(0.5)
    run.signal(signal.SIGINT)
    outcome = run.wait(30)
    assert outcome.status == 1 and outcome.stdout == ""
    assert "interrupted" in outcome.stderr.splitlines()[-1]
