/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counted_exit.h - an _exit that does not throw away what coverage counted.
 *
 * Children of ours end with _exit, which leaves out the handler that writes the counts. A test program that starts
 * children includes this once; without coverage it is _exit as it was.
 */
#ifndef TAP_TESTS_LIB_COUNTED_EXIT_H
#define TAP_TESTS_LIB_COUNTED_EXIT_H

#include <sys/syscall.h>
#include <unistd.h>

extern void __gcov_exit(void) __attribute__((weak));

void _exit(int status)
{
	if (__gcov_exit)
		__gcov_exit();
	for (;;)
		syscall(SYS_exit_group, status);
}

#endif
