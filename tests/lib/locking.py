# SPDX-License-Identifier: BSD-2-Clause
"""locking.py - for the live tests of locks: sessions that hold and wait, and what the server says of them itself."""
import datetime
import time

WAIT_SECONDS = 30
# Waits of sessions, as the server knows them: its own pid, who blocks it, since when.
WAITING = """select l.pid, pg_blocking_pids(l.pid), extract(epoch from l.waitstart)
               from pg_locks l where not l.granted and l.waitstart is not null"""


class Holder:
    """A session with an open transaction that takes what it is told to, and gives it back."""

    def __init__(self, server, *statements):
        self.connection = server.connect(autocommit=False)
        self.pid = self.connection.get_backend_pid()
        self.cursor = self.connection.cursor()
        for statement in statements:
            self.cursor.execute(statement)

    def one(self, statement):
        self.cursor.execute(statement)
        return self.cursor.fetchone()

    def release(self):
        self.connection.rollback()

    def close(self):
        self.connection.close()


class Observer:
    """A connection for looking at pg_locks while others wait."""

    def __init__(self, server):
        self.connection = server.connect()
        self.cursor = self.connection.cursor()

    def waiting(self):
        """{pid: (blocking pids, since when, seconds since the epoch)}"""
        self.cursor.execute(WAITING)
        return {pid: (sorted(blockers), float(since)) for pid, blockers, since in self.cursor.fetchall()}

    def wait_until(self, pids):
        """Returns once all of them wait: what waiting() says then."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            found = self.waiting()
            if set(pids) <= set(found):
                return found
            assert time.monotonic() < deadline, f"{set(pids) - set(found)} do not wait within {WAIT_SECONDS} s"
            time.sleep(0.01)

    def close(self):
        self.connection.close()


def epoch(text):
    """Seconds since the epoch of a time in a document."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def end(document):
    return epoch(document["window"]["end"])


def wait_of(document, pid, what="waits"):
    found = [wait for wait in document["locks"][what] if wait["pid"] == pid]
    assert len(found) == 1, f"{len(found)} {what} of {pid}, not one: {document['locks'][what]}"
    return found[0]


def near(value_ns, expected_ns, slack_ns=2e6, share=0.01):
    assert abs(value_ns - expected_ns) <= max(slack_ns, share * expected_ns), f"{value_ns} is not {expected_ns}"


def between(value_ns, low_ns, high_ns, slack_ns=2e6, share=0.01):
    """What lies between two outside readings, each as near as in near()."""
    slack_ns = max(slack_ns, share * high_ns)
    assert low_ns - slack_ns <= value_ns <= high_ns + slack_ns, f"{value_ns} is not within {low_ns} to {high_ns}"


def check_ages(document, waiting):
    """
    Every wait the server knows is in the document, with the same blockers and the same age; and no other one. To be asked when
    the document has just been written.
    """
    now = time.time()
    assert {wait["pid"] for wait in document["locks"]["waits"]} == set(waiting)
    for pid, (blockers, since) in waiting.items():
        wait = wait_of(document, pid)
        assert sorted(wait["blocked_by"]) == blockers, wait
        assert abs(epoch(wait["started"]) - since) < 0.002, (wait, since)
        # The table is read just behind the window's end, and has been now.
        between(wait["waiting_ns"], (end(document) - since) * 1e9, (now - since) * 1e9)
