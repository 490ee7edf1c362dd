// SPDX-License-Identifier: BSD-2-Clause
/* terms.c - PostgreSQL's table of correlate/engine/terms.h. */
#include "correlate/engine/terms.h"

#include <stddef.h>
#include <strings.h>
#include <string.h>

#include "correlate/engine/postgres/files.h"
#include "correlate/engine/postgres/wait_events.h"

static const char *const stems[] = { "postgres", NULL };

/* Commands that show up in pg_stat_progress_*. */
static bool statement_reports_progress(const char *text)
{
	static const char *const commands[] = {
		"copy ",    "vacuum",  "analyze",	  "create index", "create unique index",
		"reindex ", "cluster", "create table as", "base_backup",  "call ",
		"do ",	    "refresh "
	};

	for (size_t i = 0; text && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strncasecmp(text, commands[i], strlen(commands[i])))
			return true;
	}
	return false;
}

const struct tap_terms tap_terms_postgres = {
	.name = "postgres",
	.stems = stems,
	.client_read = "ClientRead",
	.wait_event = tap_pg_wait_event_name,
	.wait_event_is_idle = tap_pg_wait_event_is_idle_class,
	.file_below = tap_pg_file_below,
	.file_by_shape = tap_pg_file_by_shape,
	.statement_reports_progress = statement_reports_progress,
};
