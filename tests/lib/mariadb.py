# SPDX-License-Identifier: BSD-2-Clause
"""mariadb.py - throwaway MariaDB servers for live tests.

A Folder holds everything: data directories, sockets, logs. Servers run as an unprivileged user, listen on a socket in the
folder only, read no configuration of the host, and die with the process that started them.
"""
import os
import signal
import subprocess
import tempfile

import server_process

try:
    import pymysql
except ImportError:  # the tests are skipped then
    pymysql = None

PROGRAM = "/usr/sbin/mariadbd"
USERS = ("mysql", "nobody")  # servers run as the first that is there
# Small, and with real flushes: tests of waits want them.
SETTINGS = {"innodb_buffer_pool_size": "64M", "innodb_log_file_size": "16M", "skip-networking": "ON",
            "performance_schema": "OFF"}


def missing():
    """Why no server can be had, or None."""
    if not os.access(PROGRAM, os.X_OK):
        return "no MariaDB server is installed"
    return None if pymysql else "python3-pymysql is not installed"


class Folder:
    """A folder of our own for servers; close() removes it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="dbtap-my-", dir="/tmp")
        os.chmod(self.path, 0o755)
        server_process.give(self.path, USERS)
        self.servers = []
        self.template = None

    def make_template(self):
        """A fresh data directory, made once."""
        if not self.template:
            data = os.path.join(self.path, "template")
            os.mkdir(data)
            server_process.give(data, USERS)
            result = subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                                     "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M"],
                                    cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, timeout=120, check=False, **server_process.credentials(USERS))
            if result.returncode:
                raise RuntimeError(f"mariadb-install-db: exit status {result.returncode}: {result.stdout}")
            self.template = data
        return self.template

    def server(self, settings=None, start=True):
        server = Server(self, len(self.servers), settings or {})
        self.servers.append(server)
        if start:
            server.start()
        return server

    def close(self):
        server_process.close_folder(self.path, self.servers)


class Server(server_process.Process):
    """One instance. `socket`, `data`, `pid`, `instance` (the name dbtap gives it: it listens on no port)."""

    REFUSED = pymysql.err.OperationalError if pymysql else OSError

    def __init__(self, folder, number, settings):
        self.folder = folder
        self.data = os.path.join(folder.path, f"data{number}")
        self.socket = os.path.join(folder.path, f"s{number}.sock")
        self.log = os.path.join(folder.path, f"log{number}")
        self.settings = {**SETTINGS, **settings}
        subprocess.run(["cp", "-a", folder.make_template(), self.data], check=True)

    @property
    def instance(self):
        return f"mariadb-pid-{self.pid}"

    def start(self):
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        self.spawn([PROGRAM, "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}", f"--pid-file={self.data}/server.pid",
                    f"--tmpdir={self.folder.path}", *options], self.data, USERS)

    def stop(self):
        self.end(((signal.SIGTERM, 30), (signal.SIGKILL, 10)))

    def connect(self, database=None, autocommit=True, **more):
        """A pymysql connection; the caller closes it."""
        return pymysql.connect(unix_socket=self.socket, user="root", database=database, autocommit=autocommit, **more)

    def query(self, sql, parameters=None, database=None):
        """Rows of one statement on a connection of its own."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def tids(self):
        """Every thread of the server."""
        return sorted(map(int, os.listdir(f"/proc/{self.pid}/task")))

    def pids(self):
        """What may come and go, for trace.settled_pids."""
        return self.tids() if self.process else []
