# SPDX-License-Identifier: BSD-2-Clause
"""test_kernels.py - dbtap on other kernels: loads, attaches, accounts, lets go. What ran is held against what was kept."""
import checks
import pytest
import record

REFUSED = ("5.10",)
SUPPORTED = ("6.1", "6.12", "7.2")


@pytest.mark.parametrize("booted", REFUSED, indirect=True)
class TestTooOld:
    def test_refuses_with_one_line(self, booted):
        checks.refuses(booted)

    def test_is_as_kept(self, booted):
        found = record.entry(booted, too_old=True)
        record.note(booted.name, booted, found)
        assert found == record.kept(booted.name)


@pytest.mark.parametrize("booted", SUPPORTED, indirect=True)
class TestSupported:
    @pytest.mark.parametrize("check", checks.CHECKS)
    def test_view(self, booted, check):
        checks.CHECKS[check](booted)

    def test_is_as_kept(self, booted):
        found = record.entry(booted)
        record.note(booted.name, booted, found)
        assert found == record.kept(booted.name)
