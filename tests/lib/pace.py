# SPDX-License-Identifier: BSD-2-Clause
"""pace.py - clients that come back from a statement once their server process has gone to sleep after it.

Whoever sends the next statement before that is not seen to have ended this one: a tracer that looks when the server is switched
out sees no end where there is no switch. Clients of such haste are pgbench's; what is shown of theirs is the subject of test_calls.
A test that looks for its own few statements means others: real clients think, and it shall not fail when the hypervisor stops the
server's CPU between its answer and its sleep. Nothing is bound to a CPU for it.
"""
import time

import psycopg2.extensions

LONGEST_SECONDS = 10


def is_asleep(pid):
    """Off every CPU and not to be run: the kernel prints this once it has waited for the switch itself."""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
        return not file.read().startswith("running")


def wait_asleep(pid):
    """Returns once a process is asleep, or has ended."""
    deadline = time.monotonic() + LONGEST_SECONDS
    try:
        while not is_asleep(pid) and time.monotonic() < deadline:
            time.sleep(0.00005)
    except OSError:  # it has ended, or it is somebody else's and we are not root
        pass


class Cursor(psycopg2.extensions.cursor):
    def execute(self, *arguments):
        try:
            return super().execute(*arguments)
        finally:
            self.connection.pace()

    def copy_expert(self, *arguments):
        try:
            return super().copy_expert(*arguments)
        finally:
            self.connection.pace()


class Connection(psycopg2.extensions.connection):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.cursor_factory = Cursor
        self.backend = self.get_backend_pid()
        self.pace()

    def pace(self):
        wait_asleep(self.backend)

    def commit(self):
        super().commit()
        self.pace()

    def rollback(self):
        super().rollback()
        self.pace()
