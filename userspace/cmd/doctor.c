// SPDX-License-Identifier: BSD-2-Clause
/* doctor.c - `dbtap doctor`: what this host and its databases allow, and what is worth changing. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "correlate/engine/client.h"
#include "userspace/attach/engine.h"
#include "userspace/attach/target.h"
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"
#include "userspace/consume/instances.h"
#include "userspace/load/features.h"
#include "userspace/output/escape.h"

/* Database text on a terminal is escaped like everywhere. */
static void add_safe(struct tap_strbuf *out, const char *text)
{
	tap_escape_text(out, text ? text : "?", 0);
}

static bool host_check(struct tap_strbuf *out)
{
	struct utsname name = { 0 };
	bool usable = true;

	uname(&name);
	tap_strbuf_printf(out, "host %s, kernel %s, %s\n", name.nodename, name.release, name.machine);
	for (int i = 0; i < TAP_FEATURE_COUNT; i++) {
		const struct tap_feature_info *info = &tap_feature_infos[i];
		bool has = tap_feature_has(i);

		tap_strbuf_printf(out, "  %-4s %s", has ? "ok" : info->required ? "MISS" : "no", info->name);
		if (!has)
			tap_strbuf_printf(out, ": needed for %s; %s", info->needed_for, info->without);
		tap_strbuf_add_char(out, '\n');
		usable &= has || !info->required;
	}
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

static void connection_check(const struct tap_options *options, const struct tap_target *target, struct tap_strbuf *out)
{
	const char *conninfo = tap_dsn_find(options->dsns, options->n_dsns, target->id);
	const struct tap_client *client = tap_client_of(target->engine);
	struct tap_engine_conn *conn;
	struct tap_error err = { "" };

	if (options->no_connect)
		return;
	if (tap_target_login(target, conninfo, &conn, &err)) {
		tap_strbuf_add_string(out, "       connection: none, memory only (");
		add_safe(out, err.text);
		tap_strbuf_add_string(out, ")\n");
		return;
	}
	tap_strbuf_add_string(out, "       connection: yes\n");
	settings_check(client, conn, out);
	client->close(conn);
}

/* Returns whether it can be traced. */
static bool target_check(const struct tap_options *options, const struct tap_target *target, struct tap_strbuf *out)
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
	tap_strbuf_printf(out, "       query ids: %s; statement depth: ",
			  target->query_ids ? "the engine's" : "own fingerprints");
	if (target->statement_end_offset)
		tap_strbuf_add_string(out, "yes, one trap a statement (0.3 to 0.7 us)\n");
	else
		tap_strbuf_printf(out, "no, %s is not exported\n", engine->statement_end);
	connection_check(options, target, out);
	return true;
}

static int targets_check(const struct tap_options *options, struct tap_strbuf *out)
{
	struct tap_target_list list = { 0 };
	struct tap_error err = { "" };
	int status = TAP_EXIT_OK;
	size_t shown = 0;

	if (tap_targets_find("/proc", &list, &err)) {
		tap_strbuf_printf(out, "instances: %s\n", err.text);
		return TAP_EXIT_FAILED;
	}
	tap_strbuf_add_string(out, "instances\n");
	for (size_t i = 0; i < list.count; i++) {
		if (options->instance && strcmp(options->instance, list.items[i].id))
			continue;
		shown++;
		if (!target_check(options, &list.items[i], out))
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
	tap_strbuf_add_string(&out,
			      "cost: `dbtap bench overhead` measures it on this host; every view prints its own\n");
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
