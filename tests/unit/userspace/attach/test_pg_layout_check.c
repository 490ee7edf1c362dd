// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pg_layout_check.c - instances whose memory fits the layout, and one for everything that can be found not to fit.
 */
#include <check.h>
#include <errno.h>

#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_pg.h"
#include "userspace/attach/pg_layout_check.h"

static struct tap_target_list list;
static struct tap_target *target;
static pid_t postmaster;
static struct tap_error err;
static size_t checked;

static void setup(void)
{
	fake_pg_init();
	postmaster = fake_pg_postmaster(5432);
	fake_pg_fork(postmaster, "postgres: 15/my: main: checkpointer", fake_pg_fill_aux, 0);
	fake_pg_fork(postmaster, "postgres: 15/my: main: u d [local] SELECT", fake_pg_fill_client, 2);
	ck_assert_int_eq(tap_targets_find(fake_proc_tree.root, &list, NULL), 0);
	ck_assert_uint_eq(list.count, 1);
	target = &list.items[0];
	ck_assert_str_eq(target->refused, "");
	checked = 42;
}

static void teardown(void)
{
	tap_targets_done(&list);
	fake_pg_done();
}

static int check(void)
{
	return tap_pg_layout_check(target, tap_pg_layout_find(150018, EM_X86_64), &checked, &err);
}

static void check_wrong(const char *what)
{
	ck_assert_int_eq(check(), -EBADMSG);
	ck_assert_msg(strstr(err.text, what), "%s", err.text);
	ck_assert_uint_eq(checked, 42);
}

START_TEST(test_fits)
{
	ck_assert_int_eq(check(), 0);
	ck_assert_uint_eq(checked, 2);
}
END_TEST

START_TEST(test_auxiliary_processes_alone_will_do)
{
	kill(fake_pids[2], SIGKILL);
	waitid(P_PID, (id_t)fake_pids[2], &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	ck_assert_int_eq(check(), 0);
	ck_assert_uint_eq(checked, 1);
}
END_TEST

/* One field of the client's entry after the other is spoilt, and put back. */
START_TEST(test_entries_that_lie)
{
	struct fake_pg_status *status = &fake_shared->status[2];
	struct fake_pg_proc *proc = &fake_shared->proc[2];
	int64_t day = 86400LL * 1000000;

#define SPOIL(field, value, what) \
	do { \
		typeof(field) kept = field; \
		field = value; \
		check_wrong(what); \
		field = kept; \
	} while (0)
	SPOIL(status->procpid, 77, "st_procpid is not its pid");
	SPOIL(status->type, 4, "st_backendType is not MyBackendType");
	SPOIL(status->database, 6, "st_databaseid is not MyDatabaseId");
	SPOIL(status->proc_start, status->proc_start + 1, "st_proc_start_timestamp is not MyStartTimestamp");
	SPOIL(status->user, 0, "a client session without a database or user");
	SPOIL(status->state, 7, "st_state is no state");
	SPOIL(status->xact_start, fake_pg_now() + 2 * day, "a timestamp is before the server's start or in the future");
	SPOIL(status->activity_start, fake_pg_now() - 2 * day, "a timestamp is before");
	SPOIL(status->state_start, INT64_MAX, "a timestamp is before");
	SPOIL(status->client[0], 99, "st_clientaddr is no address");
	SPOIL(status->progress, 1000, "st_progress_command is no command");
	SPOIL(status->activity, 0, "st_activity_raw does not lead to shared memory");
	SPOIL(status->activity, (uint64_t)(uintptr_t)&fake_pg, "st_activity_raw does not lead to shared memory");
	SPOIL(status->activity, status->activity + 1, "st_activity_raw is not this slot's text");
	SPOIL(status->appname, UINT64_MAX, "st_appname does not lead to shared memory");
	SPOIL(status->appname, status->appname + 64, "st_appname is not this slot's name");
	SPOIL(proc->pid, 77, "MyProc->pid is not its pid");
	SPOIL(proc->leader, (uint64_t)(uintptr_t)proc + 8, "MyProc->lockGroupLeader is no PGPROC");
	SPOIL(fake_shared->status[0].query_id, 1, "a background process with a query id");
#undef SPOIL
	ck_assert_int_eq(check(), 0);
	ck_assert_uint_eq(checked, 2);
}
END_TEST

START_TEST(test_torn_and_unfinished_entries_do_not_count)
{
	fake_shared->status[2].changecount = 5;
	ck_assert_int_eq(check(), 0);
	ck_assert_uint_eq(checked, 1);
	fake_shared->status[2].changecount = 6;
	fake_shared->status[2].procpid = 0;
	checked = 42;
	ck_assert_int_eq(check(), 0);
	ck_assert_uint_eq(checked, 1);
	fake_shared->status[0].procpid = 0;
	checked = 42;
	check_wrong("no process with a readable status entry");
}
END_TEST

static void fill_lie(pid_t ppid, int which)
{
	fake_pg_fill_client(ppid, 4);
	switch (which) {
	case 0:
		fake_pg.my_proc = (struct fake_pg_proc *)((char *)fake_pg.my_proc + 16);
		fake_pg.my_wait_event_info = &fake_pg.my_proc->wait_event;
		fake_pg.my_proc->pid = getpid();
		fake_pg.my_proc->leader = 0;
		break;
	case 1:
		fake_pg.my_wait_event_info = &fake_pg.local_wait_event;
		break;
	case 2:
		fake_pg.my_proc = NULL;
		break;
	case 3: { /* an entry at no slot's place */
		static struct fake_pg_status copy;

		copy = *fake_pg.my_beentry;
		fake_pg.my_beentry = (struct fake_pg_status *)((char *)fake_pg.my_beentry + 8);
		*fake_pg.my_beentry = copy;
		break;
	}
	case 4:
		fake_pg.my_backend_type = fake_shared->status[4].type = 20;
		break;
	case 5: { /* in its own memory, not in shared memory */
		static struct fake_pg_status copy;

		copy = *fake_pg.my_beentry;
		fake_pg.my_beentry = &copy;
		break;
	}
	default:
		fake_pg.my_proc_pid = fake_shared->status[4].procpid = fake_shared->proc[4].pid = 7;
	}
}

START_TEST(test_processes_that_lie)
{
	static const char *const wrong[] = {
		"PGPROC has another size",
		"my_wait_event_info does not lead to MyProc->wait_event_info",
		"MyProc does not lead to shared memory",
		"PgBackendStatus has another size",
		"st_backendType is none of this version's",
		"MyBEEntry does not lead to shared memory",
		"MyProcPid is not its pid",
	};
	pid_t pid = fake_pg_fork(postmaster, "postgres: 15/my: main: u d [local] SELECT", fill_lie, _i);

	(void)pid;
	check_wrong(wrong[_i]);
}
END_TEST

START_TEST(test_memory_that_cannot_be_read)
{
	struct fake_process process = { .pid = postmaster, .ppid = 1, .exe = fake_exe, .maps = "nonsense" };

	fake_proc_add(&fake_proc_tree, &process);
	check_wrong("mappings of process");
	target->start_ticks++;
	process.maps = fake_maps;
	fake_proc_add(&fake_proc_tree, &process);
	ck_assert_int_eq(check(), -ESRCH);
	target->pid = 4000000;
	ck_assert_int_eq(check(), -ESRCH);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_layout_check");
	TCase *tcase = tcase_create("pg_layout_check");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_fits);
	tcase_add_test(tcase, test_auxiliary_processes_alone_will_do);
	tcase_add_test(tcase, test_entries_that_lie);
	tcase_add_test(tcase, test_torn_and_unfinished_entries_do_not_count);
	tcase_add_loop_test(tcase, test_processes_that_lie, 0, 7);
	tcase_add_test(tcase, test_memory_that_cannot_be_read);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
