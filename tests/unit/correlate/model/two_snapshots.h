/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * two_snapshots.h - a window between two hand-made snapshots of two instances, for the tests of correlate/model.
 * Static: one program, one window.
 */
#ifndef TAP_TESTS_UNIT_CORRELATE_MODEL_TWO_SNAPSHOTS_H
#define TAP_TESTS_UNIT_CORRELATE_MODEL_TWO_SNAPSHOTS_H

#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/model/window.h"
#include "tests/lib/check_main.h"

enum {
	CLIENT_READ = 0x06000000,
	TRANSACTIONID = 0x03000005, /* Lock */
	ACTIVITY = 0x05000000,
	APP = 5, /* database */
	OTHER = 6,
	NAMELESS = 77, /* an oid without a name */
	ME = 10,
	UNKNOWN_INSTANCE = 2,
};

static struct {
	struct tap_snapshot begin, end;
	struct tap_names names;
	struct tap_session_list sessions, other_sessions;
	struct tap_texts texts;
	struct tap_window_instance instances[3];
	struct tap_file_root roots[4];
	struct tap_window_input input;
	struct tap_view *view;
} two;

static inline struct tap_row_key two_key(uint32_t instance, uint8_t kind, uint32_t database, uint64_t query_id)
{
	return (struct tap_row_key){ .instance = instance,
				     .kind = kind,
				     .source = query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE,
				     .database = database,
				     .user = database ? ME : 0,
				     .query_id = query_id };
}

static inline struct tap_row *two_row(struct tap_snapshot *snapshot, const struct tap_row_key *key)
{
	struct tap_row *row = tap_row_set_get(&snapshot->rows, key);

	ck_assert_ptr_nonnull(row);
	return row;
}

/* A row that is new in the window. */
static inline struct tap_row *two_add(struct tap_row_key key, uint64_t cpu_ns, uint64_t calls, uint32_t event,
				      int64_t ns)
{
	struct tap_row *row = two_row(&two.end, &key);
	struct tap_account account = { .cpu_ns = cpu_ns, .calls = calls };

	tap_row_add_account(row, &account);
	if (ns)
		ck_assert_int_eq(tap_row_add_wait(row, event, 1, ns, 0), 0);
	return row;
}

static inline void two_text(uint64_t query_id, const char *raw, const char *normalised)
{
	struct tap_text_key key = { .instance = 0, .source = TAP_QUERY_ID_ENGINE, .query_id = query_id };

	if (raw)
		ck_assert_int_eq(tap_texts_put(&two.texts, &key, raw, strlen(raw), TAP_TEXT_RAW), 0);
	if (normalised)
		ck_assert_int_eq(tap_texts_put(&two.texts, &key, normalised, strlen(normalised), TAP_TEXT_NORMALISED),
				 0);
}

static inline void two_init(void)
{
	memset(&two, 0, sizeof(two));
	tap_snapshot_init(&two.begin);
	tap_snapshot_init(&two.end);
	tap_names_init(&two.names);
	tap_session_list_init(&two.sessions);
	tap_session_list_init(&two.other_sessions);
	tap_texts_init(&two.texts);
	tap_names_add(&two.names, TAP_NAME_DATABASE, APP, "app", 3);
	tap_names_add(&two.names, TAP_NAME_DATABASE, OTHER, "other", 5);
	tap_names_add(&two.names, TAP_NAME_USER, ME, "me", 2);
	two.begin.io.traced = two.end.io.traced = true;
	two.begin.stalls_traced = two.end.stalls_traced = true;
	two.begin.monotonic_ns = 1000000000;
	two.begin.realtime_ns = 1700000000000000000;
	two.end.monotonic_ns = 3000000000;
	two.end.realtime_ns = 1700000002000000000;
	two.instances[0] = (struct tap_window_instance){ .present = true,
							 .id = "postgres-5432",
							 .engine = TAP_ENGINE_POSTGRES,
							 .version = "15.18",
							 .version_number = 150018,
							 .pid = 100,
							 .port = 5432,
							 .data_dir = "/data",
							 .build_id = "abcd",
							 .layout = "table",
							 .connected = true,
							 .not_connected_why = "must not show",
							 .names = &two.names,
							 .sessions = &two.sessions };
	two.instances[1] = (struct tap_window_instance){ .present = true,
							 .id = "postgres-5433",
							 .engine = TAP_ENGINE_POSTGRES,
							 .version = "15.18",
							 .version_number = 150018,
							 .pid = 200,
							 .build_id = "",
							 .not_connected_why = "no role",
							 .sessions = &two.other_sessions };
	two.input = (struct tap_window_input){ .tool_version = "1.2",
					       .depth = "ambient",
					       .begin = &two.begin,
					       .end = &two.end,
					       .instances = two.instances,
					       .n_instances = 3,
					       .texts = &two.texts,
					       .options.sort = -1 };
}

static inline void two_done(void)
{
	tap_view_free(two.view);
	two.view = NULL;
	tap_snapshot_done(&two.begin);
	tap_snapshot_done(&two.end);
	tap_names_done(&two.names);
	tap_session_list_done(&two.sessions);
	tap_session_list_done(&two.other_sessions);
	tap_texts_done(&two.texts);
}

static inline const struct tap_view *two_view(void)
{
	tap_view_free(two.view);
	two.view = NULL;
	ck_assert_int_eq(tap_window_view(&two.input, &two.view), 0);
	return two.view;
}

#endif
