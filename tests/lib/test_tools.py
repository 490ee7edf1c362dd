# SPDX-License-Identifier: BSD-2-Clause
"""test_tools.py - the checkers and the runner themselves: each must be able to fail. Needs no root and no build."""
import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../.."))
sys.path.insert(0, HERE)

import check_includes  # noqa: E402
import coverage  # noqa: E402
import results  # noqa: E402
import run_tests  # noqa: E402
import verifier  # noqa: E402

TABLE = """
| folder | may include | owns |
| --- | --- | --- |
| `bpf/abi` | nothing | records |
| `userspace/base` | nothing | strings |
| `correlate` | `bpf/abi`, `userspace/base` | values |
| `userspace/load` | abi, base | links |
| `userspace/cmd` | everything | commands |
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def tree(tmp_path):
    write(tmp_path / "docs/architecture.md", TABLE)
    write(tmp_path / "bpf/abi/kind.h", "")
    write(tmp_path / "userspace/base/hash.h", "#include <stdint.h>\n")
    write(tmp_path / "correlate/row.h", '#include "bpf/abi/kind.h"\n#include "userspace/base/hash.h"\n')
    write(tmp_path / "userspace/load/open.c", '#include "tracer.skel.h"\n')
    write(tmp_path / "userspace/cmd/main.c", '#include "correlate/row.h"\n')
    return tmp_path


class TestIncludes:
    def complaints(self, tree):
        return check_includes.check_tree(str(tree))[1]

    def test_a_tree_by_the_table(self, tree):
        assert check_includes.check_tree(str(tree)) == (4, [])

    @pytest.mark.parametrize("path, included, part", (
        ("userspace/base/hash.c", "correlate/row.h", "may not include correlate"),
        ("correlate/model/window.c", "userspace/cmd/options.h", "not a path from the top"),
        ("correlate/row.c", "row.h", "not a path from the top"),
        ("correlate/row.c", "tracer.skel.h", "only userspace/load"),
        ("userspace/tui/top.c", "userspace/base/hash.h", "has no row"),
        ("bpf/abi/task.h", "userspace/base/hash.h", "may not include userspace/base"),
    ))
    def test_an_edge_that_is_not_there(self, tree, path, included, part):
        write(tree / path, f'#  include "{included}"\n')
        complaints = self.complaints(tree)
        assert len(complaints) == 1
        assert complaints[0].startswith(path + ":1: ") and part in complaints[0]

    def test_a_folder_below_belongs_to_its_row(self, tree):
        write(tree / "correlate/model/window.c", '#include "correlate/row.h"\n')
        assert self.complaints(tree) == []

    def test_a_circle(self, tree):
        write(tree / "docs/architecture.md", TABLE.replace("| `bpf/abi` | nothing", "| `bpf/abi` | correlate"))
        assert "in a circle" in self.complaints(tree)[0]

    def test_a_word_that_is_no_folder(self, tree):
        write(tree / "docs/architecture.md", TABLE.replace("abi, base", "abi, bace"))
        with pytest.raises(ValueError, match="bace"):
            self.complaints(tree)

    def test_a_document_without_table(self, tree):
        write(tree / "docs/architecture.md", "nothing")
        with pytest.raises(ValueError, match="no include table"):
            self.complaints(tree)


class TestAbi:
    def check(self, tmp_path, text):
        header = tmp_path / "abi.h"
        header.write_text('#include "bpf/abi/types.h"\n' + text)
        return subprocess.run([sys.executable, "tests/unit/bpf/abi/check_abi.py", str(header)], cwd=TOP, text=True,
                              capture_output=True, check=False)

    @pytest.mark.parametrize("body, complaint", (
        ("#ifdef __bpf__\n__u32 a;\n#else\n__u64 a;\n#endif\n", "the compilers differ"),
        ("__u32 a; __u64 b;", "4 bytes before b"),
        ("__u64 b; __u8 a;", "the last 7 bytes"),
        ("void *a;", "a is a pointer"),
        ("char *a[2];", "a is a pointer"),
        ("__u32 a:3; __u32 b:29;", "a is a bit-field"),
    ))
    def test_what_may_not_be(self, tmp_path, body, complaint):
        result = self.check(tmp_path, f"struct tap_x {{\n{body}\n}};\n")
        assert result.returncode == 1, result.stdout + result.stderr
        assert f"struct tap_x: {complaint}" in result.stdout

    def test_what_may_be(self, tmp_path):
        result = self.check(tmp_path, "struct tap_y {\n__u8 a[3]; __u8 pad; __u32 b;\n};\n"
                                      "struct tap_x {\n__u64 a; struct tap_y y[2];\n};\n")
        assert result.returncode == 0, result.stdout + result.stderr
        assert "2 structs" in result.stdout

    def test_nothing_found_is_a_failure(self, tmp_path):
        assert self.check(tmp_path, "").returncode == 1


CHECK_LOG = """<?xml version="1.0"?>
<testsuites xmlns="http://check.sourceforge.net/ns"><suite><title>s</title>
<test result="success"><fn>a.c:1</fn><id>one</id><iteration>0</iteration><duration>0.25</duration>
<message>Passed</message></test>
<test result="failure"><fn>a.c:2</fn><id>two</id><iteration>3</iteration><duration>-1.0</duration>
<message>Assertion &apos;\x01x&apos; failed</message></test></suite></testsuites>"""
JUNIT_LOG = """<testsuites><testsuite><testcase classname="tests.live.test_a" name="one" time="1.5"/>
<testcase classname="tests.live.test_a" name="two" time="0"><skipped message="needs root">x</skipped></testcase>
<testcase classname="tests.live.test_a" name="three" time="0"><failure message="assert 1&#10;more">trace</failure></testcase>
<testcase classname="tests.live.test_a" name="four" time="0"><error message="teardown">t</error></testcase>
</testsuite></testsuites>"""


class TestResults:
    def test_check_log(self, tmp_path):
        write(tmp_path / "log", CHECK_LOG)
        assert results.read_check_log(tmp_path / "log") == [
            ("one", True, 0.25, "a.c:1: Passed"), ("two[3]", False, 0.0, "a.c:2: Assertion '?x' failed")]

    def test_junit_log(self, tmp_path):
        write(tmp_path / "log", JUNIT_LOG)
        rows = results.read_junit_log(tmp_path / "log")
        assert [row[1] for row in rows] == ["passed", "skipped", "failed", "failed"]
        assert rows[0][:3] == ("tests/live/test_a::one", "passed", 1.5)
        assert rows[1][3] == "needs root"
        assert rows[2][3] == "assert 1" and "trace" in rows[2][4]

    @pytest.mark.parametrize("text", ("", "<testsuites><suite>", "no xml"))
    def test_broken_logs_are_no_logs(self, tmp_path, text):
        write(tmp_path / "log", text)
        assert results.read_check_log(tmp_path / "log") is None
        assert results.read_junit_log(tmp_path / "log") is None
        assert results.read_check_log(tmp_path / "missing") is None

    def test_counts_and_file(self, tmp_path):
        found = results.Results()
        assert not found.ok(), "nothing that passed is not good"
        found.add("unit", "a", "passed", 0.1, output="not kept")
        found.add("live", "b", "skipped", 0, "needs root")
        assert found.ok()
        found.add("unit", "c", "failed", 0.2, "why", "\x1b[31m" + "x" * 100000)
        assert not found.ok()
        assert found.closing_line() == "1 passed, 1 failed, 1 skipped"
        found.write(tmp_path / "results.json")
        document = json.loads((tmp_path / "results.json").read_text())
        assert (document["passed"], document["failed"], document["skipped"]) == (1, 1, 1)
        assert document["tests"][1] == {"group": "live", "name": "b", "outcome": "skipped", "seconds": 0,
                                        "reason": "needs root"}
        assert "output" not in document["tests"][0]
        assert len(document["tests"][2]["output"]) < 30000


def program(tmp_path, body):
    """A stand-in for a unit test program."""
    path = tmp_path / "tests/unit/test_x"
    write(path, "#!/bin/sh\n" + body)
    path.chmod(0o755)
    return str(path)


class TestRunner:
    @pytest.fixture(autouse=True)
    def logs(self, tmp_path, monkeypatch):
        monkeypatch.setattr(run_tests, "LOGS", str(tmp_path / "logs"))
        os.makedirs(tmp_path / "logs/unit")

    def test_a_program_that_crashes_is_a_failure_with_its_output(self, tmp_path):
        rows = run_tests.run_unit_program(program(tmp_path, "echo last words; kill -SEGV $$\n"))
        assert [row[:2] for row in rows] == [("test_x", "failed")]
        assert rows[0][3] == "killed by SIGSEGV, no log" and "last words" in rows[0][4]

    def test_a_program_that_was_not_built_is_a_failure(self):
        assert run_tests.run_unit_program("build/san/tests/unit/test_none")[0][1] == "failed"

    def test_all_tests_pass_but_the_program_fails(self, tmp_path):
        log = CHECK_LOG.replace("failure", "success").replace("\x01", "")
        rows = run_tests.run_unit_program(program(tmp_path, f"cat >$TAP_TEST_XML <<'X'\n{log}\nX\necho leak; exit 23\n"))
        assert [row[1] for row in rows] == ["passed", "passed", "failed"]
        assert rows[2][3] == "exit status 23"

    def test_what_takes_too_long_is_killed(self):
        status, output, seconds = run_tests.run(["sh", "-c", "echo begun; sleep 60"], 0.5)
        assert status == -9 and "begun" in output and "killed after" in output and seconds < 10


class TestCoverage:
    lines = {"correlate/a.c": {1: 1, 2: 0}, "correlate/engine/b.c": {1: 5, 2: 1}, "userspace/base/c.c": {1: 0}}

    def test_sums(self):
        assert coverage.summarise(self.lines, "total") == (3, 5)
        assert coverage.summarise(self.lines, "correlate") == (3, 4)
        assert coverage.summarise(self.lines, "correlate/a.c") == (1, 2)

    def test_thresholds(self):
        assert list(coverage.below_thresholds(self.lines, [("correlate/engine", 100), ("total", 60)])) == []
        complaints = list(coverage.below_thresholds(self.lines, [("correlate", 80), ("userspace/gone", 90)]))
        assert len(complaints) == 2 and "75.0 %" in complaints[0] and "no lines" in complaints[1]

    def test_the_table_is_readable(self):
        rows = coverage.read_thresholds(os.path.join(HERE, "coverage_thresholds.txt"))
        assert ("total", 90.0) in rows

    def test_ranges(self):
        assert coverage.ranges([7, 1, 3, 2]) == "1-3 7"


class TestVerifier:
    def test_keeps_and_reads(self, tmp_path):
        path = str(tmp_path / "kept")
        assert verifier.read_kept(path) == (None, {})
        verifier.keep(path, "6.1, clang 14", {"b": 2, "a": 1})
        assert verifier.read_kept(path) == ("6.1, clang 14", {"a": 1, "b": 2})

    @pytest.mark.parametrize("count, before, grew", ((100, None, False), (11000, 10000, False), (11001, 10000, True),
                                                      (500, 34, False), (535, 34, True), (9, 100, False)))
    def test_growth(self, count, before, grew):
        assert verifier.describe(count, before)[1] is grew


class TestPackages:
    """packages.sh beside a dpkg-query and an apt-get that are scripts."""

    def run(self, tmp_path, installed):
        bins = tmp_path / "bin"
        write(bins / "dpkg-query", '#!/bin/sh\nfor last; do :; done\n'
                                   f'case " {installed} " in *" $last "*) printf installed ;; *) exit 1 ;; esac\n')
        write(bins / "apt-get", f'#!/bin/sh\necho "$@" >>{tmp_path}/apt\n')
        write(bins / "apt-cache", '#!/bin/sh\n[ "$2" = b ]\n')
        write(bins / "id", "#!/bin/sh\necho 0\n")
        for tool in bins.iterdir():
            tool.chmod(0o755)
        lib = tmp_path / "lib"
        write(lib / "packages.sh", open(os.path.join(HERE, "packages.sh"), encoding="utf-8").read())
        write(lib / "packages.x", "# comment\n\na | b\nc # why\n")
        subprocess.run(["bash", str(lib / "packages.sh"), "x"], check=True, capture_output=True,
                       env={**os.environ, "PATH": f"{bins}:{os.environ['PATH']}"})
        asked = tmp_path / "apt"
        return asked.read_text().split() if asked.exists() else []

    def test_nothing_missing_asks_for_nothing(self, tmp_path):
        assert self.run(tmp_path, "b c") == []

    def test_of_two_the_one_apt_knows(self, tmp_path):
        assert self.run(tmp_path, "c")[-1] == "b"

    def test_only_what_is_missing(self, tmp_path):
        asked = self.run(tmp_path, "a")
        assert asked[-1] == "c" and "b" not in asked


class TestSecondTry:
    """A test that fails once, a second time, or not: with and without time that was stolen."""
    TESTS = """
import pytest
tries = {"once": 0, "fixture": 0}

@pytest.fixture
def made():
    tries["fixture"] += 1
    return tries["fixture"]

def test_once(made):
    tries["once"] += 1
    assert tries["once"] == 2, "a stall"
    assert made == 2

def test_always():
    assert False, "wrong"

def test_good():
    pass
"""

    def run(self, folder, stolen_ns):
        """(rows of its log by name, what the run printed) when so much is stolen between two readings."""
        write(folder / "test_it.py", self.TESTS)
        write(folder / "conftest.py", f"""
import itertools
import second_try
readings = itertools.count(step={stolen_ns})
second_try.stolen_ns = lambda: next(readings)
pytest_plugins = ("second_try",)
""")
        log = folder / "log.xml"
        done = subprocess.run([sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={log}", str(folder)],
                              env={**os.environ, "PYTHONPATH": HERE}, capture_output=True, text=True, timeout=60, check=False)
        return {row[0].rpartition("::")[2]: row for row in results.read_junit_log(str(log))}, done.stdout

    def test_stolen(self, tmp_path):
        rows, printed = self.run(tmp_path, 10**12)
        assert "a stall" in rows["test_once"][3] and not rows["test_good"][3]
        assert {name: row[1] for name, row in rows.items()} == {"test_once": "passed", "test_always": "failed", "test_good": "passed"}
        assert "first try of " in printed and "test_it.py::test_once =" in printed and "a stall" in printed

    def test_not_stolen(self, tmp_path):
        rows, printed = self.run(tmp_path, 0)
        assert {name: row[1] for name, row in rows.items()} == {"test_once": "failed", "test_always": "failed", "test_good": "passed"}
        assert "first try" not in printed
