// SPDX-License-Identifier: BSD-2-Clause
/* test_queries_scripted.c - settings, sessions and names: every outcome, and rows that make no sense. */
#include "correlate/engine/postgres/queries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libpq.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct tap_pg_conn *conn;
static struct tap_error err;
static struct tap_pg_rows rows;
static const char *const ok_cell[] = { "0" };

/* A login to a server of that version, then `step`. */
static void play(int version, const struct tap_scripted_step *step)
{
	static struct tap_scripted_step steps[3];
	size_t count = 0;
	/* Only a script that ends in silence needs a short wait. */
	const struct tap_engine_where where = { .instance = "postgres-5432",
						.socket = "@x",
						.query_timeout_ms = step->outcome == TAP_SCRIPTED_HANG ? 40 : 0 };

	steps[count++] = (struct tap_scripted_step){ .outcome = TAP_SCRIPTED_LOGIN, .version = version };
	if (version >= 140000)
		steps[count++] = (struct tap_scripted_step){
			.outcome = TAP_SCRIPTED_ROWS, .columns = 1, .rows = 1, .cells = ok_cell
		};
	steps[count++] = *step;
	tap_scripted_play(steps, count);
	memset(&rows, 0, sizeof(rows));
	err.text[0] = '\0';
	ck_assert_msg(tap_pg_conn_open(&where, &conn, &err) == 0, "%s", err.text);
}

static void finish(void)
{
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}

static void expect_error(int r, int code, const char *part)
{
	ck_assert_msg(r == code, "got %d, wanted %d: %s", r, code, err.text);
	ck_assert_msg(strstr(err.text, part), "no \"%s\" in: %s", part, err.text);
}

/* ---- every query's failures ---- */

/* These assert nothing themselves: Check allocates too, which would spoil the tests without memory. */
#define WRITTEN_ON_FAILURE (-EDOM)

static int ask_settings(void)
{
	struct tap_pg_settings settings = { .max_connections = -7 };
	int r = tap_pg_query_settings(conn, &settings, &err);

	if (r)
		return settings.max_connections == -7 ? r : WRITTEN_ON_FAILURE;
	tap_pg_settings_done(&settings);
	return 0;
}

static int ask_sessions(void)
{
	struct tap_session_list list = { .count = 77 };
	int r = tap_pg_query_sessions(conn, &list, NULL, &err);

	if (r)
		return list.count == 77 ? r : WRITTEN_ON_FAILURE;
	tap_session_list_done(&list);
	return 0;
}

static int ask_names(void)
{
	struct tap_names names;
	int r;

	tap_names_init(&names);
	r = tap_pg_query_names(conn, &names, NULL, &err);
	tap_names_done(&names);
	return r;
}

static int ask_start(void)
{
	int64_t start_us = -7;
	int r = tap_pg_query_start(conn, &start_us, &err);

	return r && start_us != -7 ? WRITTEN_ON_FAILURE : r;
}

static const struct question {
	const char *name;
	const char *expect;
	int columns;
	int (*ask)(void);
} questions[] = {
	{ "settings", "pg_catalog.pg_settings", 2, ask_settings },
	{ "sessions", "pg_catalog.pg_stat_activity", 19, ask_sessions },
	{ "names", "pg_catalog.pg_database", 3, ask_names },
	{ "start", "pg_catalog.pg_postmaster_start_time", 1, ask_start },
};

#define COLUMNS_MAX 20

/* 20 fields that are nothing: neither a number nor a name. */
static const char *const garbage[COLUMNS_MAX] = {
	"\xff", "\x1b[31m", "-", "+", "99999999999999999999", "0x10", "", " 1",
	"1 ",	"1e3",	    "-", "+", "99999999999999999999", "0x10", "", " 1",
	"1 ",	"1e3",	    "-", "+"
};
static const char *const nulls[COLUMNS_MAX];

static const struct outcome {
	struct tap_scripted_step step;
	int columns; /* more or fewer than asked for */
	int code;
	const char *part;
} outcomes[] = {
	{ { .outcome = TAP_SCRIPTED_ROWS }, 0, 0, "" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = nulls }, 0, 0, "" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = garbage }, 0, 0, "" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = nulls }, 1, -EPROTO, "other columns" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = nulls }, -1, -EPROTO, "other columns" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = nulls, .type = 23 }, 0, -EPROTO, "types" },
	{ {
		  .outcome = TAP_SCRIPTED_ENDLESS,
		  .rows = 1,
		  .cells = nulls,
	  },
	  0,
	  -EPROTO,
	  "more rows" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "42501", .message = "permission denied" },
	  0,
	  -EACCES,
	  "permission" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "57014", .message = "timeout", .rows = 1, .cells = nulls },
	  0,
	  -ETIMEDOUT,
	  "57014" },
	{ { .outcome = TAP_SCRIPTED_FATAL, .state = "57P01", .message = "terminating" },
	  0,
	  -ECONNRESET,
	  "terminating" },
	{ { .outcome = TAP_SCRIPTED_LOST, .rows = 1, .cells = nulls }, 0, -ECONNRESET, "closed" },
	{ { .outcome = TAP_SCRIPTED_HANG, .rows = 1, .cells = nulls }, 0, -ETIMEDOUT, "no answer" },
};

START_TEST(test_outcomes_of_every_query)
{
	const struct outcome *outcome = &outcomes[_i % COUNT(outcomes)];
	const struct question *question = &questions[_i / COUNT(outcomes)];
	struct tap_scripted_step step = outcome->step;

	step.expect = question->expect;
	step.columns = question->columns + outcome->columns;
	play(150018, &step);
	expect_error(question->ask(), outcome->code, outcome->part);
	if (outcome->code)
		ck_assert_ptr_nonnull(strstr(err.text, question->name));
	finish();
}
END_TEST

START_TEST(test_every_statement_has_a_limit_and_qualified_names)
{
	const struct question *question = &questions[_i];
	const struct tap_scripted_step step = { .outcome = TAP_SCRIPTED_ROWS, .columns = question->columns };

	play(150018, &step);
	ck_assert_int_eq(question->ask(), 0);
	ck_assert_ptr_nonnull(strstr(tap_scripted_sql(), " LIMIT "));
	for (const char *at = tap_scripted_sql(); (at = strstr(at, "FROM pg_")); at++)
		ck_assert_msg(strncmp(at, "FROM pg_catalog.", 16) == 0, "%s", at);
	ck_assert_ptr_null(strchr(tap_scripted_sql(), ';'));
	finish();
}
END_TEST

/* ---- settings ---- */

static const char *const settings_cells[] = {
	"cluster_name",
	"main",
	"compute_query_id",
	"auto",
	"data_directory",
	"/var/lib/\xff",
	"server_version",
	"15.18",
	"shared_preload_libraries",
	"",
	"max_connections",
	"100",
	"superuser_reserved_connections",
	"many",
	"track_activity_query_size",
	"1024",
	"dbtap.postmaster_start",
	"1700000000000001",
	"track_activities",
	"on",
	"dbtap.query_ids",
	"true",
	"dbtap.in_recovery",
	"false",
	"dbtap.reads_all_stats",
	NULL,
	"dbtap.has_statements",
	"truely",
	"something_else",
	"x",
	NULL,
	"x",
	"cluster_name",
	"other",
};

static const struct tap_scripted_step settings_step = {
	.outcome = TAP_SCRIPTED_ROWS,
	.columns = 2,
	.rows = sizeof(settings_cells) / sizeof(settings_cells[0]) / 2,
	.cells = settings_cells,
};

START_TEST(test_settings)
{
	struct tap_pg_settings settings;

	play(150018, &settings_step);
	ck_assert_int_eq(tap_pg_query_settings(conn, &settings, &err), 0);
	ck_assert_str_eq(settings.cluster_name, "other"); /* the last one, and the first is not leaked */
	ck_assert_str_eq(settings.compute_query_id, "auto");
	ck_assert_str_eq(settings.data_directory, "/var/lib/\xff");
	ck_assert_str_eq(settings.server_version, "15.18");
	ck_assert_ptr_null(settings.shared_preload_libraries);
	ck_assert_int_eq(settings.max_connections, 100);
	ck_assert_int_eq(settings.superuser_reserved_connections, 0);
	ck_assert_int_eq(settings.track_activity_query_size, 1024);
	ck_assert_int_eq(settings.postmaster_start_us, 1700000000000001);
	ck_assert(settings.track_activities && settings.query_ids);
	ck_assert(!settings.in_recovery && !settings.reads_all_stats && !settings.has_statements);
	tap_pg_settings_done(&settings);
	tap_pg_settings_done(&settings);
	tap_pg_settings_done(NULL);
	finish();
}
END_TEST

START_TEST(test_statements_by_version)
{
	static const struct tap_scripted_step two = { .outcome = TAP_SCRIPTED_ROWS, .columns = 2 };
	static const struct tap_scripted_step nineteen = { .outcome = TAP_SCRIPTED_ROWS, .columns = 19 };

	play(130022, &two);
	ck_assert_int_eq(ask_settings(), 0);
	ck_assert_ptr_null(strstr(tap_scripted_sql(), "query_id IS"));
	finish();
	play(140000, &two);
	ck_assert_int_eq(ask_settings(), 0);
	ck_assert_ptr_nonnull(strstr(tap_scripted_sql(), "query_id IS NOT NULL"));
	finish();
	play(130022, &nineteen);
	ck_assert_int_eq(ask_sessions(), 0);
	ck_assert_ptr_nonnull(strstr(tap_scripted_sql(), "NULL::text"));
	finish();
	play(180001, &nineteen);
	ck_assert_int_eq(ask_sessions(), 0);
	ck_assert_ptr_nonnull(strstr(tap_scripted_sql(), "query_id::text"));
	finish();
}
END_TEST

/* ---- sessions ---- */

#define SESSION_COLUMNS 19

static void ask_for(const char *const *cells, int count, const int *sizes, struct tap_session_list *ret)
{
	struct tap_scripted_step step = {
		.outcome = TAP_SCRIPTED_ROWS, .columns = SESSION_COLUMNS, .rows = count, .cells = cells, .sizes = sizes
	};

	play(150018, &step);
	ck_assert_msg(tap_pg_query_sessions(conn, ret, &rows, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(rows.seen, (size_t)count);
	finish();
}

static const char *const three_sessions[3 * SESSION_COLUMNS] = {
	"101",
	NULL,
	"client backend",
	"idle in transaction",
	"5",
	"10",
	"app",
	"al\377ice",
	"psql",
	NULL,
	"-1",
	"-2",
	"select '\x1b[31m\xff'",
	"1700000000000001",
	"1700000000000002",
	"1700000000000003",
	"1700000000000004",
	"Client",
	"ClientRead",
	"102",
	"101",
	"parallel worker",
	"active",
	"5",
	"10",
	"app",
	"alice",
	"",
	"10.0.0.7",
	"41234",
	"9223372036854775807",
	"<insufficient privilege>",
	"1",
	"2",
	"3",
	"4",
	NULL,
	NULL,
	"103",
	NULL,
	"checkpointer",
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	"",
	NULL,
	NULL,
	NULL,
	"",
	"1",
	NULL,
	NULL,
	NULL,
	"Activity",
	"CheckpointerMain",
};

START_TEST(test_sessions)
{
	struct tap_session_list list;
	const struct tap_session *s;

	ask_for(three_sessions, 3, NULL, &list);
	ck_assert_uint_eq(list.count, 3);
	ck_assert(rows.skipped == 0 && rows.hidden == 1 && !rows.cut);
	s = &list.items[0];
	ck_assert(s->pid == 101 && s->leader_pid == 0 && s->kind == TAP_KIND_CLIENT);
	ck_assert(s->state == TAP_SESSION_IDLE_IN_TRANSACTION && s->database == 5 && s->user == 10);
	ck_assert_str_eq(s->database_name, "app");
	ck_assert_str_eq(s->user_name, "al\377ice");
	ck_assert_str_eq(s->application, "psql");
	ck_assert_str_eq(s->client, "[local]");
	ck_assert_uint_eq(s->query_id, UINT64_MAX - 1);
	ck_assert_str_eq(s->query, "select '\x1b[31m\xff'");
	ck_assert(s->backend_start_us == 1700000000000001 && s->transaction_start_us == 1700000000000002);
	ck_assert(s->query_start_us == 1700000000000003 && s->state_change_us == 1700000000000004);
	ck_assert_str_eq(s->wait_class, "Client");
	ck_assert_str_eq(s->wait_name, "ClientRead");
	s = &list.items[1];
	ck_assert(s->leader_pid == 101 && s->kind == TAP_KIND_PARALLEL && s->state == TAP_SESSION_ACTIVE);
	ck_assert_ptr_null(s->query);
	ck_assert_ptr_null(s->application);
	ck_assert_ptr_null(s->wait_class);
	ck_assert_str_eq(s->client, "10.0.0.7:41234");
	s = &list.items[2];
	ck_assert(s->kind == TAP_KIND_CHECKPOINTER && s->state == TAP_SESSION_NONE && s->database == 0);
	ck_assert_ptr_null(s->client);
	ck_assert_ptr_null(s->query);
	tap_session_list_done(&list);
}
END_TEST

/* One column of an otherwise good row. */
static const struct bad_field {
	int column;
	const char *value;
	bool kept;
} bad_fields[] = {
	{ 0, NULL, false },
	{ 0, "0", false },
	{ 0, "-5", false },
	{ 0, "2147483648", false },
	{ 0, "12a", false },
	{ 0, "", false },
	{ 0, "0000000000000000000000000000000001", false },
	{ 1, "x", false },
	{ 1, NULL, true },
	{ 2, NULL, true },
	{ 2, "a backend type that is longer than anything a server should ever say about itself", true },
	{ 3, "no state that we know", true },
	{ 4, "-1", false },
	{ 4, "4294967295", true },
	{ 4, "4294967296", false },
	{ 5, "ten", false },
	{ 9, "not \xff an address", true },
	{ 9, NULL, true },
	{ 10, "65536", true },
	{ 10, "-2", true },
	{ 10, "x", true },
	{ 11, "9223372036854775808", false },
	{ 11, "-9223372036854775808", true },
	{ 12, NULL, true },
	{ 13, "-1", false },
	{ 14, "1.5", false },
	{ 15, "soon", false },
	{ 16, "infinity", false },
};

START_TEST(test_bad_fields)
{
	const struct bad_field *bad = &bad_fields[_i];
	const char *cells[2 * SESSION_COLUMNS];
	struct tap_session_list list;

	memcpy(cells, three_sessions + SESSION_COLUMNS, sizeof(cells) / 2);
	memcpy(cells + SESSION_COLUMNS, three_sessions, sizeof(cells) / 2);
	cells[bad->column] = bad->value;
	ask_for(cells, 2, NULL, &list);
	ck_assert_uint_eq(list.count, bad->kept ? 2 : 1);
	ck_assert_uint_eq(rows.skipped, bad->kept ? 0 : 1);
	ck_assert_int_eq(list.items[list.count - 1].pid, 101);
	tap_session_list_done(&list);
}
END_TEST

static const struct client {
	const char *address;
	const char *port;
	const char *expect;
} clients[] = {
	{ NULL, "-1", "[local]" }, { "::1", "5000", "[::1]:5000" }, { "10.1.2.3", "1", "10.1.2.3:1" },
	{ NULL, "5000", "?" },	   { "10.1.2.3", NULL, NULL },	    { "10.1.2.3", "99999", NULL },
};

START_TEST(test_clients)
{
	const char *cells[SESSION_COLUMNS];
	struct tap_session_list list;

	memcpy(cells, three_sessions, sizeof(cells));
	cells[9] = clients[_i].address;
	cells[10] = clients[_i].port;
	ask_for(cells, 1, NULL, &list);
	if (clients[_i].expect)
		ck_assert_str_eq(list.items[0].client, clients[_i].expect);
	else
		ck_assert_ptr_null(list.items[0].client);
	tap_session_list_done(&list);
}
END_TEST

/* The server shows no state of a client that logs in, and of no other process. */
START_TEST(test_client_without_a_state)
{
	static const struct {
		const char *type, *state;
		uint8_t kind;
	} all[] = {
		{ "client backend", NULL, TAP_KIND_STARTING },
		{ "client backend", "a state to come", TAP_KIND_CLIENT },
		{ "client backend", "disabled", TAP_KIND_CLIENT },
		{ "walsender", NULL, TAP_KIND_WALSENDER },
	};
	const char *cells[SESSION_COLUMNS];
	struct tap_session_list list;

	memcpy(cells, three_sessions, sizeof(cells));
	cells[2] = all[_i].type;
	cells[3] = all[_i].state;
	ask_for(cells, 1, NULL, &list);
	ck_assert_int_eq(list.items[0].kind, all[_i].kind);
	tap_session_list_done(&list);
}
END_TEST

START_TEST(test_bytes_after_a_nul)
{
	const char *cells[SESSION_COLUMNS];
	int sizes[SESSION_COLUMNS];
	struct tap_session_list list;

	memcpy(cells, three_sessions, sizeof(cells));
	cells[9] = "1\0002";
	cells[10] = "5";
	cells[12] = "select\0more";
	for (int i = 0; i < SESSION_COLUMNS; i++)
		sizes[i] = cells[i] ? (int)strlen(cells[i]) : 0;
	sizes[9] = 3;
	sizes[12] = 11;
	ask_for(cells, 1, sizes, &list);
	ck_assert_str_eq(list.items[0].query, "select");
	ck_assert_str_eq(list.items[0].client, "?");
	tap_session_list_done(&list);
	cells[0] = "1\0001";
	sizes[0] = 3;
	ask_for(cells, 1, sizes, &list);
	ck_assert_uint_eq(list.count, 0);
	ck_assert_uint_eq(rows.skipped, 1);
	tap_session_list_done(&list);
}
END_TEST

static const struct {
	const char *name;
	uint8_t kind;
} backend_types[] = {
	{ "client backend", TAP_KIND_CLIENT },
	{ "parallel worker", TAP_KIND_PARALLEL },
	{ "autovacuum worker", TAP_KIND_AUTOVACUUM },
	{ "autovacuum launcher", TAP_KIND_AUTOVACUUM_LAUNCHER },
	{ "walsender", TAP_KIND_WALSENDER },
	{ "background writer", TAP_KIND_BGWRITER },
	{ "checkpointer", TAP_KIND_CHECKPOINTER },
	{ "startup", TAP_KIND_STARTUP },
	{ "walreceiver", TAP_KIND_WALRECEIVER },
	{ "walwriter", TAP_KIND_WALWRITER },
	{ "archiver", TAP_KIND_ARCHIVER },
	{ "logger", TAP_KIND_LOGGER },
	{ "standalone backend", TAP_KIND_CLIENT },
	{ "logical replication launcher", TAP_KIND_BGWORKER },
	{ "logical replication worker", TAP_KIND_LOGICAL_WORKER },
	{ "io worker", TAP_KIND_IO_WORKER },
	{ "slotsync worker", TAP_KIND_SLOTSYNC_WORKER },
	{ "walsummarizer", TAP_KIND_WALSUMMARIZER },
	{ "pg_cron launcher", TAP_KIND_BGWORKER },
	{ "Client backend", TAP_KIND_BGWORKER },
	{ "", TAP_KIND_UNKNOWN },
	{ NULL, TAP_KIND_UNKNOWN },
};

START_TEST(test_kinds)
{
	ck_assert_int_eq(tap_pg_kind_of_backend_type(backend_types[_i].name), backend_types[_i].kind);
}
END_TEST

/* Rows with texts as long as they come, until they are too much in all. */
START_TEST(test_limits)
{
	static char text[TAP_PG_TEXT_MAX + 1];
	static const char *cells[SESSION_COLUMNS];
	const char **many = calloc(TAP_PG_SESSIONS_MAX, sizeof(cells));
	struct tap_scripted_step step = {
		.outcome = TAP_SCRIPTED_ROWS, .columns = SESSION_COLUMNS, .rows = TAP_PG_SESSIONS_MAX, .cells = many
	};
	const struct tap_engine_where where = { .instance = "x", .socket = "@x" };
	struct tap_scripted_step steps[2] = { { .outcome = TAP_SCRIPTED_LOGIN, .version = 130000 }, step };
	struct tap_session_list list;
	size_t texts = 0;

	memset(text, 't', sizeof(text) - 1);
	memcpy(cells, three_sessions, sizeof(cells));
	cells[12] = text;
	for (size_t i = 0; i < TAP_PG_SESSIONS_MAX; i++)
		memcpy(&many[i * SESSION_COLUMNS], cells, sizeof(cells));
	tap_scripted_play(steps, 2);
	ck_assert_int_eq(tap_pg_conn_open(&where, &conn, &err), 0);
	ck_assert_msg(tap_pg_query_sessions(conn, &list, &rows, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(list.count, TAP_PG_SESSIONS_MAX);
	for (size_t i = 0; i < list.count; i++)
		texts += list.items[i].query != NULL;
	ck_assert_uint_eq(texts, TAP_PG_TEXTS_MAX / TAP_PG_TEXT_MAX);
	ck_assert(rows.cut);
	tap_session_list_done(&list);
	free(many);
	finish();
}
END_TEST

START_TEST(test_one_row_too_many)
{
	static const char *const cells[] = { "d", "5", "x" };
	static const struct tap_scripted_step steps[] = {
		{ .outcome = TAP_SCRIPTED_LOGIN, .version = 130000 },
		{ .outcome = TAP_SCRIPTED_ENDLESS, .columns = 3, .rows = 1, .cells = cells },
	};
	const struct tap_engine_where where = { .instance = "x", .socket = "@x" };

	tap_scripted_play(steps, 2);
	ck_assert_int_eq(tap_pg_conn_open(&where, &conn, &err), 0);
	expect_error(ask_names(), -EPROTO, "more rows");
	finish();
}
END_TEST

/* ---- names ---- */

START_TEST(test_names)
{
	static const char *const cells[] = {
		"d", "5",  "postgres", "d", "16384", "we\xff\x1bird",
		"u", "10", "postgres", "u", "0",     "zero",
		"u", "x",  "y",	       "d", "6",     NULL,
		"d", NULL, "null",     "u", "11",    "",
	};
	struct tap_scripted_step step = { .outcome = TAP_SCRIPTED_ROWS, .columns = 3, .rows = 8, .cells = cells };
	struct tap_names names;

	tap_names_init(&names);
	play(150018, &step);
	ck_assert_int_eq(tap_pg_query_names(conn, &names, &rows, &err), 0);
	ck_assert_uint_eq(names.count, 3);
	ck_assert(rows.seen == 8 && rows.skipped == 5 && !rows.cut);
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_DATABASE, 5), "postgres");
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_DATABASE, 16384), "we\xff\x1bird");
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_USER, 10), "postgres");
	tap_names_done(&names);
	finish();
}
END_TEST

/* ---- no memory ---- */

static const struct {
	const struct tap_scripted_step step;
	int (*ask)(void);
	int allocations; /* at least */
} fillings[] = {
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 19, .rows = 3, .cells = three_sessions }, ask_sessions, 10 },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 2, .rows = 4, .cells = settings_cells }, ask_settings, 4 },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 3, .rows = 1, .cells = (const char *const[]){ "u", "5", "x" } },
	  ask_names,
	  2 },
};

START_TEST(test_out_of_memory)
{
	long n;

	for (n = 1;; n++) {
		int r;

		play(150018, &fillings[_i].step);
		tap_alloc_fail_at(n);
		r = fillings[_i].ask();
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		expect_error(r, -ENOMEM, "Cannot allocate memory");
		finish();
	}
	tap_alloc_fail_at(0);
	ck_assert_int_gt(n, fillings[_i].allocations);
	finish();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("postgres queries");
	TCase *tests = tcase_create("queries");

	tcase_set_timeout(tests, 30);
	tcase_add_loop_test(tests, test_outcomes_of_every_query, 0, COUNT(questions) * COUNT(outcomes));
	tcase_add_loop_test(tests, test_every_statement_has_a_limit_and_qualified_names, 0, COUNT(questions));
	tcase_add_test(tests, test_settings);
	tcase_add_test(tests, test_statements_by_version);
	tcase_add_test(tests, test_sessions);
	tcase_add_loop_test(tests, test_bad_fields, 0, COUNT(bad_fields));
	tcase_add_loop_test(tests, test_clients, 0, COUNT(clients));
	tcase_add_loop_test(tests, test_client_without_a_state, 0, 4);
	tcase_add_test(tests, test_bytes_after_a_nul);
	tcase_add_loop_test(tests, test_kinds, 0, COUNT(backend_types));
	tcase_add_test(tests, test_limits);
	tcase_add_test(tests, test_one_row_too_many);
	tcase_add_test(tests, test_names);
	tcase_add_loop_test(tests, test_out_of_memory, 0, COUNT(fillings));
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
