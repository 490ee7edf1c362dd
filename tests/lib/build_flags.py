# SPDX-License-Identifier: BSD-2-Clause
"""build_flags.py - asks the Makefile for what it knows, so that flags have one place. For the checkers of this folder."""
import os
import subprocess


def clean_environment():
    """The environment without what a calling make left in it."""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}


def ask_make(goal):
    """What one of the Makefile's print-... goals prints."""
    result = subprocess.run(["make", "-s", "--no-print-directory", goal], check=True, capture_output=True, text=True,
                            env=clean_environment())
    return result.stdout.strip()
