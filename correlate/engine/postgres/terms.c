// SPDX-License-Identifier: BSD-2-Clause
/* terms.c - PostgreSQL's table of correlate/engine/terms.h. */
#include "correlate/engine/terms.h"

#include <stddef.h>
#include <strings.h>
#include <string.h>

#include "correlate/engine/postgres/files.h"
#include "correlate/engine/postgres/wait_events.h"
#include "correlate/fingerprint.h"

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
	.lock_views = "pg_locks and pg_blocking_pids",
	.lock_advice = {
		[TAP_LOCK_ADVICE_IDLE] = "end the transaction where the application leaves it open, or set idle_in_transaction_session_timeout",
		[TAP_LOCK_ADVICE_PREPARED] = "COMMIT PREPARED or ROLLBACK PREPARED it: pg_prepared_xacts has its name",
		[TAP_LOCK_ADVICE_QUEUE] = "take such locks with a short lock_timeout and try again, and not while long statements run",
	},
	.advice = {
		[TAP_ADVICE_FULL_SCAN] =
			("if it returns few rows, an index on what it filters or joins by spares the scan; if it "
			 "needs most rows, run it less often or keep a summary"),
		[TAP_ADVICE_RANDOM_HEAP] =
			("a covering index (INCLUDE) answers from the index alone; CLUSTER in the order of the index, "
			 "or BRIN, makes neighbours of what is read together; else it needs the table in memory"),
		[TAP_ADVICE_TEMP_SPILL] =
			("raise work_mem for this statement alone (SET LOCAL work_mem) to more than it spills each "
			 "time, or give it less to sort and hash"),
		[TAP_ADVICE_MAINTENANCE_SPILL] =
			"raise maintenance_work_mem for this command, or work_mem where it runs a query",
		[TAP_ADVICE_CHECKPOINT_LATENCY] =
			("spread checkpoints: a longer checkpoint_timeout with a larger max_wal_size, "
			 "checkpoint_completion_target 0.9, and a smaller checkpoint_flush_after"),
		[TAP_ADVICE_BACKEND_WRITES] =
			("unless this is a bulk load, which extends its tables itself: larger shared_buffers, or a "
			 "bgwriter that keeps up (bgwriter_lru_maxpages, bgwriter_delay)"),
	},
	.sort_memory = "work_mem",
	.wait_event = tap_pg_wait_event_name,
	.wait_event_is_idle = tap_pg_wait_event_is_idle_class,
	.file_below = tap_pg_file_below,
	.file_by_shape = tap_pg_file_by_shape,
	.statement_reports_progress = statement_reports_progress,
	.statement_id = tap_fingerprint,
	.statement_normalise = tap_fingerprint_normalise,
};
