# SPDX-License-Identifier: BSD-2-Clause
"""load.py - work for a server under test: pgbench, and sessions of our own whose backend is known."""
import os
import re
import subprocess
import threading

import psycopg2

import pg_server


class Session(threading.Thread):
    """Statements on a connection of their own, in the background. `pid` is the backend's, `error` what went wrong."""

    def __init__(self, server, statements, repeat=1, database="postgres", user=pg_server.USER, application="dbtap-load",
                 autocommit=True):
        super().__init__(daemon=True)
        self.connection = server.connect(database, user, autocommit, application_name=application)
        self.pid = self.connection.get_backend_pid()
        self.statements = [statements] if isinstance(statements, str) else list(statements)
        self.repeat = repeat
        self.halt = threading.Event()
        self.error = None

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                for _ in range(self.repeat):
                    for statement in self.statements:
                        if self.halt.is_set():
                            return
                        cursor.execute(statement)
        except psycopg2.Error as error:
            self.error = error

    def finish(self, timeout=60):
        """Wait for the statements, keep the connection open."""
        self.join(timeout)
        assert not self.is_alive(), "the session's statements are still running"
        if self.error and not self.halt.is_set():
            raise self.error

    def close(self):
        self.halt.set()
        if self.is_alive():
            self.connection.cancel()
            self.join(10)
        self.connection.close()


class Pgbench:
    """A running pgbench; wait() gives its figures."""

    def __init__(self, server, arguments, database, preexec_fn):
        self.process = subprocess.Popen(
            [pg_server.client("pgbench", server.folder.binaries), "-h", server.host, "-p", str(server.port), "-U",
             pg_server.USER, *map(str, arguments), database], cwd=server.folder.path, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=preexec_fn)

    def wait(self, timeout=300):
        """{"transactions": n, "tps": x, "output": text}"""
        output = self.process.communicate(timeout=timeout)[0]
        assert self.process.returncode == 0, output
        done = re.search(r"number of transactions actually processed: (\d+)", output)
        rate = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
        return {"transactions": int(done.group(1)) if done else None, "tps": float(rate.group(1)) if rate else None,
                "output": output}

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate()


class Load:
    """The `load` fixture; closes what it started."""

    def __init__(self):
        self.running = []

    def session(self, server, statements, **more):
        """A started Session."""
        session = Session(server, statements, **more)
        self.running.append(session)
        session.start()
        return session

    def pgbench_init(self, server, scale=1, database="postgres"):
        bench = Pgbench(server, ["-i", "-q", "-s", scale], database, None)
        self.running.append(bench)
        bench.wait()

    def pgbench(self, server, *arguments, script=None, database="postgres", preexec_fn=None):
        """A started Pgbench; `script` is the text of a custom script."""
        arguments = list(arguments)
        if script is not None:
            path = os.path.join(server.folder.path, f"script{len(self.running)}.sql")
            with open(path, "w", encoding="utf-8") as file:
                file.write(script)
            os.chmod(path, 0o644)
            arguments += ["-n", "-f", path]
        bench = Pgbench(server, arguments, database, preexec_fn)
        self.running.append(bench)
        return bench

    def close(self):
        for running in self.running:
            running.close()
        self.running.clear()
