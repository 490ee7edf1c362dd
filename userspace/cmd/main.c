// SPDX-License-Identifier: BSD-2-Clause
/* main.c - the command table: parse, dispatch, return. */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "correlate/engine/client.h"
#include "correlate/engine/terms.h"
#include "userspace/base/strbuf.h"
#include "userspace/cmd/command.h"

#ifndef TAP_VERSION
#define TAP_VERSION "unknown"
#endif

static const struct tap_command *const commands[] = {
	&tap_command_queries,	&tap_command_sessions, &tap_command_waits,	&tap_command_io,
	&tap_command_locks,	&tap_command_memory,   &tap_command_statements, &tap_command_top,
	&tap_command_instances, &tap_command_doctor,   &tap_command_demo,	&tap_command_bench,
};

static const size_t n_commands = sizeof(commands) / sizeof(commands[0]);

static int print_help(void)
{
	printf("dbtap tells which query of a database on this host uses what and waits for what, from outside.\n\n"
	       "usage: dbtap COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < n_commands; i++)
		printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n`dbtap COMMAND --help` tells a command's options.\n"
	       "exit status: 0 done, 1 failed, 2 wrong usage, 3 partial\n");
	return fflush(stdout) ? TAP_EXIT_FAILED : TAP_EXIT_OK;
}

static int print_version(void)
{
	printf("dbtap %s\nengines:", TAP_VERSION);
	for (int i = 0; i < TAP_ENGINE_COUNT; i++)
		printf(" %s", tap_terms_of((enum tap_engine)i)->name);
	/* Those it runs with, which need not be those it was built with. */
	printf("\nfeatures: text json csv dot svg\nlibraries: libbpf %u.%u", libbpf_major_version(),
	       libbpf_minor_version());
	for (int i = 0; i < TAP_ENGINE_COUNT; i++) {
		const struct tap_client *client = tap_client_of((enum tap_engine)i);
		char library[TAP_LIBRARY_MAX] = "";

		if (client->library)
			client->library(library);
		printf("%s%s", *library ? " " : "", library);
	}
	printf("\n");
	return fflush(stdout) ? TAP_EXIT_FAILED : TAP_EXIT_OK;
}

static int print_command_help(const struct tap_command *command)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	tap_strbuf_printf(&text, "usage: dbtap %s [OPTIONS]%s\n\n%s\n\n", command->name, command->arguments,
			  command->description);
	tap_options_help(command->options, &text);
	fputs(text.data, stdout);
	tap_strbuf_done(&text);
	return fflush(stdout) ? TAP_EXIT_FAILED : TAP_EXIT_OK;
}

static int wrong_usage(const char *text, const char *command)
{
	fprintf(stderr, "dbtap: %s: see `dbtap%s%s --help`\n", text, command ? " " : "", command ? command : "");
	return TAP_EXIT_USAGE;
}

static int run(const struct tap_command *command, int argc, char *const *argv)
{
	struct tap_error err = { "" };
	struct tap_options options;
	int status;

	if (tap_options_parse(command->options, command->max_arguments, argc, argv, &options, &err))
		return wrong_usage(err.text, command->name);
	status = options.help ? print_command_help(command) : command->run(&options);
	tap_options_done(&options);
	return status;
}

/* A closed standard stream must not become some file of ours: writing to it has to fail, not to land elsewhere. */
static void streams_open(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	struct tap_error err;

	streams_open();
	/* The terminal's character set and nothing else: numbers stay as they are. */
	setlocale(LC_CTYPE, "");
	/* A reader that went away is a write error, said in one line, not a silent death. */
	signal(SIGPIPE, SIG_IGN);
	if (!name)
		return wrong_usage("no command", NULL);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
		return print_help();
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		return print_version();
	for (size_t i = 0; i < n_commands; i++) {
		if (!strcmp(name, commands[i]->name))
			return run(commands[i], argc - 2, argv + 2);
	}
	tap_error_set(&err, 0, "unknown command \"%s\"", name);
	return wrong_usage(err.text, NULL);
}
