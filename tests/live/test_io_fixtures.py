# SPDX-License-Identifier: BSD-2-Clause
"""test_io_fixtures.py - the private disk, the cold reads and the known patterns the other I/O tests rely on, proven without dbtap."""
import os
import subprocess

import fio
import loop_device
import page_cache
import pytest

MIB = 1 << 20


@pytest.fixture
def with_fio():
    if fio.missing():
        pytest.skip(fio.missing())


@pytest.mark.parametrize("filesystem", ("ext4", "xfs"))
def test_a_disk_of_ones_own(make_volume, filesystem):
    volume = make_volume(filesystem)
    path = fio.make_file(os.path.join(volume.path, "file"), 16 * MIB)
    page_cache.drop(path)
    before = volume.settle()
    with open(path, "rb") as file:
        assert len(file.read()) == 16 * MIB
    read = loop_device.difference(volume.settle(), before)
    # The data and, at most, what the file system had to look up.
    assert 16 * MIB <= read.read_bytes < 16.1 * MIB and read.write_bytes == 0
    assert page_cache.cached_bytes(path) == 16 * MIB
    before = volume.settle()
    with open(path, "rb") as file:
        file.read()
    assert volume.settle().read_bytes == before.read_bytes


def test_it_is_given_back(make_volume):
    volume = make_volume(size_mib=320)
    assert volume.mounted() and volume.attached()
    with open(os.path.join(volume.path, "open"), "wb") as file, pytest.raises(RuntimeError):
        file.write(b"x")
        volume.close(seconds=1)
    assert not volume.mounted()
    volume.close()
    assert not volume.attached() and not os.path.exists(volume.home)


def test_it_is_given_back_when_the_run_dies(tmp_path):
    if loop_device.missing():
        pytest.skip(loop_device.missing())
    script = ("import os, sys\nsys.path.insert(0, sys.argv[1])\nimport loop_device\nvolume = loop_device.Volume(size_mib=320)\n"
              "print(volume.name, volume.home, flush=True)\nos.kill(os.getpid(), 9)\n")
    died = subprocess.run(["/usr/bin/python3", "-B", "-c", script, os.path.dirname(loop_device.__file__)], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    name, home = died.stdout.split()
    assert died.returncode == -9
    backing = f"/sys/block/{name}/loop/backing_file"
    page_cache.wait_for(lambda: not (os.path.exists(backing) and home in open(backing, encoding="utf-8").read()))
    with open("/proc/self/mounts", encoding="utf-8") as file:
        assert home not in file.read()
    page_cache.wait_for(lambda: not os.path.exists(home))


def test_a_server_on_it(volume, server_on):
    server = server_on(volume)
    server.query("create table t as select i, repeat('x', 200) from generate_series(1, 20000) i")
    server.query("checkpoint")
    path = os.path.join(server.data, server.query("select pg_relation_filepath('t')")[0][0])
    server.restart()  # its own cache
    page_cache.drop(path)
    before = volume.settle()
    server.query("select count(*) from t")
    read = loop_device.difference(volume.settle(), before)
    assert 0 <= read.read_bytes - os.path.getsize(path) < MIB


def test_known_patterns(volume, with_fio, tmp_path):
    path = fio.make_file(os.path.join(volume.path, "file"), 32 * MIB)
    before = volume.settle()
    result = fio.run(path, log=str(tmp_path / "log"), rw="read", bs="64k", direct=1, zonemode="strided", zonesize="64k",
                     zonerange="128k", io_size="8m")
    read = loop_device.difference(volume.settle(), before)
    assert result.read_bytes == read.read_bytes == sum(size for _, _, size in result.issued)
    gaps = {after[1] - one[1] - one[2] for one, after in zip(result.issued, result.issued[1:])}
    assert gaps <= {64 * 1024}, gaps
    assert 0 < result.percentiles()[50] <= result.percentiles()[95] <= result.percentiles()[99]
