// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_target.c - finding instances: what is one, what is none, several, refusals, and settings read from memory.
 * Servers are made up (fake_pg.h).
 */
#include <check.h>
#include <errno.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_pg.h"
#include "userspace/attach/target.h"

static struct tap_target_list list;

static void teardown(void)
{
	tap_alloc_fail_at(0);
	tap_targets_done(&list);
	fake_pg_done();
}

static void find(size_t expected)
{
	struct tap_error err = { "" };

	tap_targets_done(&list);
	ck_assert_msg(!tap_targets_find(fake_proc_tree.root, &list, &err), "%s", err.text);
	ck_assert_uint_eq(list.count, expected);
}

static pid_t aux(pid_t postmaster, int slot)
{
	return fake_pg_fork(postmaster, "postgres: 15/my: main: some", fake_pg_fill_aux, slot);
}

START_TEST(test_one_instance)
{
	pid_t postmaster = fake_pg_postmaster(5432);
	const struct tap_target *target;
	int32_t *pids;
	size_t count;

	aux(postmaster, 0);
	aux(postmaster, 1);
	fake_pg_fork(postmaster, "postgres: 15/my: main: u d [local] SELECT", fake_pg_fill_client, 2);
	find(1);
	target = &list.items[0];
	ck_assert_str_eq(target->refused, "");
	ck_assert_str_eq(target->id, "postgres-5432");
	ck_assert_str_eq(target->version, "15.18");
	ck_assert_int_eq(target->version_number, 150018);
	ck_assert_int_eq(target->pid, postmaster);
	ck_assert_str_eq(target->exe, fake_exe);
	ck_assert_str_eq(target->data_dir, fake_data);
	ck_assert_str_eq(target->socket, "/run/a b");
	ck_assert_str_eq(target->listen, "localhost");
	ck_assert_str_eq(target->cluster_name, "15/my: main");
	ck_assert_str_eq(target->build_id, "12345678");
	ck_assert_int_eq(target->port, 5432);
	ck_assert_int_eq(target->max_backends, 122);
	ck_assert_int_eq(target->activity_size, FAKE_PG_ACTIVITY);
	ck_assert(!target->query_ids);
	ck_assert_str_eq(target->layout_source, "table row 15 x86-64, checked against 3 processes");
	ck_assert_uint_eq(target->layout.status_query_id, 424);
	ck_assert_uint_eq(target->addresses.my_beentry, (uint64_t)(uintptr_t)&fake_pg.my_beentry);
	ck_assert_uint_eq(target->statement_end_offset, FAKE_ELF_TEXT);
	ck_assert(tap_target_alive(target));
	ck_assert_int_eq(tap_target_processes(target, &pids, &count), 0);
	ck_assert_uint_eq(count, 4);
	ck_assert_int_eq(pids[0], postmaster);
	free(pids);
}
END_TEST

START_TEST(test_none)
{
	find(0);
	ck_assert_ptr_null(list.items);
	tap_targets_done(NULL);
	tap_target_done(NULL);
}
END_TEST

static void fill_settings(pid_t ppid, int which)
{
	static const char *const sockets[] = { "@abstract", "relative,/x", "", "\"/quo, ted\",/x", "  /tmp  ,/x" };

	fake_pg.socket_directories = sockets[which];
	fake_pg.listen_addresses = which ? "" : "*";
	fake_pg.cluster_name = "";
	fake_pg_fill_postmaster(ppid, 6000 + which);
	fake_pg.compute_query_id = which;
	fake_pg.query_id_enabled = which >= 3;
}

/* Several instances, each refused (they have no processes to check), with settings of their own. */
START_TEST(test_settings)
{
	static const char *const sockets[] = { "@abstract", NULL, NULL, "/quo, ted", "/tmp" };
	static const bool query_ids[] = { false, true, false, true, true };
	char relative[256];

	snprintf(relative, sizeof(relative), "%s/relative", fake_data);
	for (int i = 0; i < 5; i++)
		fake_pg_fork(1, "postgres", fill_settings, i);
	find(5);
	for (int i = 0; i < 5; i++) {
		const struct tap_target *target = &list.items[i];

		ck_assert_int_eq(target->port, 6000 + i);
		ck_assert_pstr_eq(target->socket, i == 1 ? relative : sockets[i]);
		ck_assert_pstr_eq(target->listen, i ? NULL : "*");
		ck_assert_ptr_null(target->cluster_name);
		ck_assert_int_eq(target->query_ids, query_ids[i]);
		ck_assert_ptr_nonnull(strstr(target->refused, "no process with a readable status entry"));
	}
}
END_TEST

static void fill_standalone(pid_t ppid, int arg)
{
	fake_pg_fill_postmaster(ppid, arg);
	fake_pg.is_postmaster_environment = 0;
	fake_pg.postmaster_pid = 0;
	fake_pg.pg_start_time = 0;
}

static void fill_not_started(pid_t ppid, int arg)
{
	fake_pg_fill_postmaster(ppid, arg);
	fake_pg.pg_start_time = 0;
}

/* A child between fork and its first own words: a copy of its parent. */
static void fill_fresh(pid_t ppid, int arg)
{
	fake_pg_fill_postmaster(ppid, arg);
	fake_pg.my_proc_pid = fake_pg.postmaster_pid = ppid;
}

static void fill_zero(pid_t ppid, int arg)
{
	(void)ppid;
	(void)arg;
}

START_TEST(test_what_is_no_instance)
{
	fake_pg_fork(1, "postgres --single", fill_standalone, 5432);
	fake_pg_fork(1, "postgres --boot", fill_standalone, 5432);
	fake_pg_fork(1, "postgres -C port", fill_not_started, 5432);
	fake_pg_fork(1, "postgres", fill_fresh, 5432);
	fake_pg_fork(1, "postgres", fill_zero, 5432);
	find(0);
}
END_TEST

START_TEST(test_a_backend_is_no_instance_and_its_child_may_be)
{
	pid_t outer = fake_pg_postmaster(5432);
	pid_t backend = fake_pg_fork(outer, "postgres: 15/my: main: u d [local] COPY", fake_pg_fill_client, 0);
	pid_t inner = fake_pg_fork(backend, "postgres", fake_pg_fill_postmaster, 5433);

	find(2);
	ck_assert_int_eq(list.items[0].pid, outer);
	ck_assert_str_eq(list.items[0].refused, "");
	ck_assert_int_eq(list.items[1].pid, inner);
}
END_TEST

START_TEST(test_two_on_one_port)
{
	pid_t first = fake_pg_postmaster(5432);
	pid_t second = fake_pg_postmaster(5432);
	char id[64];

	find(2);
	snprintf(id, sizeof(id), "postgres-5432-%d", second);
	ck_assert_str_eq(list.items[0].id, "postgres-5432");
	ck_assert_int_eq(list.items[0].pid, first);
	ck_assert_str_eq(list.items[1].id, id);
}
END_TEST

static void check_refused(const char *what)
{
	find(1);
	ck_assert_msg(strstr(list.items[0].refused, what), "%s", list.items[0].refused);
	ck_assert_str_eq(list.items[0].layout_source, "");
	ck_assert_uint_eq(list.items[0].layout.status_size, 0);
}

START_TEST(test_unknown_versions_are_refused)
{
	pid_t postmaster = fake_pg_postmaster(5432);

	aux(postmaster, 0);
	fake_pg_write_exe(fake_exe, "PostgreSQL 12.2 on test, compiled by hand", EM_X86_64, NULL);
	check_refused(
		"postgres-5432: PostgreSQL 12.2 (build id 12345678) on x86-64 has no memory layout in this dbtap, "
		"which knows 13 to 19 on x86-64 and arm64; use a dbtap that knows this version");
	fake_pg_write_exe(fake_exe, "PostgreSQL 15.2 on test, compiled by hand", EM_RISCV, NULL);
	check_refused("on ELF machine 243 has no memory layout");
	fake_pg_write_exe(fake_exe, "nothing of use", EM_X86_64, NULL);
	check_refused("PostgreSQL of unknown version");
	fake_pg_write_exe(fake_exe, "PostgreSQL 15.18 on test, compiled by hand", EM_X86_64, NULL);
	find(1);
	ck_assert_str_eq(list.items[0].refused, "");
}
END_TEST

START_TEST(test_missing_symbols)
{
	pid_t postmaster = fake_pg_postmaster(5432);

	aux(postmaster, 0);
	fake_pg_write_exe(fake_exe, "PostgreSQL 15.18 on test, compiled by hand", EM_X86_64, "MyBEEntry");
	check_refused("does not export the variable MyBEEntry");
	fake_pg_write_exe(fake_exe, "PostgreSQL 15.18 on test, compiled by hand", EM_X86_64, "MyProcPid");
	check_refused("runs a PostgreSQL server whose executable exports no symbols");
	fake_pg_write_exe(fake_exe, "PostgreSQL 15.18 on test, compiled by hand", EM_X86_64, "MaxBackends");
	find(1);
	ck_assert_str_eq(list.items[0].refused, "");
	ck_assert_int_eq(list.items[0].max_backends, 0);
	ck_assert_int_eq(truncate(fake_exe, 100), 0);
	check_refused("or is broken");
	ck_assert_ptr_eq(strstr(list.items[0].refused, list.items[0].id), list.items[0].refused);
}
END_TEST

START_TEST(test_other_major_in_the_data_directory)
{
	pid_t postmaster = fake_pg_postmaster(5432);
	char path[256];
	FILE *file;

	aux(postmaster, 0);
	snprintf(path, sizeof(path), "%s/PG_VERSION", fake_data);
	file = fopen(path, "w");
	fputs("13\n", file);
	fclose(file);
	check_refused("another major version");
	ck_assert_int_eq(unlink(path), 0);
	find(1);
	ck_assert_str_eq(list.items[0].refused, "");
	ck_assert_int_eq(mkfifo(path, 0600), 0); /* must not wait for a writer */
	find(1);
	ck_assert_str_eq(list.items[0].refused, "");
}
END_TEST

static void fill_wrong_entry(pid_t ppid, int slot)
{
	fake_pg_fill_aux(ppid, slot);
	fake_shared->status[slot].state = 77;
}

START_TEST(test_memory_that_does_not_fit)
{
	pid_t postmaster = fake_pg_postmaster(5432);

	fake_pg_fork(postmaster, "postgres: 15/my: main: checkpointer", fill_wrong_entry, 0);
	check_refused("does not fit memory layout 15 x86-64: process ");
	ck_assert_ptr_nonnull(strstr(list.items[0].refused, "st_state is no state"));
}
END_TEST

START_TEST(test_other_programs)
{
	char path[256];

	fake_proc_add(&fake_proc_tree,
		      &(struct fake_process){ .pid = 500, .ppid = 1, .comm = "postgres_export", .exe = "/bin/true" });
	fake_proc_add(&fake_proc_tree,
		      &(struct fake_process){ .pid = 501, .ppid = 1, .comm = "sh", .exe = "/bin/true" });
	fake_proc_add(&fake_proc_tree,
		      &(struct fake_process){ .pid = 502, .ppid = 1, .comm = "postgres", .state = 'Z' });
	fake_proc_add(&fake_proc_tree, &(struct fake_process){ .pid = 503, .ppid = 1, .comm = "kthreadd" });
	/* Called postgres, and not even a program. */
	snprintf(path, sizeof(path), "%s/PG_VERSION", fake_data);
	fake_proc_add(&fake_proc_tree,
		      &(struct fake_process){ .pid = 504, .ppid = 1, .comm = "postgres", .exe = path });
	find(0);
}
END_TEST

START_TEST(test_renamed_executable)
{
	pid_t postmaster = fake_pg_postmaster(5432);
	struct fake_process process = {
		.pid = postmaster, .ppid = 1, .comm = "db", .exe = fake_exe, .maps = fake_maps
	};

	fake_proc_add(&fake_proc_tree, &process);
	find(1);
	process.maps = "10000000-10010000 r-xp 00000000 00:00 1 /elsewhere\n";
	fake_proc_add(&fake_proc_tree, &process);
	find(0);
}
END_TEST

START_TEST(test_other_mount_namespace)
{
	pid_t postmaster = fake_pg_postmaster(5432);
	char expected[256];

	fake_proc_add(&fake_proc_tree,
		      &(struct fake_process){
			      .pid = postmaster, .ppid = 1, .exe = fake_exe, .maps = fake_maps, .other_mounts = true });
	find(1);
	snprintf(expected, sizeof(expected), "%s/%d/root%s", fake_proc_tree.root, postmaster, fake_data);
	ck_assert_str_eq(list.items[0].data_dir, expected);
	snprintf(expected, sizeof(expected), "%s/%d/root/run/a b", fake_proc_tree.root, postmaster);
	ck_assert_str_eq(list.items[0].socket, expected);
}
END_TEST

START_TEST(test_hidden_processes)
{
	struct tap_error err = { "" };
	char path[PATH_MAX];

	fake_proc_path(&fake_proc_tree, 1, "stat", path);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(tap_targets_find(fake_proc_tree.root, &list, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "run dbtap as root"));
	ck_assert_int_eq(tap_targets_find("/nonexistent", &list, &err), -ENOENT);
}
END_TEST

/* Memory that is not ours: process 1's under a name that fits, unless the test runs as root. */
START_TEST(test_unreadable_memory)
{
	if (!geteuid()) {
		printf("# unreadable memory not tried: running as root\n");
		return;
	}
	fake_proc_add(&fake_proc_tree,
		      &(struct fake_process){ .pid = 1, .comm = "postgres", .exe = fake_exe, .maps = fake_maps });
	check_refused("memory of process 1 cannot be read: Operation not permitted; run dbtap as root");
	ck_assert_str_eq(list.items[0].id, "postgres-pid-1");
}
END_TEST

START_TEST(test_death)
{
	pid_t postmaster = fake_pg_postmaster(5432);
	struct fake_process process = { .pid = postmaster, .ppid = 1, .exe = fake_exe, .maps = fake_maps };
	int32_t *pids;
	size_t count;

	find(1);
	process.start = 77;
	fake_proc_stat(&fake_proc_tree, &process);
	ck_assert(!tap_target_alive(&list.items[0])); /* a reused pid */
	ck_assert_int_eq(tap_target_processes(&list.items[0], &pids, &count), -ESRCH);
	process.start = 0;
	process.state = 'Z';
	fake_proc_stat(&fake_proc_tree, &process);
	ck_assert(!tap_target_alive(&list.items[0]));
	list.items[0].pid = 4000000;
	ck_assert(!tap_target_alive(&list.items[0]));
	ck_assert_int_eq(tap_target_processes(&list.items[0], &pids, &count), -ESRCH);
}
END_TEST

START_TEST(test_out_of_memory)
{
	pid_t postmaster = fake_pg_postmaster(5432);
	int32_t *pids;
	size_t count;

	aux(postmaster, 0);
	for (long n = 1;; n++) {
		struct tap_error err = { "" };
		int code;

		tap_alloc_fail_at(n);
		code = tap_targets_find(fake_proc_tree.root, &list, &err);
		if (!tap_alloc_failed())
			break;
		/* Inside the check of a layout it is a refusal, in the build id a missing one. */
		ck_assert(!code || code == -ENOMEM);
		tap_targets_done(&list);
	}
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(list.count, 1);
	for (long n = 1;; n++) {
		int code;

		tap_alloc_fail_at(n);
		code = tap_target_processes(&list.items[0], &pids, &count);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(code, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	free(pids);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("target");
	TCase *tcase = tcase_create("target");

	tcase_add_checked_fixture(tcase, fake_pg_init, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_one_instance);
	tcase_add_test(tcase, test_none);
	tcase_add_test(tcase, test_settings);
	tcase_add_test(tcase, test_what_is_no_instance);
	tcase_add_test(tcase, test_a_backend_is_no_instance_and_its_child_may_be);
	tcase_add_test(tcase, test_two_on_one_port);
	tcase_add_test(tcase, test_unknown_versions_are_refused);
	tcase_add_test(tcase, test_missing_symbols);
	tcase_add_test(tcase, test_other_major_in_the_data_directory);
	tcase_add_test(tcase, test_memory_that_does_not_fit);
	tcase_add_test(tcase, test_other_programs);
	tcase_add_test(tcase, test_renamed_executable);
	tcase_add_test(tcase, test_other_mount_namespace);
	tcase_add_test(tcase, test_hidden_processes);
	tcase_add_test(tcase, test_unreadable_memory);
	tcase_add_test(tcase, test_death);
	tcase_add_test(tcase, test_out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
