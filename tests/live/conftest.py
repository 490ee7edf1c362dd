# SPDX-License-Identifier: BSD-2-Clause
"""conftest.py - the fixtures of the live tests: real servers, the real dbtap, and a look at what it leaves behind.

    server            a running PostgreSQL with default settings, one for the whole run: leave it as you found it
    make_server       make_server(settings={...}, preload=[...], initdb=[...], start=True) -> a server of the test's own
    my_folder         where MariaDB servers are made: my_folder.server(settings={...}); my_server is a running one
    dbtap             dbtap("queries", "--format", "json", timeout=60) -> Outcome; dbtap.start(...) -> Running
    load              load.pgbench(...), load.session(...): see tests/lib/load.py
    volume            an ext4 file system on a loop device of the test's own: see tests/lib/loop_device.py
    make_volume       make_volume("xfs", size_mib=768) -> another one
    server_on         server_on(volume, settings={...}) -> a server of the test's own with its data folder there
    module_disk       module_disk("ext4", settings={...}) -> (volume, server) for all tests of a file
    block_recorder    block_recorder(volume) -> a running tests/lib/block_events.py; skips the test where there can be none
    cgroup            a control group of the test's own: cgroup.add(pid), cgroup.enter (preexec_fn), cgroup.usage_ns()

Servers are those of tests/lib/pg_server.py. Tests without the mark `rootless` are skipped without root.
"""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import block_events  # noqa: E402
import cgroup as cgroups  # noqa: E402
import dbtap_process  # noqa: E402
import load as loads  # noqa: E402
import loop_device  # noqa: E402
import mariadb  # noqa: E402
import pg_server  # noqa: E402

pytest_plugins = ("second_try",)


def pytest_configure(config):
    config.addinivalue_line("markers", "rootless: the test needs no root")


def pytest_collection_modifyitems(items):
    built = os.access(dbtap_process.binary(), os.X_OK)
    for item in items:
        if os.geteuid() != 0 and not item.get_closest_marker("rootless"):
            item.add_marker(pytest.mark.skip(reason="needs root"))
        elif not built:
            item.add_marker(pytest.mark.skip(reason=f"{dbtap_process.binary()} is not built"))


@pytest.fixture(scope="session")
def server_folder():
    if not pg_server.binaries():
        pytest.skip("no PostgreSQL server is installed")
    folder = pg_server.Folder()
    yield folder
    folder.close()
    left = dbtap_process.wait_for_none(lambda: dbtap_process.processes_inside(folder.path))
    assert not left, f"processes left under {folder.path}: {left}"


@pytest.fixture(scope="session")
def server(server_folder):
    return server_folder.server(preload=["pg_stat_statements"])


@pytest.fixture
def make_server(server_folder):
    made = []

    def make(**arguments):
        made.append(server_folder.server(**arguments))
        return made[-1]

    yield make
    for one in made:
        one.stop()
    left = dbtap_process.wait_for_none(
        lambda: {pid: where for one in made for pid, where in dbtap_process.processes_inside(one.data).items()})
    assert not left, f"server processes left: {left}"


@pytest.fixture(scope="session")
def my_folder():
    reason = mariadb.missing()
    if reason:
        pytest.skip(reason)
    folder = mariadb.Folder()
    yield folder
    folder.close()
    left = dbtap_process.wait_for_none(lambda: dbtap_process.processes_inside(folder.path))
    assert not left, f"processes left under {folder.path}: {left}"


@pytest.fixture(scope="session")
def my_server(my_folder):
    return my_folder.server()


@pytest.fixture
def block_recorder():
    started = []

    def start(volume):
        try:
            started.append(block_events.Recorder(volume))
        except block_events.Unavailable as reason:
            pytest.skip(str(reason))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def make_volume():
    made = []

    def make(filesystem="ext4", **arguments):
        reason = loop_device.missing(filesystem)
        if reason:
            pytest.skip(reason)
        made.append(loop_device.Volume(filesystem, **arguments))
        return made[-1]

    yield make
    errors = []
    for one in reversed(made):
        try:
            one.close()
        except RuntimeError as error:
            errors.append(str(error))
    left = [one.node for one in made if one.name and (one.attached() or one.mounted())]
    assert not errors and not left, (errors, left)


@pytest.fixture
def volume(make_volume):
    return make_volume()


@pytest.fixture
def server_on(make_volume, make_server):  # in this order: servers are stopped before their disk goes
    def make(volume, name="data", **arguments):
        return make_server(data=os.path.join(volume.path, name), **arguments)

    return make


@pytest.fixture(scope="module")
def module_disk(server_folder):
    """module_disk("ext4", settings={...}) -> a volume and a server on it, for all tests of a file."""
    made = []

    def make(filesystem="ext4", size_mib=1024, **arguments):
        reason = loop_device.missing(filesystem)
        if reason:
            pytest.skip(reason)
        volume = loop_device.Volume(filesystem, size_mib=size_mib)
        made.append(volume)
        server = server_folder.server(data=os.path.join(volume.path, "data"), **arguments)
        made.append(server)
        return volume, server

    yield make
    for one in reversed(made):
        (one.close if isinstance(one, loop_device.Volume) else one.stop)()


@pytest.fixture
def dbtap():
    launcher = dbtap_process.Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def load():
    running = loads.Load()
    yield running
    running.close()


@pytest.fixture
def cgroup():
    if not cgroups.find_hierarchy():
        pytest.skip("no cgroup hierarchy with CPU accounting is mounted")
    group = cgroups.Cgroup(f"dbtap-test-{os.getpid()}")
    yield group
    group.remove()


def leftovers():
    programs = dbtap_process.program_ids() if os.geteuid() == 0 else set()
    return {"processes": dbtap_process.marked_processes(), "BPF programs": programs,
            "BPF links": dbtap_process.link_ids(programs) if programs else set()}


@pytest.fixture(autouse=True)
def nothing_is_left(request):
    """Torn down last: no dbtap process of ours, no program or link of ours that was not there before."""
    before = leftovers()
    # Asked for here, so that it is closed before the look below.
    request.getfixturevalue("dbtap")
    yield

    launcher = request.getfixturevalue("dbtap")
    launcher.close()
    # What comes later, of others at work on this machine, was not left by this test.
    ours = {what: set(found) - set(before[what]) for what, found in leftovers().items()}

    def still_there():
        now = leftovers()
        return {what: {one: now[what][one] for one in ours[what] & set(now[what])} if isinstance(now[what], dict) else ours[what] & now[what]
                for what in now if ours[what] & set(now[what])}

    left = dbtap_process.wait_for_none(still_there)
    assert not left, f"left behind: {left}"
