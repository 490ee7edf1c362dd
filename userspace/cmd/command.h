/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - what a command is. One file per command defines one of these; main.c has the table.
 */
#ifndef TAP_USERSPACE_CMD_COMMAND_H
#define TAP_USERSPACE_CMD_COMMAND_H

#include "userspace/cmd/options.h"

enum tap_exit {
	TAP_EXIT_OK = 0,
	TAP_EXIT_FAILED = 1,
	TAP_EXIT_USAGE = 2,
	TAP_EXIT_PARTIAL = 3,
};

struct tap_command {
	const char *name;
	const char *summary;	 /* one line for `dbtap --help` */
	const char *description; /* what `dbtap NAME --help` says before the options */
	const char *arguments;	 /* after the options in the usage line; "" for none */
	unsigned options;	 /* enum tap_option_group bits it takes */
	int max_arguments;
	int (*run)(const struct tap_options *options); /* an enum tap_exit */
};

extern const struct tap_command tap_command_doctor;
extern const struct tap_command tap_command_demo;
extern const struct tap_command tap_command_instances;
extern const struct tap_command tap_command_queries;
extern const struct tap_command tap_command_sessions;
extern const struct tap_command tap_command_waits;
extern const struct tap_command tap_command_io;
extern const struct tap_command tap_command_memory;
extern const struct tap_command tap_command_locks;
extern const struct tap_command tap_command_statements;
extern const struct tap_command tap_command_top;
extern const struct tap_command tap_command_bench;

/* Prints "dbtap: TEXT" on stderr. */
void tap_complain(const char *text);

#endif
