# SPDX-License-Identifier: BSD-2-Clause
"""image.py - what a machine boots into: this host's programs and libraries as an initramfs, and disks with a server's data.

    base = image.Base(folder)             the part that all kernels share, made once
    base.initrd(kernel, modules, path)    that and a kernel's modules, in the order they are to be loaded
    base.data_disk(path)                  a file system with the data folder of a PostgreSQL server, made on this host

Nothing is mounted and no root is needed, but for giving the data folder to the server's user.
"""
import os
import pwd
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))

import dbtap_process  # noqa: E402
import pg_server  # noqa: E402

MIB = 1 << 20
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C"}
# Programs of this host that the guest's script uses, beside busybox, dbtap and the server.
PROGRAMS = ("bpftool", "setpriv", "dmsetup", "mdadm")
SERVER_PROGRAMS = ("postgres", "psql")
# Of the server's modules the one for compiling queries is larger than all the rest, and off here.
NOT_SERVER = re.compile(r"llvmjit|bitcode|pgxs|\.a$")
PORT = 5432
SETTINGS = {"listen_addresses": "", "unix_socket_directories": "/run", "port": PORT, "shared_buffers": "16MB", "autovacuum": "off",
            "logging_collector": "off", "compute_query_id": "on", "jit": "off", "max_parallel_workers_per_gather": 0,
            "checkpoint_timeout": "1h", "bgwriter_lru_maxpages": 0, "wal_writer_delay": "10s", "full_page_writes": "off",
            "shared_preload_libraries": "pg_stat_statements", "fsync": "on"}
# Tables that the guest's script asks for: `big` is read from the disk, `held` is fought over.
TABLES = """create table big as select i, repeat('x', 200) as filler from generate_series(1, 60000) i;
create table held (id int primary key, v int);
insert into held values (1, 0);
create extension pg_stat_statements;
vacuum freeze;
checkpoint;
"""


def run(command, **more):
    result = subprocess.run([str(word) for word in command], stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, env=ENVIRONMENT, check=False, **more)
    if result.returncode:
        text = result.stdout.decode("utf-8", "replace")
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status {result.returncode}: {text.strip()}")
    return result.stdout


def find_program(name):
    path = shutil.which(name, path=ENVIRONMENT["PATH"])
    if not path:
        raise RuntimeError(f"{name} is not installed")
    return os.path.realpath(path)


def libraries(path):
    """The files that the dynamic linker loads for a program, under the names it looks for."""
    text = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT,
                          check=False).stdout
    return set(re.findall(r"(?:=> )?(/\S+) \(0x", text))


class Base:
    def __init__(self, folder):
        self.folder = folder
        self.root = os.path.join(folder, "root")
        self.server = pg_server.binaries()
        if not self.server:
            raise RuntimeError("no PostgreSQL server is installed")
        self.user = pwd.getpwnam(pg_server.USER)
        self.fill()
        self.archive = self.pack(self.root, os.path.join(folder, "base.cpio"))

    def copy(self, path, target=None):
        """A file, under its own name or another, and what it is linked with."""
        place = os.path.join(self.root, (target or path).lstrip("/"))
        if os.path.exists(place):
            return
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy2(path, place)
        for library in libraries(path):
            self.copy(library)

    def copy_server(self):
        for name in SERVER_PROGRAMS:
            self.copy(os.path.join(self.server, name))
        top = os.path.dirname(self.server)
        share = run([os.path.join(self.server, "pg_config"), "--sharedir"]).decode().strip()
        for place in (os.path.join(top, "lib"), share):
            for folder, _, names in os.walk(place):
                for name in names:
                    path = os.path.join(folder, name)
                    if not NOT_SERVER.search(path) and not os.path.islink(path):
                        self.copy(path)
        if os.path.isdir("/usr/share/zoneinfo"):
            self.copy("/usr/share/zoneinfo/Etc/UTC")

    def fill(self):
        for folder in ("proc", "sys", "dev", "run", "tmp", "etc", "bin", "results", "data", "modules"):
            os.makedirs(os.path.join(self.root, folder))
        # Merged as the host's are: libraries are looked for below both.
        for name in ("lib", "lib64", "sbin"):
            if os.path.islink(f"/{name}"):
                os.makedirs(os.path.join(self.root, "usr", name), exist_ok=True)
                os.symlink(f"usr/{name}", os.path.join(self.root, name))
        for name in PROGRAMS:
            self.copy(find_program(name))
        self.copy(find_program("busybox"), "/bin/busybox")
        self.copy(dbtap_process.binary(), "/bin/dbtap")
        self.copy_server()
        for name in ("init", "steps.sh"):
            self.copy(os.path.join(HERE, "guest", name), f"/{name}")
            os.chmod(os.path.join(self.root, name), 0o755)
        with open(os.path.join(self.root, "etc/passwd"), "w", encoding="ascii") as file:
            file.write(f"root:x:0:0::/:/bin/sh\n{pg_server.USER}:x:{self.user.pw_uid}:{self.user.pw_gid}::/run:/bin/sh\n")
        with open(os.path.join(self.root, "etc/group"), "w", encoding="ascii") as file:
            file.write(f"root:x:0:\n{pg_server.USER}:x:{self.user.pw_gid}:\n")
        with open(os.path.join(self.root, "etc/environment"), "w", encoding="ascii") as file:
            file.write(f"SERVER={self.server}\nSERVER_UID={self.user.pw_uid}\nSERVER_GID={self.user.pw_gid}\nPORT={PORT}\n")

    def pack(self, root, path):
        names = b"\n".join(os.path.relpath(os.path.join(folder, name), root).encode()
                           for folder, folders, files in os.walk(root) for name in sorted(folders) + sorted(files))
        with open(path, "wb") as file:
            subprocess.run([find_program("busybox"), "cpio", "-o", "-H", "newc", "-R", "0:0"], cwd=root, input=names, stdout=file,
                           stderr=subprocess.DEVNULL, check=True)
        return path

    def initrd(self, kernel, modules, path):
        """The kernel unpacks one archive after the other."""
        root = os.path.join(self.folder, f"modules-{kernel.release}")
        os.makedirs(os.path.join(root, "modules"))
        for number, (name, data) in enumerate(kernel.with_needed(modules)):
            with open(os.path.join(root, f"modules/{number:03}-{name}.ko"), "wb") as file:
                file.write(data)
        with open(path, "wb") as file:
            for archive in (self.archive, self.pack(root, path + ".modules")):
                with open(archive, "rb") as part:
                    shutil.copyfileobj(part, file)
                file.write(b"\0" * (-file.tell() % 512))
        os.unlink(path + ".modules")
        shutil.rmtree(root)

    def data_folder(self):
        """A data folder, made by the server's own programs on this host."""
        folder = os.path.join(self.folder, "data")
        if os.path.exists(folder):
            return folder
        servers = pg_server.Folder()
        try:
            server = servers.server(settings={key: value for key, value in SETTINGS.items() if key == "shared_preload_libraries"})
            for statement in filter(str.strip, TABLES.split(";")):
                server.query(statement)
            server.stop()
            with open(os.path.join(server.data, "postgresql.conf"), "a", encoding="utf-8") as file:
                file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
            run(["cp", "-a", server.data, folder])
        finally:
            servers.close()
        return folder

    def data_disk(self, path, size_mib=192):
        """An image of an ext4 file system with the data folder as its `pg`."""
        top = os.path.join(self.folder, "disk")
        if not os.path.exists(top):
            os.mkdir(top)
            os.rename(self.data_folder(), os.path.join(top, "pg"))
        with open(path, "wb") as file:
            file.truncate(size_mib * MIB)
        run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", "-d", top, path])
