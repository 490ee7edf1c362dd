// SPDX-License-Identifier: BSD-2-Clause
/* engine.c - the list of engines, and what their tables share; see engine.h. */
#include "userspace/bench/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tap_arguments_add(struct tap_arguments *arguments, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int size;

	va_start(args, format);
	size = arguments->failed ? -1 : vasprintf(&text, format, args);
	va_end(args);
	if (size >= 0 && arguments->count < TAP_SERVER_PROGRAM_MAX_ARGUMENTS) {
		arguments->texts[arguments->count++] = text;
		return;
	}
	if (size >= 0)
		free(text);
	arguments->failed = true;
}

void tap_arguments_done(struct tap_arguments *arguments)
{
	for (size_t i = 0; i < arguments->count; i++)
		free(arguments->texts[i]);
	*arguments = (struct tap_arguments){ 0 };
}

void tap_bench_programs_done(struct tap_bench_programs *programs)
{
	free(programs->server_folder);
	free(programs->installer_folder);
	*programs = (struct tap_bench_programs){ 0 };
}

const struct tap_bench_engine *tap_bench_engine_find(const char *name)
{
	static const struct tap_bench_engine *const engines[] = { &tap_bench_postgres, &tap_bench_mariadb };

	for (size_t i = 0; name && i < sizeof(engines) / sizeof(engines[0]); i++) {
		if (!strcmp(engines[i]->name, name))
			return engines[i];
	}
	return NULL;
}

const struct tap_bench_engine *tap_bench_engine_or_default(const struct tap_bench_engine *engine)
{
	return engine ? engine : &tap_bench_postgres;
}
