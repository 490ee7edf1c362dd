// SPDX-License-Identifier: BSD-2-Clause
/* pg_server.c - how a PostgreSQL server of our own is made and asked; its table for engine.h. */
#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "userspace/base/strbuf.h"
#include "userspace/bench/engine.h"
#include "userspace/bench/schema.h"
#include "userspace/bench/server_binaries.h"
#include "userspace/bench/throwaway.h"

#define DEFAULT_BUFFERS_MB 64
#define DEFAULT_CONNECTIONS 100
#define FIRST_VERSION_WITH_QUERY_ID 14

static int find(const char *wanted, struct tap_bench_programs *ret, struct tap_error *err)
{
	struct tap_bench_programs programs = { 0 };
	int code = tap_server_binaries_find(wanted, NULL, NULL, &programs.server_folder, err);

	if (code)
		return code;
	programs.installer_folder = strdup(programs.server_folder);
	if (!programs.installer_folder) {
		tap_bench_programs_done(&programs);
		return -ENOMEM;
	}
	*ret = programs;
	return 0;
}

static void installer_arguments(const struct tap_bench_place *place, struct tap_arguments *arguments)
{
	static const char *const all[] = { "-D",    "data", "-U",   "postgres",	  "-A",
					   "trust", "-E",   "UTF8", "--locale=C", "--no-sync" };

	(void)place;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		tap_arguments_add(arguments, "%s", all[i]);
}

static uint32_t version(const struct tap_bench_place *place)
{
	char *path = NULL;
	int number = 0;
	FILE *file;

	if (asprintf(&path, "%s/data/PG_VERSION", place->folder) < 0)
		return 0;
	file = fopen(path, "re");
	free(path);
	if (!file)
		return 0;
	if (fscanf(file, "%4d", &number) != 1)
		number = 0;
	fclose(file);
	return number > 0 ? (uint32_t)number : 0;
}

/* "-c", "name=value" */
#define SET(arguments, ...) (tap_arguments_add(arguments, "-c"), tap_arguments_add(arguments, __VA_ARGS__))

static void server_arguments(const struct tap_bench_place *place, const struct tap_throwaway_options *options,
			     struct tap_arguments *arguments)
{
	tap_arguments_add(arguments, "-D");
	tap_arguments_add(arguments, "data");
	SET(arguments, "listen_addresses=");
	SET(arguments, "unix_socket_directories=%s", place->folder);
	SET(arguments, "unix_socket_permissions=0700");
	SET(arguments, "port=%u", place->port);
	SET(arguments, "logging_collector=off");
	SET(arguments, "log_destination=stderr");
	SET(arguments, "fsync=%s", options->fsync ? "on" : "off");
	SET(arguments, "shared_buffers=%uMB",
	    options->shared_buffers_mb ? options->shared_buffers_mb : DEFAULT_BUFFERS_MB);
	SET(arguments, "max_connections=%u", options->max_connections ? options->max_connections : DEFAULT_CONNECTIONS);
	if (place->version >= FIRST_VERSION_WITH_QUERY_ID)
		SET(arguments, "compute_query_id=on");
	if (options->preload)
		SET(arguments, "shared_preload_libraries=%s", options->preload);
	for (size_t i = 0; options->settings && options->settings[i] && i < TAP_THROWAWAY_MAX_SETTINGS; i++)
		SET(arguments, "%s", options->settings[i]);
}

static int where(const struct tap_bench_place *place, char **ret, struct tap_error *err)
{
	struct tap_strbuf text;
	char *all;

	if (strlen(place->folder) + sizeof("/.s.PGSQL.65535") > sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return tap_error_set(err, -ENAMETOOLONG, "%s: too long for a socket's path; use a shorter folder",
				     place->folder);
	tap_strbuf_init(&text);
	tap_strbuf_add_string(&text, "host='");
	for (const char *at = place->folder; *at; at++) {
		if (*at == '\'' || *at == '\\')
			tap_strbuf_add_char(&text, '\\');
		tap_strbuf_add_char(&text, *at);
	}
	tap_strbuf_printf(&text, "' port=%u user=postgres dbname=postgres connect_timeout=10", place->port);
	all = tap_strbuf_take(&text);
	if (!all)
		return -ENOMEM;
	*ret = all;
	return 0;
}

static bool answers(const char *conninfo)
{
	return PQping(conninfo) == PQPING_OK;
}

static void instance(const struct tap_bench_place *place, char *text, size_t size)
{
	snprintf(text, size, "postgres-%u", place->port);
}

static int connect_to(const char *conninfo, const char *application, void **ret, struct tap_error *err)
{
	PGconn *connection;
	int code = tap_load_connect(conninfo, application, &connection, err);

	if (!code)
		*ret = connection;
	return code;
}

static bool is_lost(void *connection)
{
	return PQstatus(connection) != CONNECTION_OK;
}

/* The text first: the rollback clears it. PQexec also gets a connection out of a COPY that broke off. */
static void recover(struct tap_load_session *session)
{
	tap_load_error_text(session->connection, session->error, sizeof(session->error));
	if (PQstatus(session->connection) == CONNECTION_OK && PQtransactionStatus(session->connection) != PQTRANS_IDLE)
		PQclear(PQexec(session->connection, "ROLLBACK"));
}

static void disconnect(void *connection)
{
	PQfinish(connection);
}

static const char *const users[] = { "postgres", "nobody", NULL };

const struct tap_bench_engine tap_bench_postgres = {
	.name = "postgres",
	.product = "PostgreSQL",
	.server = "postgres",
	.installer = "initdb",
	.users = users,
	.lock = "data/postmaster.pid",
	.stop_signal = SIGINT,
	.quick_signal = SIGQUIT,
	.find = find,
	.installer_arguments = installer_arguments,
	.version = version,
	.server_arguments = server_arguments,
	.where = where,
	.answers = answers,
	.instance = instance,
	.build = tap_schema_build,
	.protocols = 1 << TAP_PROTOCOL_SIMPLE | 1 << TAP_PROTOCOL_EXTENDED | 1 << TAP_PROTOCOL_PREPARED,
	.role_of = tap_load_role_of,
	.connect = connect_to,
	.is_lost = is_lost,
	.recover = recover,
	.disconnect = disconnect,
};
