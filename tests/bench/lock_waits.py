#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""lock_waits.py - what a lock wait costs, in the kernel and in dbtap itself: `make bench-locks`.

pgbench clients contend for one advisory lock, as often as the host can hand it on. Beside it runs `dbtap queries`,
which does not follow waits, then `dbtap locks`, then `dbtap locks --watch` as text and as JSON. Prints for each, from
the kernel's BPF run statistics and the CPU time of the processes: waits a second, BPF time a switch and a wait (a
wait is several switches), dbtap's own CPU time while the load rests and, on top of that, a wait, both as a share of
what server and load use, and that. BPF time is gross: an empty program takes what `dbtap bench overhead` prints as
that. Needs root and a host with little else to do.

DBTAP_BENCH_SECONDS (6), DBTAP_BENCH_CLIENTS (8) and DBTAP_BENCH_ROUNDS (2) in the environment.
"""
import os
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib"), os.path.join(TOP, "tests", "live")]

import dbtap_process  # noqa: E402
import load  # noqa: E402
import pg_server  # noqa: E402
import trace  # noqa: E402

SECONDS = float(os.environ.get("DBTAP_BENCH_SECONDS", 6))
CLIENTS = int(os.environ.get("DBTAP_BENCH_CLIENTS", 8))
ROUNDS = int(os.environ.get("DBTAP_BENCH_ROUNDS", 2))
LOOPS = 20
# A lock that is given back goes to the first in the queue: who takes it again has to wait.
SCRIPT = f"select count(pg_advisory_lock(1)::text || pg_advisory_unlock(1)::text) from generate_series(1, {LOOPS});\n"
SWITCH = "/proc/sys/kernel/bpf_stats_enabled"
TICK_NS = 1e9 / os.sysconf("SC_CLK_TCK")
VIEWS = {"queries": ("queries", "--format", "json"), "locks": ("locks", "--format", "json"),
         "locks --watch": ("locks", "--watch"), "locks --watch json": ("locks", "--watch", "--format", "json")}


def statistics_on(on):
    with open(SWITCH, "w", encoding="ascii") as file:
        file.write("1" if on else "0")


def cpu_ns(pids):
    """What processes have used, their threads together."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total * TICK_NS


def programs_of(pid):
    """(runs of the program at switches, ns of all programs) that a process holds."""
    ids = {program for program, pids in dbtap_process.program_holders().items() if pid in pids}
    held = [program for program in dbtap_process.bpftool("prog", "show") if program["id"] in ids]
    return (sum(one.get("run_cnt", 0) for one in held if "switch" in one["name"]), sum(one.get("run_time_ns", 0) for one in held))


def calls_so_far(cursor):
    """The server's own count of what the load has done."""
    cursor.execute("select calls from pg_stat_statements where query like 'select count(pg_advisory_lock%'")
    return sum(calls for calls, in cursor.fetchall())


def waits_per_call(launcher, server, cursor):
    """Not every call has to wait: as many as dbtap sees."""
    run = trace.start(launcher, server, command="locks")
    before = calls_so_far(cursor)
    time.sleep(2)
    calls = calls_so_far(cursor) - before
    document = trace.finish(run)
    waits = sum(stat["waits"] for stat in document["locks"]["by_lock"])
    return waits / document["window"]["seconds"] / (calls / 2) if calls else 0.0


def watch(run, pids, seconds, cursor):
    """What has been used in so many seconds: (switches, BPF ns), dbtap's own ns, ns of `pids`, calls, seconds."""
    began, before = time.monotonic(), (programs_of(run.pid), cpu_ns([run.pid]), cpu_ns(pids), calls_so_far(cursor))
    time.sleep(seconds)
    after = (programs_of(run.pid), cpu_ns([run.pid]), cpu_ns(pids), calls_so_far(cursor))
    return (tuple(after[0][i] - before[0][i] for i in range(2)), *(after[i] - before[i] for i in range(1, 4)),
            time.monotonic() - began)


def measure(nowhere, launcher, server, bench, cursor, name, arguments, share):
    run = launcher.start(*arguments, "--duration", 3600, "--instance", server.instance, stdout=nowhere)
    trace.wait_until_open(run)
    work = [*server.pids(), bench.process.pid]
    statistics_on(True)
    try:
        bench.process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        _, idle, _, _, idle_seconds = watch(run, work, SECONDS / 2, cursor)
        bench.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        (switches, bpf), own, used, calls, seconds = watch(run, work, SECONDS, cursor)
    finally:
        statistics_on(False)
    run.signal(signal.SIGINT)
    run.process.wait(30)
    waits = max(calls * share, 1)
    net = own - idle / idle_seconds * seconds
    print(f"{name:20} {waits / seconds:8.0f} {bpf / max(switches, 1):8.0f} {bpf / waits:8.0f} {idle / idle_seconds / 1e6:8.1f} "
          f"{net / waits:8.0f} {bpf / used:8.2%} {net / used:8.2%} {used / waits / 1000:8.1f}", flush=True)


def main():
    folder, launcher, work = pg_server.Folder(), dbtap_process.Launcher(), load.Load()
    try:
        server = folder.server(settings={"autovacuum": "off"}, preload=["pg_stat_statements"])
        server.query("create extension if not exists pg_stat_statements")
        connection = server.connect()
        bench = work.pgbench(server, "-c", CLIENTS, "-j", 2, "-M", "prepared", "-T", int((2 * SECONDS + 8) * len(VIEWS) * ROUNDS + 20), script=SCRIPT)
        time.sleep(1)
        print(f"{'':20} {'waits/s':>8} {'BPF ns':>8} {'BPF ns':>8} {'dbtap ms':>8} {'dbtap ns':>8} {'BPF of':>8} {'dbtap of':>8} "
              f"{'load us':>8}\n"
              f"{'':20} {'':>8} {'a switch':>8} {'a wait':>8} {'/s, idle':>8} {'a wait':>8} {'the load':>8} {'the load':>8} "
              f"{'a wait':>8}")
        share = waits_per_call(launcher, server, connection.cursor())
        for name, arguments in list(VIEWS.items()) * ROUNDS:
            with open(os.devnull, "wb") as nowhere:
                measure(nowhere, launcher, server, bench, connection.cursor(), name, arguments, share)
    finally:
        work.close()
        launcher.close()
        folder.close()


if __name__ == "__main__":
    main()
