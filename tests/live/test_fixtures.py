# SPDX-License-Identifier: BSD-2-Clause
"""test_fixtures.py - the outside measures the other live tests rely on, proven without dbtap."""
import subprocess
import sys
import time

import dbtap_process
import pytest

SPIN = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"


def test_cgroup_counts_the_cpu_time_of_the_dead(cgroup):
    before = cgroup.usage_ns()
    subprocess.run([sys.executable, "-c", SPIN.format(0.5)], check=True, preexec_fn=cgroup.enter)
    spent = cgroup.usage_ns() - before
    assert 0.5e9 <= spent < 0.8e9
    assert cgroup.pids() == []


def test_cgroup_takes_a_running_process(cgroup):
    with subprocess.Popen(["sleep", "60"]) as child:
        cgroup.add(child.pid)
        assert cgroup.pids() == [child.pid]
        child.kill()


def test_a_server_of_ones_own(make_server):
    server = make_server(settings={"work_mem": "7MB"}, preload=["pg_stat_statements"])
    assert server.query("show work_mem") == [("7MB",)]
    assert server.query("show shared_preload_libraries") == [("pg_stat_statements",)]
    first = server.pid
    assert first in server.pids() and len(server.pids()) > 3
    server.restart()
    assert server.pid != first and server.query("select 1") == [(1,)]


@pytest.mark.parametrize("library", ("pg_stat_kcache", "pg_wait_sampling"))
def test_a_server_with_outside_sources(make_server, library):
    server = make_server(preload=["pg_stat_statements", library])
    server.query("create extension pg_stat_statements")
    server.query(f"create extension {library}")


def test_a_session_whose_backend_is_known(server, load):
    session = load.session(server, "select pg_sleep(0.3)")
    assert session.pid in server.pids()
    session.finish()


def test_a_session_that_fails_says_so(server, load):
    session = load.session(server, "select 1/0")
    with pytest.raises(Exception, match="division by zero"):
        session.finish()


def test_pgbench(make_server, load):
    server = make_server()
    load.pgbench_init(server)
    figures = load.pgbench(server, "-S", "-c", 2, "-t", 100).wait()
    assert figures["transactions"] == 200 and figures["tps"] > 0
    assert load.pgbench(server, "-t", 5, script="select 1;\n").wait()["transactions"] == 5


def test_leftovers_are_found():
    name, value = dbtap_process.MARK.split("=", 1)
    with subprocess.Popen(["sleep", "60"], env={name: value}) as child:
        deadline = time.monotonic() + 5
        while child.pid not in dbtap_process.marked_processes() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert child.pid in dbtap_process.marked_processes()
        child.kill()
    assert child.pid not in dbtap_process.marked_processes()
