# SPDX-License-Identifier: BSD-2-Clause
"""mariadb.py - throwaway MariaDB and MySQL servers for live tests.

A Folder holds everything: data directories, sockets, logs. Servers run as an unprivileged user, listen on a socket in the
folder only, read no configuration of the host, and die with the process that started them. With TAP_MY_SERVER=mysql-9.7 they are
those of that row of my_versions.py, with the folder they were unpacked into as their root; else the host's.
"""
import glob
import os
import signal
import subprocess
import tempfile

import my_versions
import server_process

try:
    import pymysql
except ImportError:  # the tests are skipped then
    pymysql = None

USERS = ("mysql", "nobody")  # servers run as the first that is there
# Small, and with real flushes: tests of waits want them.
SETTINGS = {"innodb_buffer_pool_size": "64M", "lock_wait_timeout": "60", "skip-networking": "ON", "performance_schema": "OFF"}
PRODUCT_SETTINGS = {
    "mariadb": {"innodb_log_file_size": "16M"},
    "mysql": {"innodb_redo_log_capacity": "32M", "mysqlx": "OFF", "performance_schema": "ON", "secure_file_priv": "NULL"},
}


BOOT_SECONDS = 180
# The tables of the server's own database, in the order its installer makes them.
SYSTEM_TABLES = ("system_tables.sql", "performance_tables.sql", "system_tables_data.sql")


class Build:
    """A server's program: where it is, and which product."""

    def __init__(self, name=None):
        self.name = name or "host"
        self.root = my_versions.root(name) if name else ""
        self.program = f"/{my_versions.SERVERS[name][2]}" if name else "/usr/sbin/mariadbd"
        self.product = name.split("-")[0] if name else "mariadb"

    def missing(self):
        """Why it cannot be had, or None."""
        if self.root is None or not os.access(self.root + self.program, os.X_OK):
            return f"{self.name}: no such server is here"
        return None if pymysql else "python3-pymysql is not installed"

    def inside(self, path):
        """The path as the server sees it."""
        return path[len(self.root):] if self.root else path

    def enter(self):
        """In the child: the server's root and user, in this order. A change of user takes back that it dies with us."""
        if not self.root:
            return
        user = server_process.user(USERS)
        os.chroot(self.root)
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        server_process.die_with_parent()

    @property
    def users(self):
        """Whom the child becomes before `enter`, which needs to be root."""
        return () if self.root else USERS

    def tables(self):
        """What makes MariaDB's own database."""
        text = "create database mysql;\nuse mysql;\nset @auth_root_socket=NULL;\n"
        for wanted_table in SYSTEM_TABLES:
            name = sorted(glob.glob(f"{self.root}/usr/share/m*/m*_{wanted_table}"))[0]
            with open(name, encoding="utf-8") as file:
                text += "".join(line for line in file if "@current_hostname" not in line)
        return text

    def boot_command(self, data):
        if self.product == "mysql":
            return [self.program, "--no-defaults", "--initialize-insecure", f"--datadir={data}"], ""
        return [self.program, "--no-defaults", "--bootstrap", f"--datadir={data}", f"--tmpdir={data}", "--innodb-log-file-size=16M",
                "--enforce-storage-engine=", "--max-allowed-packet=8M", "--net-buffer-length=16K"], self.tables()

    def make_data(self, path, folder):
        """A fresh data folder."""
        if self.root:
            command, text = self.boot_command(self.inside(path))
            how = {"preexec_fn": self.enter}
        else:
            command, text = ["mariadb-install-db", "--no-defaults", f"--datadir={path}", "--skip-test-db",
                             "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M"], ""
            how = server_process.credentials(USERS)
        result = subprocess.run(command, cwd=folder, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                timeout=BOOT_SECONDS, check=False, **how)
        if result.returncode:
            raise RuntimeError(f"{command[0]}: exit status {result.returncode}: {result.stdout}")


def wanted():
    """The build that tests are to use."""
    return Build(os.environ.get("TAP_MY_SERVER") or None)


def missing():
    """Why no server can be had, or None."""
    return wanted().missing()


class Folder:
    """A folder of our own for servers; close() removes it."""

    def __init__(self, build=None):
        self.build = build or wanted()
        self.path = tempfile.mkdtemp(prefix="dbtap-my-", dir=f"{self.build.root}/tmp")
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
            self.build.make_data(data, self.path)
            self.template = data
        return self.template

    def server(self, settings=None, start=True, data=None):
        """`data`: where its data folder is to be, on another file system perhaps."""
        server = Server(self, len(self.servers), settings or {}, data)
        self.servers.append(server)
        if start:
            server.start()
        return server

    def close(self):
        server_process.close_folder(self.path, self.servers)


class Server(server_process.Process):
    """One instance. `socket`, `data`, `pid`, `instance` (the name dbtap gives it: it listens on no port)."""

    REFUSED = pymysql.err.OperationalError if pymysql else OSError

    def __init__(self, folder, number, settings, data=None):
        self.folder = folder
        self.build = folder.build
        self.data = data or os.path.join(folder.path, f"data{number}")
        self.socket = os.path.join(folder.path, f"s{number}.sock")
        self.log = os.path.join(folder.path, f"log{number}")
        self.settings = {**SETTINGS, **PRODUCT_SETTINGS[self.build.product], **settings}
        subprocess.run(["cp", "-a", folder.make_template(), self.data], check=True)

    @property
    def instance(self):
        return f"{self.build.product}-pid-{self.pid}"

    @property
    def data_seen(self):
        """The data folder as dbtap calls it."""
        return f"/proc/{self.pid}/root{self.build.inside(self.data)}" if self.build.root else self.data

    def start(self):
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        data, inside = self.build.inside(self.data), self.build.inside
        self.spawn([self.build.program, "--no-defaults", f"--datadir={data}", f"--socket={inside(self.socket)}",
                    f"--pid-file={data}/server.pid", f"--tmpdir={inside(self.folder.path)}", *options], self.data, self.build.users,
                   self.build.enter)

    def stop(self):
        self.end(((signal.SIGTERM, 30), (signal.SIGKILL, 10)))

    def connect(self, database=None, autocommit=True, user="root", **more):
        """A pymysql connection; the caller closes it."""
        return pymysql.connect(unix_socket=self.socket, user=user, database=database, autocommit=autocommit, **more)

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
