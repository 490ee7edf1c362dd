# SPDX-License-Identifier: BSD-2-Clause
"""test_support.py - docs/support.md says what was kept of the runs, and nothing else. Needs no root, no machine and no build."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import record  # noqa: E402
import support  # noqa: E402


def test_the_document_is_what_was_kept():
    with open(support.PATH, encoding="utf-8") as file:
        assert file.read() == support.text(record.read(record.KEPT)), "make vm-keep writes it anew"


def test_every_kernel_that_is_booted_was_kept():
    import kernels
    assert set(record.read(record.KEPT)["kernels"]) == set(kernels.KERNELS)


def test_a_view_that_fails_shows():
    entry = {"loads": True, "release": "9.9.9", "lacks": {"a thing": "needed for that"}, "works": ["queries"], "fails": ["locks"]}
    made = support.text({"kernels": {"9.9": entry}})
    assert "all below but locks" in made and "| a thing | 9.9 | needed for that |" in made


def test_a_kernel_that_is_refused_shows():
    made = support.text({"kernels": {"5.1": {"loads": False, "release": "5.1.2", "lacks": {}, "refusal": "dbtap: too old"}}})
    assert "| 5.1 | `5.1.2` | no |" in made and "    dbtap: too old" in made
