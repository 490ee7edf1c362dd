/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_main.h - runs the suite of a unit test program.
 *
 * Every tests/unit/.../test_<name>.c ends with: int main(void) { return tap_test_run(make_suite()); }
 */
#ifndef TAP_TESTS_LIB_CHECK_MAIN_H
#define TAP_TESTS_LIB_CHECK_MAIN_H

#include <check.h>

/*
 * Runs `suite` (which it frees) and returns 0 when every test passed and there was at least one, else 1. The
 * environment may ask for logs: TAP_TEST_LOG names a TAP file, TAP_TEST_XML one in Check's XML; CK_FORK=no is for
 * debuggers.
 */
int tap_test_run(Suite *suite);

#endif
