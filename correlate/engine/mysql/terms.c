// SPDX-License-Identifier: BSD-2-Clause
/* terms.c - MariaDB's and MySQL's table of correlate/engine/terms.h. */
#include "correlate/engine/terms.h"

#include <inttypes.h>
#include <stdio.h>

#include "bpf/abi/my_layout.h"
#include "correlate/engine/mysql/digest.h"
#include "correlate/engine/mysql/files.h"

static const char *const stems[] = { "mariadb", "mysql", NULL };

static const struct {
	const char *class_name;
	const char *name;
} waits[] = {
#define X(id, class_name, name) { class_name, name },
	TAP_MY_WAITS(X)
#undef X
};

static void wait_event(int32_t version_number, uint32_t event, char ret_class[TAP_WAIT_CLASS_MAX],
		       char ret_name[TAP_WAIT_NAME_MAX])
{
	bool known = event > TAP_MY_WAIT_NONE && event < TAP_MY_WAIT_END;

	(void)version_number;
	if (!event) {
		/* A thread that ends, or a program the server started: not looked at. */
		snprintf(ret_class, TAP_WAIT_CLASS_MAX, "None");
		snprintf(ret_name, TAP_WAIT_NAME_MAX, "CPU-or-kernel");
		return;
	}
	if (!known) {
		snprintf(ret_class, TAP_WAIT_CLASS_MAX, "unknown");
		snprintf(ret_name, TAP_WAIT_NAME_MAX, "unknown-0x%08" PRIx32, event);
		return;
	}
	snprintf(ret_class, TAP_WAIT_CLASS_MAX, "%s", waits[event - TAP_MY_WAIT_NONE - 1].class_name);
	snprintf(ret_name, TAP_WAIT_NAME_MAX, "%s", waits[event - TAP_MY_WAIT_NONE - 1].name);
}

static bool wait_event_is_idle(uint32_t event)
{
	return event == TAP_MY_WAIT_CLIENT;
}

static bool statement_reports_progress(const char *text)
{
	(void)text;
	return false;
}

const struct tap_terms tap_terms_mysql = {
	.name = "mariadb",
	.stems = stems,
	.threads = true,
	.client_read = "ClientRead",
	.lock_views = "its own views of locks",
	.lock_advice = {
		[TAP_LOCK_ADVICE_IDLE] = "end the transaction where the application leaves it open, or let MariaDB do so: idle_transaction_timeout",
		[TAP_LOCK_ADVICE_PREPARED] = "XA COMMIT or XA ROLLBACK it: XA RECOVER has its name",
		[TAP_LOCK_ADVICE_QUEUE] = "take such locks with a short lock_wait_timeout and try again, and not while long transactions are open",
	},
	.sort_memory = "sort_buffer_size",
	.wait_event = wait_event,
	.wait_event_is_idle = wait_event_is_idle,
	.file_below = tap_my_file_below,
	.file_by_shape = tap_my_file_by_shape,
	.statement_reports_progress = statement_reports_progress,
	.statement_id = tap_my_statement_id,
	.statement_normalise = tap_my_statement_normalise,
};
