# SPDX-License-Identifier: BSD-2-Clause
"""
second_try.py - a live test that fails while the hypervisor takes CPUs away is run a second time, and that counts.

A stall of some hundred milliseconds may break what a test compares, and is nothing of dbtap's. What the first try said is printed at the
end of the run and kept with the test's results. Where nothing was stolen a failure is a failure.
"""
import os
import time

import pytest
from _pytest.runner import runtestprotocol

STOLEN = 0.02  # of one CPU, from which on a machine counts as stolen from
FIRST_TRIES = []


def stolen_ns():
    """What the hypervisor has taken from all processors: no thread's CPU time, and no queue's."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[8]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def first_line(failed):
    """What the failure says, in one line."""
    crash = getattr(failed.longrepr, "reprcrash", None)
    return (crash.message if crash else failed.longreprtext.strip()).partition("\n")[0]


def tried(item, nextitem):
    """The reports of one run, what it failed with, if it did, and the share of a CPU that was stolen meanwhile."""
    began_ns, stolen = time.monotonic_ns(), stolen_ns()
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    share = (stolen_ns() - stolen) / (time.monotonic_ns() - began_ns)
    return reports, next((report for report in reports if report.failed), None), share


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports, failed, share = tried(item, nextitem)
    if failed and share > STOLEN:
        said = f"failed in {failed.when} while {share:.0%} of a CPU was stolen: {first_line(failed)}"
        FIRST_TRIES.append((item.nodeid, said, failed.longreprtext))
        item._initrequest()  # pylint: disable=protected-access  # fixtures of its own are made anew
        item.user_properties.append(("first_try", said))
        reports, _, _ = tried(item, nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    for nodeid, said, text in FIRST_TRIES:
        terminalreporter.section(f"first try of {nodeid}")
        terminalreporter.line(said)
        terminalreporter.line(text)
