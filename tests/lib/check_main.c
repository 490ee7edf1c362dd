// SPDX-License-Identifier: BSD-2-Clause
/* check_main.c - the one place where unit tests meet Check's runner and the sanitizers' defaults. */
#include "tests/lib/check_main.h"

#include <stdio.h>
#include <stdlib.h>

/* Read by the sanitizers at start, before ASAN_OPTIONS and UBSAN_OPTIONS, so that a program run by hand behaves the
 * same. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	/* Tests ask for absurd sizes on purpose: those must come back as NULL. */
	return "allocator_may_return_null=1:detect_stack_use_after_return=1";
}

const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}

int tap_test_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	const char *tap = getenv("TAP_TEST_LOG");
	const char *xml = getenv("TAP_TEST_XML");
	int failed, ran;

	if (tap && *tap)
		srunner_set_tap(runner, tap);
	if (xml && *xml)
		srunner_set_xml(runner, xml);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	ran = srunner_ntests_run(runner);
	srunner_free(runner);
	if (!ran)
		fprintf(stderr, "no test ran\n");
	return failed || !ran;
}
