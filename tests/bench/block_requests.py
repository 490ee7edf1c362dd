#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""block_requests.py - what a block request costs in each program, by the kernel's BPF run statistics: `make bench-block`.

fio reads 4 KiB at random and directly from a file beside a traced server, on a private file system on a loop device, at the highest
rate that the machine gives: libaio, 32 at a time. The host is not the same from one moment to the next, so time is cut into slices;
printed are the mean nanoseconds of a run in the best tenth of them, in the median one, and over all, gross: an empty program takes what
`dbtap bench overhead` prints as that. Needs root and a host with little else to do.
"""
import os
import statistics
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib"), os.path.join(TOP, "tests", "live")]

import dbtap_process  # noqa: E402
import fio  # noqa: E402
import loop_device  # noqa: E402
import pg_server  # noqa: E402
import trace_io  # noqa: E402

ROUNDS = 6
SLICE_S = 0.06
RUNS_MIN = 500  # of a slice: fewer tell nothing
PROGRAMS = ("on_block_io_start", "on_block_rq_issue", "on_block_rq_complete")
SWITCH = "/proc/sys/kernel/bpf_stats_enabled"


def statistics_on(on):
    with open(SWITCH, "w", encoding="ascii") as file:
        file.write("1" if on else "0")


def info(pid, descriptor):
    """{field: word} of what the kernel says of a process's descriptor."""
    with open(f"/proc/{pid}/fdinfo/{descriptor}", encoding="ascii") as file:
        return dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)


def programs_of(pid):
    """{name: descriptor} of the programs that a process holds; the kernel keeps 15 characters of a name."""
    names = {str(program["id"]): program["name"] for program in dbtap_process.bpftool("prog", "show")}
    found = {}
    for descriptor in os.listdir(f"/proc/{pid}/fdinfo"):
        name = names.get(info(pid, descriptor).get("prog_id", "").strip(), "")
        found.update((full, descriptor) for full in PROGRAMS if name and full.startswith(name[:15]))
    return found


def figures(pid, programs):
    """{name: (runs, ns)}"""
    said = {name: info(pid, descriptor) for name, descriptor in programs.items()}
    return {name: (int(fields["run_cnt"]), int(fields["run_time_ns"])) for name, fields in said.items()}


def slices(pid, path):
    """[{name: (runs, ns)}] of a run of fio, one a slice."""
    load = threading.Thread(target=fio.run, args=(path,), kwargs={"direct": 1, "rw": "randread", "bs": "4k", "io_size": "500m",
                                                                  "ioengine": "libaio", "iodepth": 32})
    programs, cut = programs_of(pid), []
    load.start()
    before = figures(pid, programs)
    while load.is_alive():
        time.sleep(SLICE_S)
        after = figures(pid, programs)
        cut.append({name: tuple(after[name][i] - before[name][i] for i in range(2)) for name in after})
        before = after
    load.join()
    return cut


def tell(cut):
    for name in PROGRAMS:
        runs, ns = (sum(part[name][i] for part in cut) for i in range(2))
        means = sorted(part[name][1] / part[name][0] for part in cut if part[name][0] >= RUNS_MIN)
        if means:
            print(f"  {name:24} {runs:9} runs {means[len(means) // 10]:7.0f} best tenth {statistics.median(means):7.0f} median "
                  f"{ns / runs:7.0f} ns over all", flush=True)


def main():
    volume, folder, launcher = loop_device.Volume("ext4"), pg_server.Folder(), dbtap_process.Launcher()
    everything = []
    try:
        server = folder.server(data=os.path.join(volume.path, "data"), settings=trace_io.SETTINGS)
        path = fio.make_file(os.path.join(server.data, "fio"), 128 << 20)
        with trace_io.window(launcher, server, volume, "--no-connect", check=False) as traced:
            for number in range(ROUNDS):
                print(f"round {number + 1}")
                statistics_on(True)
                try:
                    cut = slices(traced.run.pid, path)
                finally:
                    statistics_on(False)
                tell(cut)
                everything += cut
        print(f"all {ROUNDS} rounds")
        tell(everything)
    finally:
        launcher.close()
        folder.close()
        volume.close()


if __name__ == "__main__":
    main()
