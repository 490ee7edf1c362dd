// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pg_layout.c - the table of layouts: lookups, bounds, and, where PostgreSQL 15's headers are installed, every
 * number against what a compiler makes of them (pg15_offsets.c).
 */
#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/abi/kind.h"
#include "tests/lib/check_main.h"
#include "userspace/attach/pg_layout.h"
#include "userspace/attach/pg_lock_record.h"

START_TEST(test_find)
{
	const struct tap_pg_layout_row *row = tap_pg_layout_find(150018, EM_X86_64);

	ck_assert_ptr_nonnull(row);
	ck_assert_str_eq(row->name, "15 x86-64");
	ck_assert_ptr_eq(tap_pg_layout_find(150000, EM_X86_64), row);
	ck_assert_ptr_nonnull(tap_pg_layout_find(150018, EM_AARCH64));
	ck_assert_ptr_null(tap_pg_layout_find(140018, EM_X86_64));
	ck_assert_ptr_null(tap_pg_layout_find(160000, EM_X86_64));
	ck_assert_ptr_null(tap_pg_layout_find(0, EM_X86_64));
	ck_assert_ptr_null(tap_pg_layout_find(-150018, EM_X86_64));
	ck_assert_ptr_null(tap_pg_layout_find(150018, EM_PPC64));
}
END_TEST

/* Every offset names bytes inside its struct, so that readers need not check again. */
START_TEST(test_bounds)
{
	const struct tap_pg_layout_row *rows;
	size_t count;

	rows = tap_pg_layout_rows(&count);
	ck_assert_uint_gt(count, 0);
	for (size_t i = 0; i < count; i++) {
		const struct tap_pg_layout *layout = &rows[i].layout;
		const uint16_t words[] = {
			layout->status_changecount,	layout->status_procpid, layout->status_backend_type,
			layout->status_database,	layout->status_user,	layout->status_state,
			layout->status_progress_command
		};
		const uint16_t longs[] = { layout->status_proc_start,	  layout->status_xact_start,
					   layout->status_activity_start, layout->status_state_start,
					   layout->status_appname,	  layout->status_activity,
					   layout->status_query_id };

		ck_assert_uint_le(layout->status_size, TAP_PG_STATUS_MAX);
		for (size_t j = 0; j < sizeof(words) / sizeof(*words); j++)
			ck_assert_uint_le(words[j] + 4u, layout->status_size);
		for (size_t j = 0; j < sizeof(longs) / sizeof(*longs); j++)
			ck_assert_uint_le(longs[j] + 8u, layout->status_size);
		ck_assert_uint_le(layout->status_client_addr + 128u, layout->status_size);
		ck_assert_uint_le(layout->proc_pid + 4u, rows[i].proc_size);
		ck_assert_uint_le(layout->proc_wait_event_info + 4u, rows[i].proc_size);
		ck_assert_uint_le(layout->proc_lock_group_leader + 8u, rows[i].proc_size);
		/* bpf/lock.bpf.h reads these three at once. */
		ck_assert_uint_le(layout->proc_wait_lock + 32u, rows[i].proc_size);
		ck_assert_uint_eq(layout->proc_wait_lock % 8u, 0);
		ck_assert_uint_gt(layout->proc_wait_lock_mode, layout->proc_wait_lock);
		ck_assert_uint_le(layout->proc_wait_lock_mode + 4u, layout->proc_wait_lock + 32u);
		ck_assert(!layout->proc_wait_start || (layout->proc_wait_start > layout->proc_wait_lock &&
						       layout->proc_wait_start + 8u <= layout->proc_wait_lock + 32u));
		ck_assert_uint_le(layout->proc_wait_status + 4u, rows[i].proc_size);
		for (size_t type = 0; type < TAP_PG_BACKEND_TYPES; type++) {
			ck_assert_uint_lt(layout->kind_of_type[type], TAP_KIND_COUNT);
			ck_assert_int_eq(layout->kind_of_type[type] != TAP_KIND_UNKNOWN,
					 type > 0 && type < rows[i].types);
		}
		ck_assert_str_ne(rows[i].name, "");
		for (size_t j = 0; j < i; j++)
			ck_assert(rows[i].major != rows[j].major || rows[i].machine != rows[j].machine);
	}
}
END_TEST

/* What the table says under the name that pg15_offsets.c prints; -1: a name it does not know. */
static long table_value(const struct tap_pg_layout_row *row, const char *name)
{
	const struct tap_pg_layout *layout = &row->layout;
	const struct tap_pg_lock_layout *locks = tap_pg_lock_layout_find(row->major * 10000, row->machine);
	const struct {
		const char *name;
		long value;
	} values[] = {
		{ "major", row->major },
		{ "status_size", layout->status_size },
		{ "proc_size", row->proc_size },
		{ "changecount", layout->status_changecount },
		{ "procpid", layout->status_procpid },
		{ "backend_type", layout->status_backend_type },
		{ "proc_start", layout->status_proc_start },
		{ "xact_start", layout->status_xact_start },
		{ "activity_start", layout->status_activity_start },
		{ "state_start", layout->status_state_start },
		{ "database", layout->status_database },
		{ "user", layout->status_user },
		{ "client_addr", layout->status_client_addr },
		{ "state", layout->status_state },
		{ "appname", layout->status_appname },
		{ "activity", layout->status_activity },
		{ "progress_command", layout->status_progress_command },
		{ "query_id", layout->status_query_id },
		{ "lock_group_leader", layout->proc_lock_group_leader },
		{ "pid", layout->proc_pid },
		{ "wait_event_info", layout->proc_wait_event_info },
		{ "wait_lock", layout->proc_wait_lock },
		{ "wait_lock_mode", layout->proc_wait_lock_mode },
		{ "wait_start", layout->proc_wait_start },
		{ "wait_status", layout->proc_wait_status },
		{ "lock_tag", layout->lock_tag },
		{ "header_procs", locks->header_procs },
		{ "header_count", locks->header_count },
		{ "proc_links", locks->proc_links },
		{ "proc_xid", locks->proc_xid },
		{ "proc_backend_id", locks->proc_backend_id },
		{ "proc_database", locks->proc_database },
		{ "proc_wait_share", locks->proc_wait_share },
		{ "proc_lists", locks->proc_lists },
		{ "proc_fast_bits", locks->proc_fast_bits },
		{ "proc_fast_relations", locks->proc_fast_relations },
		{ "proc_fast_vxid", locks->proc_fast_vxid },
		{ "proc_fast_lxid", locks->proc_fast_lxid },
		{ "lock_grant_mask", locks->lock_grant_mask },
		{ "lock_wait_mask", locks->lock_wait_mask },
		{ "lock_shares", locks->lock_shares },
		{ "lock_queue", locks->lock_queue },
		{ "lock_queue_size", locks->lock_queue_size },
		{ "lock_requested", locks->lock_requested },
		{ "lock_granted", locks->lock_granted },
		{ "share_lock", locks->share_lock },
		{ "share_proc", locks->share_proc },
		{ "share_leader", locks->share_leader },
		{ "share_held", locks->share_held },
		{ "share_lock_link", locks->share_lock_link },
		{ "share_proc_link", locks->share_proc_link },
		{ "lock_size", locks->lock_size },
		{ "share_size", locks->share_size },
		{ "proc_n_lists", locks->proc_n_lists },
		{ "proc_fast_slots", locks->proc_fast_slots },
		{ "lock_n_requested", locks->lock_requested + TAP_PG_LOCK_MODES * 4 },
		{ "lock_n_granted", locks->lock_granted + TAP_PG_LOCK_MODES * 4 },
		{ "link_prev", offsetof(struct tap_pg_link, prev) },
		{ "link_next", offsetof(struct tap_pg_link, next) },
		{ "lock_modes", TAP_PG_LOCK_MODES },
		{ "lock_types", TAP_LOCK_TYPE_COUNT },
		{ "state_undefined", TAP_PG_STATE_UNDEFINED },
		{ "state_idle", TAP_PG_STATE_IDLE },
		{ "state_running", TAP_PG_STATE_RUNNING },
		{ "state_idle_in_transaction", TAP_PG_STATE_IDLE_IN_TRANSACTION },
		{ "state_fastpath", TAP_PG_STATE_FASTPATH },
		{ "state_idle_in_transaction_aborted", TAP_PG_STATE_IDLE_IN_TRANSACTION_ABORTED },
		{ "state_disabled", TAP_PG_STATE_DISABLED },
		{ "namedatalen", 64 },
	};
	static const char *const kinds[] = {
#define X(id, text) text,
		TAP_KINDS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		if (!strcmp(values[i].name, name))
			return values[i].value;
	}
	for (long type = 0; type < row->types; type++) {
		if (!strcmp(kinds[layout->kind_of_type[type]], name))
			return type;
	}
	return -1;
}

/* Userspace's table repeats what BPF's has: the same server, the same numbers. */
static void check_what_both_tables_say(const struct tap_pg_layout_row *row)
{
	const struct tap_pg_lock_layout *locks = tap_pg_lock_layout_find(row->major * 10000, row->machine);

	ck_assert_uint_eq(locks->proc_size, row->proc_size);
	ck_assert_uint_eq(locks->proc_pid, row->layout.proc_pid);
	ck_assert_uint_eq(locks->proc_wait_lock, row->layout.proc_wait_lock);
	ck_assert_uint_eq(locks->proc_wait_mode, row->layout.proc_wait_lock_mode);
	ck_assert_uint_eq(locks->proc_wait_start, row->layout.proc_wait_start);
	ck_assert_uint_eq(locks->lock_tag, row->layout.lock_tag);
	ck_assert_ptr_null(tap_pg_lock_layout_find(140000, EM_X86_64));
	ck_assert_ptr_null(tap_pg_lock_layout_find(150000, EM_PPC64));
	ck_assert_ptr_nonnull(tap_pg_lock_layout_find(150000, EM_AARCH64));
}

START_TEST(test_against_the_servers_headers)
{
	static const char *const headers = "/usr/include/postgresql/15/server";
	const struct tap_pg_layout_row *row = tap_pg_layout_find(150000, EM_X86_64);
	char command[1024], name[64], path[256];
	size_t compared = 0;
	FILE *out;
	long value;

	snprintf(path, sizeof(path), "%s/postgres.h", headers);
	if (access(path, R_OK)) {
		printf("# not compared with the server's headers: %s is not there\n", path);
		return;
	}
	snprintf(command, sizeof(command),
		 "t=$(mktemp) && cc -isystem %s -o $t '%.*s/pg15_offsets.c' && $t; r=$?; rm -f $t; exit $r", headers,
		 (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
	out = popen(command, "r");
	ck_assert_ptr_nonnull(out);
	while (fscanf(out, "%63s %ld", name, &value) == 2) {
		ck_assert_msg(table_value(row, name) == value, "%s: the headers say %ld, the table %ld", name, value,
			      table_value(row, name));
		compared++;
	}
	ck_assert_int_eq(pclose(out), 0);
	ck_assert_uint_eq(compared, 81);
	ck_assert_mem_eq(&tap_pg_layout_find(150000, EM_AARCH64)->layout, &row->layout, sizeof(row->layout));
	check_what_both_tables_say(row);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_layout");
	TCase *tcase = tcase_create("pg_layout");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_find);
	tcase_add_test(tcase, test_bounds);
	tcase_add_test(tcase, test_against_the_servers_headers);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
