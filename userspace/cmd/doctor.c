// SPDX-License-Identifier: BSD-2-Clause
/* doctor.c - `dbtap doctor`: what this host and its databases allow, and what is worth changing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "correlate/engine/client.h"
#include "userspace/attach/engine.h"
#include "userspace/attach/switches.h"
#include "userspace/attach/target.h"
#include "userspace/attach/trap.h"
#include "userspace/base/clock.h"
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"
#include "userspace/consume/confirm.h"
#include "userspace/consume/instances.h"
#include "userspace/load/features.h"
#include "userspace/output/escape.h"
#include "userspace/output/paragraph.h"

enum {
	PIPE_COLUMNS = 160,
	SAMPLE_MS = 250,
};

/* Database text on a terminal is escaped like everywhere. */
static void add_safe(struct tap_strbuf *out, const char *text)
{
	tap_escape_text(out, text ? text : "?", 0);
}

/* All that is there in one paragraph; each thing that is not has a line, which says what it means. */
static bool host_check(struct tap_strbuf *out)
{
	struct utsname name = { 0 };
	struct tap_strbuf there;
	bool usable = true;

	uname(&name);
	tap_strbuf_printf(out, "host %s, kernel %s, %s, %ld CPUs\n", name.nodename, name.release, name.machine,
			  sysconf(_SC_NPROCESSORS_ONLN));
	tap_strbuf_init(&there);
	for (int i = 0; i < TAP_FEATURE_COUNT; i++) {
		const struct tap_feature_info *info = &tap_feature_infos[i];
		bool has = tap_feature_has(i);

		if (has)
			tap_strbuf_printf(&there, "%s%s", there.size ? "; " : "ok: ", info->name);
		else
			tap_strbuf_printf(out, "  %-4s %s: needed for %s; %s\n", info->required ? "MISS" : "no",
					  info->name, info->needed_for, info->without);
		usable &= has || !info->required;
	}
	if (there.size)
		tap_paragraph_add(out, there.data, tap_run_columns(PIPE_COLUMNS));
	tap_strbuf_done(&there);
	return usable;
}

static void settings_check(const struct tap_client *client, struct tap_engine_conn *conn, struct tap_strbuf *out)
{
	struct tap_engine_advice advice;
	struct tap_error err = { "" };

	if (client->advise(conn, &advice, &err)) {
		tap_strbuf_printf(out, "       settings: %s\n", err.text);
		return;
	}
	for (size_t i = 0; i < advice.count; i++)
		tap_strbuf_printf(out, "       %s\n", advice.lines[i]);
}

/* Returns whether memory is what the server says it is, or nobody knows. */
static bool layout_check(const struct tap_target *found, struct tap_engine_conn *conn, struct tap_strbuf *out)
{
	struct tap_confirmed confirmed = { .count = 0 };
	struct tap_target target = *found; /* what it owns stays the other's */
	struct tap_error err = { "" };
	int status;

	if (!tap_target_wants_confirming(found))
		return true;
	status = tap_target_confirm(&target, conn, &confirmed, &err);
	tap_strbuf_add_string(out, "       layout: ");
	add_safe(out, !status ? "confirmed by our own session" : *err.text ? err.text : "our own session was not seen");
	tap_strbuf_add_char(out, '\n');
	return status != -EBADMSG;
}

/* Returns false when it shows that the instance cannot be traced. */
static bool connection_check(const struct tap_options *options, const struct tap_target *target, struct tap_strbuf *out)
{
	const char *conninfo = tap_dsn_find(options->dsns, options->n_dsns, target->id);
	const struct tap_client *client = tap_client_of(target->engine);
	struct tap_engine_conn *conn;
	struct tap_error err = { "" };
	bool usable;

	if (options->no_connect)
		return true;
	if (tap_target_login(target, conninfo, &conn, &err)) {
		tap_strbuf_add_string(out, "       connection: none, memory only (");
		add_safe(out, err.text);
		tap_strbuf_add_string(out, ")\n");
		return true;
	}
	tap_strbuf_add_string(out, "       connection: yes\n");
	settings_check(client, conn, out);
	usable = layout_check(target, conn, out);
	client->close(conn);
	return usable;
}

/* What a context switch of a traced thread costs, and a trap: docs/overhead.md has what was measured. */
enum {
	SWITCH_NS_LEAST = 200,
	SWITCH_NS_MOST = 600,
};

static const char *const trap_costs[] = {
	[TAP_TRAP_UNKNOWN] = "a trap each",
	[TAP_TRAP_EMULATED] = "0.3 to 0.7 us each",
	[TAP_TRAP_STEPPED] = "22 to 26 us each, since its first instruction has to be stepped over",
};

/* What to expect at each depth. `switches` a second; negative: not known. */
static void cost_check(const struct tap_target *target, double switches, struct tap_strbuf *out)
{
	char path[64];

	tap_strbuf_add_string(out, "       cost: ambient 0.2 to 0.6 us a context switch");
	if (switches >= 0)
		tap_strbuf_printf(out, ", now %.0f a second: %.2f to %.2f %% of one core", switches,
				  switches * SWITCH_NS_LEAST / 1e7, switches * SWITCH_NS_MOST / 1e7);
	if (!target->statement_end_offset) {
		tap_strbuf_printf(out, "; no --depth statement: %s is not exported\n",
				  tap_attach_of(target->engine)->statement_end);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", target->pid);
	tap_strbuf_printf(out, "; --depth statement counts statements besides, for %s\n",
			  trap_costs[tap_trap_at(target->machine, path, target->statement_end_offset)]);
}

/* Returns whether it can be traced. */
static bool target_check(const struct tap_options *options, const struct tap_target *target, double switches,
			 struct tap_strbuf *out)
{
	if (*target->refused) {
		tap_strbuf_add_string(out, "  MISS ");
		add_safe(out, target->refused);
		tap_strbuf_add_char(out, '\n');
		return false;
	}
	const struct tap_attach *engine = tap_attach_of(target->engine);

	tap_strbuf_printf(out, "  ok   %s: %s %s, pid %d, port %d, data ", target->id,
			  target->product ? target->product : engine->product, target->version, target->pid,
			  target->port);
	add_safe(out, target->data_dir);
	tap_strbuf_printf(out, "\n       build id %s; layout: %s\n", *target->build_id ? target->build_id : "none",
			  target->layout_source);
	tap_strbuf_printf(out, "       query ids: %s\n", target->query_ids ? "the engine's" : "own fingerprints");
	cost_check(target, switches, out);
	return connection_check(options, target, out);
}

static double seconds_now(void)
{
	return (double)tap_clock_ns(CLOCK_MONOTONIC) / 1e9;
}

/* Context switches a second of each target, over a moment; *ret is malloc'd, NULL where they cannot be had. */
static double *rates_sample(const struct tap_target_list *list)
{
	uint64_t *before = calloc(list->count + 1, sizeof(*before)), *after = calloc(list->count + 1, sizeof(*after));
	double *rates = calloc(list->count + 1, sizeof(*rates)), began = seconds_now();
	struct timespec moment = { .tv_nsec = SAMPLE_MS * 1000000l };
	bool known = before && after && rates && list->count && !tap_switches_read("/proc", list, before);

	if (known)
		nanosleep(&moment, NULL);
	known = known && !tap_switches_read("/proc", list, after);
	/* Where a process has ended meanwhile its part is missing. */
	for (size_t i = 0; known && i < list->count; i++)
		rates[i] = after[i] < before[i] ? -1 : (double)(after[i] - before[i]) / (seconds_now() - began);
	free(before);
	free(after);
	if (known)
		return rates;
	free(rates);
	return NULL;
}

static bool is_asked_for(const void *context, const struct tap_target *target)
{
	const struct tap_options *options = context;

	return !options->instance || !strcmp(options->instance, target->id);
}

static int targets_check(const struct tap_options *options, struct tap_strbuf *out)
{
	const struct tap_target_scope scope = { .wants = is_asked_for, .context = options };
	struct tap_target_list list = { 0 };
	struct tap_error err = { "" };
	int status = TAP_EXIT_OK;
	double *rates;
	size_t shown = 0;

	if (tap_targets_find_within("/proc", &scope, &list, &err)) {
		tap_strbuf_printf(out, "instances: %s\n", err.text);
		return TAP_EXIT_FAILED;
	}
	rates = rates_sample(&list);
	tap_strbuf_add_string(out, "instances\n");
	for (size_t i = 0; i < list.count; i++) {
		if (!is_asked_for(options, &list.items[i]))
			continue;
		shown++;
		if (!target_check(options, &list.items[i], rates ? rates[i] : -1, out))
			status = TAP_EXIT_PARTIAL;
	}
	if (!shown && options->instance) {
		tap_strbuf_add_string(out, "  MISS no instance is called ");
		add_safe(out, options->instance);
		tap_strbuf_add_string(out, ": `dbtap instances` lists those of this host\n");
		status = TAP_EXIT_FAILED;
	} else if (!shown) {
		tap_strbuf_add_string(out, "  none found on this host\n");
	}
	free(rates);
	tap_targets_done(&list);
	return status;
}

static int run(const struct tap_options *options)
{
	struct tap_strbuf out;
	int status = TAP_EXIT_FAILED, wrote;

	tap_strbuf_init(&out);
	if (host_check(&out))
		status = targets_check(options, &out);
	tap_strbuf_add_string(
		&out, "costs are as measured elsewhere: `dbtap bench overhead` measures them on this host, and every "
		      "view prints its own\n");
	wrote = tap_run_write(options, &out);
	tap_strbuf_done(&out);
	return wrote == TAP_EXIT_OK ? status : wrote;
}

const struct tap_command tap_command_doctor = {
	.name = "doctor",
	.summary = "what this host and its databases allow, and what is missing",
	.description =
		"Probes the kernel, finds the instances, checks how each can be read, and says what is worth changing.",
	.arguments = "",
	.options = TAP_OPTIONS_SELECT,
	.run = run,
};
