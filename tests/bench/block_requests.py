#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""block_requests.py - what a block request costs in each program, by the kernel's BPF run statistics: `make bench-block`.

fio reads 4 KiB at random and directly from a file beside a traced server, on a private file system on a loop device, as fast as one
thread can. Prints runs and mean nanoseconds of each program for a few rounds, gross: an empty program takes what
`dbtap bench overhead` prints as that. Needs root and a host with little else to do.
"""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib"), os.path.join(TOP, "tests", "live")]

import dbtap_process  # noqa: E402
import fio  # noqa: E402
import loop_device  # noqa: E402
import pg_server  # noqa: E402
import trace_io  # noqa: E402

ROUNDS = 6
RUNS_MIN = 1000  # fewer tell nothing
SWITCH = "/proc/sys/kernel/bpf_stats_enabled"


def statistics_on(on):
    with open(SWITCH, "w", encoding="ascii") as file:
        file.write("1" if on else "0")


def programs_of(pid):
    """{name: (runs, ns)} of the programs that a process holds."""
    ids = {program for program, pids in dbtap_process.program_holders().items() if pid in pids}
    return {program["name"]: (program.get("run_cnt", 0), program.get("run_time_ns", 0))
            for program in dbtap_process.bpftool("prog", "show") if program["id"] in ids}


def measure(pid, path):
    statistics_on(True)
    try:
        before = programs_of(pid)
        fio.run(path, direct=1, rw="randread", bs="4k", io_size="160m")
        after = programs_of(pid)
    finally:
        statistics_on(False)
    for name in sorted(after):
        runs, ns = (after[name][i] - before.get(name, (0, 0))[i] for i in range(2))
        if runs >= RUNS_MIN:
            print(f"  {name:24} {runs:9} runs {ns / runs:7.0f} ns")


def main():
    volume, folder, launcher = loop_device.Volume("ext4"), pg_server.Folder(), dbtap_process.Launcher()
    try:
        server = folder.server(data=os.path.join(volume.path, "data"), settings=trace_io.SETTINGS)
        path = fio.make_file(os.path.join(server.data, "fio"), 128 << 20)
        with trace_io.window(launcher, server, volume, "--no-connect", check=False) as traced:
            for number in range(ROUNDS):
                print(f"round {number + 1}")
                measure(traced.run.pid, path)
    finally:
        launcher.close()
        folder.close()
        volume.close()


if __name__ == "__main__":
    main()
