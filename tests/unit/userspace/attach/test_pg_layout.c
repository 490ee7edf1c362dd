// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pg_layout.c - the table of layouts: lookups, bounds, and, for every version whose headers are to be had, every
 * number against what a compiler makes of them (pg_offsets.c).
 */
#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/abi/kind.h"
#include "bpf/abi/checkpoint.h"
#include "correlate/checkpoint.h"
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
	ck_assert_ptr_null(tap_pg_layout_find(120018, EM_X86_64));
	ck_assert_ptr_null(tap_pg_layout_find(990000, EM_X86_64));
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
		const uint16_t longs[] = { layout->status_proc_start,
					   layout->status_xact_start,
					   layout->status_activity_start,
					   layout->status_state_start,
					   layout->status_appname,
					   layout->status_activity,
					   layout->status_query_id == TAP_PG_ABSENT ? 0 : layout->status_query_id };

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
		ck_assert_uint_le(layout->proc_wait_lock + 64u, rows[i].proc_size);
		ck_assert_uint_eq(layout->proc_wait_lock % 8u, 0);
		ck_assert_uint_gt(layout->proc_wait_lock_mode, layout->proc_wait_lock);
		ck_assert_uint_le(layout->proc_wait_lock_mode + 4u, layout->proc_wait_lock + 64u);
		ck_assert(!layout->proc_wait_start || (layout->proc_wait_start > layout->proc_wait_lock &&
						       layout->proc_wait_start + 8u <= layout->proc_wait_lock + 64u));
		ck_assert_uint_le(layout->proc_wait_status + 4u, rows[i].proc_size);
		for (size_t type = 0; type < TAP_PG_BACKEND_TYPES; type++) {
			ck_assert_uint_lt(layout->kind_of_type[type], TAP_KIND_COUNT);
			ck_assert_int_eq(layout->kind_of_type[type] != TAP_KIND_UNKNOWN,
					 type > 0 && type < rows[i].types);
		}
		for (size_t state = 0; state < TAP_PG_BACKEND_STATES; state++)
			ck_assert_uint_le(layout->state_of[state], TAP_PG_STATE_COUNT);
		ck_assert_uint_le(layout->wait_event_offset + 4u, rows[i].proc_size);
		ck_assert_str_ne(rows[i].name, "");
		for (size_t j = 0; j < i; j++)
			ck_assert(rows[i].major != rows[j].major || rows[i].machine != rows[j].machine);
	}
}
END_TEST

struct named_value {
	const char *name;
	long value;
};

static long value_of(const struct named_value *values, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(values[i].name, name))
			return values[i].value;
	}
	return -1;
}

/* What the table says under the name that pg_offsets.c prints; -1: a name it does not know. */
static long field_value(const struct tap_pg_layout_row *row, const char *name)
{
#define LAYOUT(field) \
	{ \
		"layout." #field, row->layout.field \
	}
	const struct named_value values[] = {
		{ "row.major", row->major },
		{ "row.proc_size", row->proc_size },
		LAYOUT(status_size),
		LAYOUT(status_changecount),
		LAYOUT(status_procpid),
		LAYOUT(status_backend_type),
		LAYOUT(status_proc_start),
		LAYOUT(status_xact_start),
		LAYOUT(status_activity_start),
		LAYOUT(status_state_start),
		LAYOUT(status_database),
		LAYOUT(status_user),
		LAYOUT(status_client_addr),
		LAYOUT(status_state),
		LAYOUT(status_appname),
		LAYOUT(status_activity),
		LAYOUT(status_progress_command),
		LAYOUT(status_query_id),
		LAYOUT(proc_lock_group_leader),
		LAYOUT(proc_pid),
		LAYOUT(proc_wait_event_info),
		LAYOUT(wait_event_offset),
		LAYOUT(proc_wait_lock),
		LAYOUT(proc_wait_lock_mode),
		LAYOUT(proc_wait_start),
		LAYOUT(proc_wait_status),
		LAYOUT(lock_tag),
	};
#undef LAYOUT

	return value_of(values, sizeof(values) / sizeof(*values), name);
}

static long lock_value(const struct tap_pg_layout_row *row, const char *name)
{
	const struct tap_pg_lock_layout *locks = tap_pg_lock_layout_find(row->major * 10000, row->machine);
#define LOCKS(field) \
	{ \
		"locks." #field, locks->field \
	}
	const struct named_value values[] = {
		LOCKS(header_procs),
		LOCKS(header_count),
		LOCKS(header_xacts),
		LOCKS(xact_size),
		LOCKS(proc_size),
		LOCKS(proc_links),
		LOCKS(proc_xid),
		LOCKS(proc_pid),
		LOCKS(proc_backend_id),
		LOCKS(proc_database),
		LOCKS(proc_wait_lock),
		LOCKS(proc_wait_share),
		LOCKS(proc_wait_mode),
		LOCKS(proc_wait_start),
		LOCKS(proc_lists),
		LOCKS(proc_n_lists),
		LOCKS(proc_fast_bits),
		LOCKS(proc_fast_relations),
		LOCKS(proc_fast_slots),
		LOCKS(fast_apart),
		LOCKS(proc_fast_vxid),
		LOCKS(proc_fast_lxid),
		LOCKS(lock_size),
		LOCKS(lock_tag),
		LOCKS(lock_grant_mask),
		LOCKS(lock_wait_mask),
		LOCKS(lock_shares),
		LOCKS(lock_queue),
		LOCKS(lock_queue_size),
		LOCKS(lock_requested),
		LOCKS(lock_granted),
		LOCKS(share_size),
		LOCKS(share_lock),
		LOCKS(share_proc),
		LOCKS(share_leader),
		LOCKS(share_held),
		LOCKS(share_lock_link),
		LOCKS(share_proc_link),
		{ "check.lock_n_requested", locks->lock_requested + TAP_PG_LOCK_MODES * 4 },
		{ "check.lock_n_granted", locks->lock_granted + TAP_PG_LOCK_MODES * 4 },
		{ "check.link_prev", offsetof(struct tap_pg_link, prev) },
		{ "check.link_next", offsetof(struct tap_pg_link, next) },
		{ "check.lock_modes", TAP_PG_LOCK_MODES },
		{ "check.namedatalen", 64 },
	};
#undef LOCKS

	return value_of(values, sizeof(values) / sizeof(*values), name);
}

/* Which number the server's word has in the table. */
static long kind_number(const struct tap_pg_layout_row *row, const char *word)
{
	static const char *const kinds[] = {
#define X(id, text) text,
		TAP_KINDS(X)
#undef X
	};

	for (long type = 0; type < row->types; type++) {
		if (!strcmp(kinds[row->layout.kind_of_type[type]], word))
			return type;
	}
	return -1;
}

static long state_number(const struct tap_pg_layout_row *row, const char *word)
{
	static const char *const states[TAP_PG_STATE_COUNT] = {
		"undefined", "idle", "running", "idle_in_transaction", "fastpath", "idle_in_transaction_aborted",
		"disabled",
	};

	for (long number = 0; number < TAP_PG_BACKEND_STATES; number++) {
		uint8_t state = row->layout.state_of[number];

		if (state < TAP_PG_STATE_COUNT && !strcmp(states[state], word))
			return number;
	}
	return -1;
}

static long aio_value(const struct tap_pg_layout_row *row, const char *name)
{
	const struct tap_pg_aio_layout *aio = tap_pg_aio_layout_find(row->major * 10000, row->machine);
#define AIO(field) \
	{ \
#field, offsetof(struct tap_pg_aio_layout, field) \
	}
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
		AIO(control_iovec_count), AIO(control_iovecs), AIO(control_handle_count), AIO(control_handles),
		AIO(handle_size),	  AIO(handle_state),   AIO(handle_owner),	  AIO(handle_resowner),
		AIO(handle_iovec),	  AIO(submitted),      AIO(descriptor_size),	  AIO(descriptor_wait),
		AIO(block_size),
	};
#undef AIO
	uint16_t value;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields) && aio; i++) {
		if (strcmp(fields[i].name, name))
			continue;
		memcpy(&value, (const char *)aio + fields[i].offset, sizeof(value));
		return value;
	}
	return -1;
}

/* Of the record that all versions share; -1: a name it does not know. */
static long checkpoint_value(const struct tap_pg_layout_row *row, const char *name)
{
	const size_t counts = offsetof(struct tap_pg_checkpoint, counts);
	const struct {
		const char *name;
		size_t value;
	} values[] = {
		{ "size", sizeof(struct tap_pg_checkpoint) },
		{ "start", offsetof(struct tap_pg_checkpoint, start_us) },
		{ "write", offsetof(struct tap_pg_checkpoint, write_us) },
		{ "sync", offsetof(struct tap_pg_checkpoint, sync_us) },
		{ "sync_end", offsetof(struct tap_pg_checkpoint, sync_end_us) },
		{ "end", offsetof(struct tap_pg_checkpoint, end_us) },
		{ "buffers", counts },
		{ "files", counts + 4 * (size_t)tap_checkpoint_files_place(row->major * 10000) },
		{ "longest_sync", offsetof(struct tap_pg_checkpoint, longest_sync_us) },
		{ "sync_total", offsetof(struct tap_pg_checkpoint, sync_total_us) },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		if (!strcmp(values[i].name, name))
			return (long)values[i].value;
	}
	return -1;
}

static long table_value(const struct tap_pg_layout_row *row, const char *name)
{
	if (!strncmp(name, "kind.", 5))
		return kind_number(row, name + 5);
	if (!strncmp(name, "state.", 6))
		return state_number(row, name + 6);
	if (!strncmp(name, "aio.", 4))
		return aio_value(row, name + 4);
	if (!strncmp(name, "checkpoint.", 11))
		return checkpoint_value(row, name + 11);
	if (!strncmp(name, "locks.", 6) || !strncmp(name, "check.", 6))
		return lock_value(row, name);
	return field_value(row, name);
}

static void compare_line(const struct tap_pg_layout_row *row, const char *name, long value)
{
	if (!strcmp(name, "check.lock_types")) /* the table has the types of the newest version */
		ck_assert_int_le(value, TAP_LOCK_TYPE_COUNT);
	else
		ck_assert_msg(table_value(row, name) == value, "%d: %s: the headers say %ld, the table %ld", row->major,
			      name, value, table_value(row, name));
}

/* false: the headers are not there. */
static bool compare_with_headers(const struct tap_pg_layout_row *row, const char *headers)
{
	char command[1024], name[64], path[256];
	size_t compared = 0;
	FILE *out;
	long value;

	snprintf(path, sizeof(path), "%s/postgres.h", headers);
	if (access(path, R_OK))
		return false;
	snprintf(command, sizeof(command),
		 "t=$(mktemp) && cc -isystem %s -o $t '%.*s/pg_offsets.c' && $t; r=$?; rm -f $t; exit $r", headers,
		 (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
	out = popen(command, "r");
	ck_assert_ptr_nonnull(out);
	while (fscanf(out, "%63s %ld", name, &value) == 2) {
		compare_line(row, name, value);
		compared++;
	}
	ck_assert_int_eq(pclose(out), 0);
	ck_assert_uint_ge(compared, 99);
	return true;
}

/* Those that are installed, and those that tests/lib/pg_versions.py has fetched. */
START_TEST(test_against_the_servers_headers)
{
	static const char *const places[] = { "/usr/include/postgresql/%1$d/server", "%2$s/headers-%1$d" };
	const char *cache = getenv("TAP_SERVERS");
	const struct tap_pg_layout_row *rows;
	size_t count;

	rows = tap_pg_layout_rows(&count);
	for (size_t i = 0; i < count; i++) {
		bool found = rows[i].machine != EM_X86_64;

		for (size_t j = 0; j < sizeof(places) / sizeof(*places) && !found; j++) {
			char headers[256];

			snprintf(headers, sizeof(headers), places[j], rows[i].major, cache ? cache : "build/servers");
			found = compare_with_headers(&rows[i], headers);
		}
		if (!found)
			printf("# %s: not compared with the server's headers: they are not there\n", rows[i].name);
	}
}
END_TEST

/* LP64 little-endian machines share one layout; userspace's table repeats what BPF's has. */
START_TEST(test_tables_agree)
{
	const struct tap_pg_layout_row *rows;
	size_t count;

	rows = tap_pg_layout_rows(&count);
	for (size_t i = 0; i < count; i++) {
		const struct tap_pg_layout_row *row = &rows[i];
		const struct tap_pg_layout_row *other = tap_pg_layout_find(row->major * 10000, EM_AARCH64);
		const struct tap_pg_lock_layout *locks = tap_pg_lock_layout_find(row->major * 10000, row->machine);

		ck_assert_ptr_nonnull(other);
		ck_assert_mem_eq(&other->layout, &row->layout, sizeof(row->layout));
		ck_assert_ptr_nonnull(locks);
		ck_assert_uint_eq(locks->proc_size, row->proc_size);
		ck_assert_uint_eq(locks->proc_pid, row->layout.proc_pid);
		ck_assert_uint_eq(locks->proc_wait_lock, row->layout.proc_wait_lock);
		ck_assert_uint_eq(locks->proc_wait_mode, row->layout.proc_wait_lock_mode);
		ck_assert_uint_eq(locks->proc_wait_start,
				  row->layout.proc_wait_start ? row->layout.proc_wait_start : TAP_PG_ABSENT);
		ck_assert_uint_eq(locks->lock_tag, row->layout.lock_tag);
	}
	ck_assert_ptr_null(tap_pg_lock_layout_find(120000, EM_X86_64));
	ck_assert_ptr_null(tap_pg_lock_layout_find(150000, EM_PPC64));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_layout");
	TCase *tcase = tcase_create("pg_layout");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_find);
	tcase_add_test(tcase, test_bounds);
	tcase_add_test(tcase, test_tables_agree);
	tcase_add_test(tcase, test_against_the_servers_headers);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
