// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pg_memory.c - processes and sessions of made-up instances (fake_pg.h): every kind, entries being written,
 * processes that start, leave or are something else, hostile pointers, names out of titles.
 */
#include <check.h>
#include <errno.h>

#include "bpf/abi/kind.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_pg.h"
#include "userspace/attach/pg_memory.h"

static struct tap_target_list list;
static struct tap_target *target;
static pid_t postmaster;
static struct tap_session_list sessions;
static struct tap_pg_process *processes;
static size_t n_processes;

static void setup(void)
{
	fake_pg_init();
	postmaster = fake_pg_postmaster(5432);
	fake_pg_fork(postmaster, "postgres: 15/my: main: checkpointer", fake_pg_fill_aux, 0);
	ck_assert_int_eq(tap_targets_find(fake_proc_tree.root, &list, NULL), 0);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_str_eq(list.items[0].refused, "");
	target = &list.items[0];
	tap_session_list_init(&sessions);
}

static void teardown(void)
{
	tap_alloc_fail_at(0);
	free(processes);
	processes = NULL;
	tap_session_list_done(&sessions);
	tap_targets_done(&list);
	fake_pg_done();
}

static size_t read_processes(void)
{
	struct tap_error err = { "" };
	size_t torn;

	free(processes);
	processes = NULL;
	ck_assert_msg(!tap_pg_processes_read(target, &processes, &n_processes, &torn, &err), "%s", err.text);
	return torn;
}

static const struct tap_pg_process *process_of(pid_t pid)
{
	for (size_t i = 0; i < n_processes; i++) {
		if (processes[i].pid == pid)
			return &processes[i];
	}
	ck_abort_msg("process %d is not there", pid);
	return NULL;
}

static size_t read_sessions(void)
{
	struct tap_error err = { "" };
	size_t torn;

	tap_session_list_done(&sessions);
	ck_assert_msg(!tap_pg_sessions_read(target, &sessions, &torn, &err), "%s", err.text);
	return torn;
}

static const struct tap_session *session_of(pid_t pid)
{
	const struct tap_session *session = tap_session_list_find(&sessions, pid);

	ck_assert_ptr_nonnull(session);
	return session;
}

static pid_t client(const char *title, int slot)
{
	return fake_pg_fork(postmaster, title, fake_pg_fill_client, slot);
}

START_TEST(test_processes)
{
	pid_t pid = client("postgres: 15/my: main: u d [local] SELECT", 3);
	const struct tap_pg_process *process;

	ck_assert_uint_eq(read_processes(), 0);
	ck_assert_uint_eq(n_processes, 3);
	process = process_of(postmaster);
	ck_assert_int_eq(process->kind, TAP_KIND_POSTMASTER);
	ck_assert(!process->status && !process->wait_event);
	process = process_of(fake_pids[1]);
	ck_assert_int_eq(process->kind, TAP_KIND_CHECKPOINTER);
	ck_assert_uint_eq(process->status, (uint64_t)(uintptr_t)&fake_shared->status[0]);
	ck_assert_uint_eq(process->wait_event, (uint64_t)(uintptr_t)&fake_shared->proc[0].wait_event);
	ck_assert_uint_eq(process->wait_event_now, 0x05000004);
	process = process_of(pid);
	ck_assert_int_eq(process->kind, TAP_KIND_CLIENT);
	ck_assert_mem_eq(process->entry, &fake_shared->status[3], sizeof(struct fake_pg_status));
}
END_TEST

START_TEST(test_session)
{
	pid_t pid = client("postgres: 15/my: main: joe shop [local] SELECT", 3);
	const struct fake_pg_status *status = &fake_shared->status[3];
	const int64_t epoch = 946684800LL * 1000000;
	const struct tap_session *session;

	ck_assert_uint_eq(read_sessions(), 0);
	ck_assert_uint_eq(sessions.count, 3);
	session = session_of(pid);
	ck_assert_int_eq(session->kind, TAP_KIND_CLIENT);
	ck_assert_int_eq(session->state, TAP_SESSION_ACTIVE);
	ck_assert_int_eq(session->leader_pid, 0);
	ck_assert_uint_eq(session->database, 5);
	ck_assert_uint_eq(session->user, 10);
	ck_assert_str_eq(session->database_name, "shop");
	ck_assert_str_eq(session->user_name, "joe");
	ck_assert_str_eq(session->application, "app 3");
	ck_assert_str_eq(session->client, "[local]");
	ck_assert_str_eq(session->query, "select 3");
	ck_assert_uint_eq(session->query_id, 0xfffffffffffffff0ULL);
	ck_assert_int_eq(session->backend_start_us, status->proc_start + epoch);
	ck_assert_int_eq(session->transaction_start_us, status->xact_start + epoch);
	ck_assert_int_eq(session->query_start_us, status->activity_start + epoch);
	ck_assert_int_eq(session->state_change_us, status->state_start + epoch);
	ck_assert_uint_eq(session->wait_event, 0x09000002);
	session = session_of(fake_pids[1]);
	ck_assert_int_eq(session->state, TAP_SESSION_NONE);
	ck_assert(!session->client && !session->query && !session->application && !session->database_name);
	ck_assert_int_eq(session->transaction_start_us, 0);
}
END_TEST

START_TEST(test_states)
{
	static const enum tap_session_state states[] = {
		TAP_SESSION_NONE,     TAP_SESSION_IDLE,
		TAP_SESSION_ACTIVE,   TAP_SESSION_IDLE_IN_TRANSACTION,
		TAP_SESSION_FASTPATH, TAP_SESSION_IDLE_IN_TRANSACTION_ABORTED,
		TAP_SESSION_DISABLED, TAP_SESSION_NONE,
	};
	pid_t pid = client("postgres", 3);

	for (uint32_t i = 0; i < 8; i++) {
		fake_shared->status[3].state = i < 7 ? i : 0xffffffff;
		read_sessions();
		ck_assert_int_eq(session_of(pid)->state, states[i]);
		/* It has logged in and was never idle: not a client at work yet. What is no state says nothing. */
		ck_assert_int_eq(session_of(pid)->kind, i ? TAP_KIND_CLIENT : TAP_KIND_STARTING);
		/* The tracer wants to know what it will be. */
		read_processes();
		ck_assert_int_eq(process_of(pid)->kind, TAP_KIND_CLIENT);
	}
}
END_TEST

static void fill_remote(pid_t ppid, int slot)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(41234) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(5000),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	fake_pg_fill_client(ppid, slot);
	in4.sin_addr.s_addr = htonl(0x0a000007);
	if (slot == 2)
		memcpy(fake_shared->status[slot].client, &in4, sizeof(in4));
	else
		memcpy(fake_shared->status[slot].client, &in6, sizeof(in6));
}

START_TEST(test_remote_clients)
{
	pid_t four = fake_pg_fork(postmaster, "postgres: 15/my: main: bob db 10.0.0.7(41234) idle", fill_remote, 2);
	pid_t six = fake_pg_fork(postmaster, "postgres: 15/my: main: bob db host.example(5000) idle", fill_remote, 3);

	read_sessions();
	ck_assert_str_eq(session_of(four)->client, "10.0.0.7:41234");
	ck_assert_str_eq(session_of(four)->user_name, "bob");
	ck_assert_str_eq(session_of(six)->client, "[::1]:5000");
	ck_assert_str_eq(session_of(six)->database_name, "db");
}
END_TEST

static void fill_worker(pid_t ppid, int slot)
{
	fake_pg_fill_client(ppid, slot);
	fake_pg.parallel = 0;
	fake_pg.my_backend_type = fake_shared->status[slot].type = 4;
	memset(fake_shared->status[slot].client, 0, 2);
	fake_shared->proc[slot].leader = (uint64_t)(uintptr_t)&fake_shared->proc[2];
}

static void fill_bgworker(pid_t ppid, int slot)
{
	fill_worker(ppid, slot);
	fake_pg.parallel = -1;
}

START_TEST(test_parallel_workers_and_others)
{
	pid_t leader = client("postgres: 15/my: main: joe shop [local] SELECT", 2);
	pid_t worker = fake_pg_fork(postmaster, "postgres: 15/my: main: parallel worker for PID 1", fill_worker, 3);
	pid_t other = fake_pg_fork(postmaster, "postgres: 15/my: main: some worker", fill_bgworker, 4);

	fake_shared->proc[2].leader = (uint64_t)(uintptr_t)&fake_shared->proc[2];
	read_sessions();
	ck_assert_int_eq(session_of(leader)->leader_pid, 0);
	ck_assert_int_eq(session_of(worker)->kind, TAP_KIND_PARALLEL);
	ck_assert_int_eq(session_of(worker)->leader_pid, leader);
	ck_assert_str_eq(session_of(worker)->database_name, "shop");
	ck_assert_str_eq(session_of(worker)->user_name, "joe");
	ck_assert_int_eq(session_of(other)->kind, TAP_KIND_BGWORKER);
	ck_assert_int_eq(session_of(other)->leader_pid, 0);
	fake_shared->proc[3].leader = 0x1234;
	read_sessions();
	ck_assert_int_eq(session_of(worker)->leader_pid, 0);
}
END_TEST

static void fill_logger(pid_t ppid, int type)
{
	fake_pg_fill_child(ppid, type);
	fake_pg.local_wait_event = 0x05000008;
}

static void fill_fresh(pid_t ppid, int arg)
{
	fake_pg_fill_postmaster(ppid, arg);
	fake_pg.my_proc_pid = fake_pg.postmaster_pid = ppid;
}

static void fill_exiting(pid_t ppid, int arg)
{
	fake_pg_fill_child(ppid, arg);
	fake_pg.exiting = 1;
}

/* It has taken a slot and has not filled it yet. */
static void fill_authenticating(pid_t ppid, int slot)
{
	fake_pg_fill_client(ppid, slot);
	fake_shared->status[slot].procpid = 0;
}

START_TEST(test_processes_without_an_entry)
{
	pid_t logger = fake_pg_fork(postmaster, "postgres: 15/my: main: logger", fill_logger, 12);
	pid_t fresh = fake_pg_fork(postmaster, "/usr/bin/postgres", fill_fresh, 5432);
	pid_t leaving = fake_pg_fork(postmaster, "postgres: 15/my: main: u d [local] idle", fill_exiting, 3);
	pid_t new = fake_pg_fork(postmaster, "postgres: 15/my: main: u d [local] authentication", fill_logger, 3);
	pid_t login = fake_pg_fork(postmaster, "postgres: 15/my: main: u d [local] startup", fill_authenticating, 5);

	read_processes();
	ck_assert_int_eq(process_of(logger)->kind, TAP_KIND_LOGGER);
	ck_assert_uint_eq(process_of(logger)->wait_event, (uint64_t)(uintptr_t)&fake_pg.local_wait_event);
	ck_assert_uint_eq(process_of(logger)->wait_event_now, 0x05000008);
	ck_assert_int_eq(process_of(fresh)->kind, TAP_KIND_STARTING);
	ck_assert_int_eq(process_of(leaving)->kind, TAP_KIND_EXITING);
	ck_assert_int_eq(process_of(new)->kind, TAP_KIND_STARTING);
	ck_assert_int_eq(process_of(login)->kind, TAP_KIND_STARTING);
	for (size_t i = 2; i < n_processes; i++)
		ck_assert_uint_eq(processes[i].status, 0);
	read_sessions();
	ck_assert_uint_eq(sessions.count, 7);
	ck_assert_ptr_null(session_of(login)->query);
}
END_TEST

static void fill_nothing(pid_t ppid, int arg)
{
	(void)ppid;
	(void)arg;
}

START_TEST(test_programs_started_by_the_server)
{
	pid_t program = fake_pg_fork(postmaster, "sh -c cp", fill_nothing, 0);
	pid_t backend = client("postgres: 15/my: main: u d [local] COPY", 3);
	pid_t below = fake_pg_fork(backend, "postgres: 15/my: main: u d [local] COPY", fake_pg_fill_client, 4);

	fake_proc_link(&fake_proc_tree, program, "exe", "/bin/true");
	read_processes();
	ck_assert_uint_eq(n_processes, 5);
	ck_assert_int_eq(process_of(program)->kind, TAP_KIND_CHILD);
	ck_assert_int_eq(process_of(below)->kind, TAP_KIND_CHILD);
	ck_assert_uint_eq(process_of(below)->status, 0);
}
END_TEST

START_TEST(test_torn_entries)
{
	pid_t pid = client("postgres: 15/my: main: u d [local] SELECT", 3);

	fake_shared->status[3].changecount = 5;
	ck_assert_uint_eq(read_processes(), 1);
	ck_assert_int_eq(process_of(pid)->kind, TAP_KIND_CLIENT);
	ck_assert_uint_eq(process_of(pid)->status, 0);
	ck_assert_uint_eq(read_sessions(), 1);
	ck_assert_int_eq(session_of(pid)->state, TAP_SESSION_NONE);
	fake_shared->status[3].changecount = 6;
	ck_assert_uint_eq(read_processes(), 0);
	ck_assert_uint_ne(process_of(pid)->status, 0);
}
END_TEST

static void fill_torn_worker(pid_t ppid, int slot)
{
	fill_worker(ppid, slot);
	fake_shared->status[slot].changecount = 7;
}

/* A writer that does nothing but rewrite its entry: what is read is whole, or counted as torn. */
static void fill_busy(pid_t ppid, int slot)
{
	struct fake_pg_status *status;

	fake_pg_fill_client(ppid, slot);
	status = &fake_shared->status[slot];
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t i = 1;; i++) {
		__atomic_fetch_add(&status->changecount, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&status->query_id, i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&status->xact_start, (int64_t)i, __ATOMIC_SEQ_CST);
		memset(fake_shared->activity[slot], 'a' + (int)(i % 26), 100);
		__atomic_fetch_add(&status->changecount, 1, __ATOMIC_SEQ_CST);
		for (volatile int pause = 0; pause < 2000; pause++)
			;
	}
}

START_TEST(test_entries_under_a_busy_writer)
{
	pid_t pid = fake_pg_fork(postmaster, "postgres: 15/my: main: u d [local] SELECT", fill_busy, 3);
	pid_t worker = fake_pg_fork(postmaster, "postgres: 15/my: main: parallel worker", fill_torn_worker, 4);
	unsigned whole = 0;

	for (int i = 0; i < 300; i++) {
		const struct tap_session *session;

		read_sessions();
		session = session_of(pid);
		ck_assert_int_eq(session_of(worker)->kind, TAP_KIND_PARALLEL);
		if (!session->query || !session->query_id || session->query[0] == 's')
			continue;
		whole++;
		ck_assert_int_eq(session->transaction_start_us - 946684800LL * 1000000, (int64_t)session->query_id);
		ck_assert_int_eq(session->query[0], 'a' + (int)(session->query_id % 26));
		ck_assert_int_eq(session->query[99], session->query[0]);
	}
	ck_assert_uint_gt(whole, 0);
}
END_TEST

static void fill_hostile(pid_t ppid, int which)
{
	fake_pg_fill_client(ppid, 3);
	switch (which) {
	case 0:
		fake_pg.my_beentry = (struct fake_pg_status *)8;
		break;
	case 1:
		fake_shared->status[3].activity = 0xffffffff81000000;
		fake_shared->status[3].appname = UINT64_MAX;
		break;
	case 2:
		fake_pg.my_wait_event_info = (uint32_t *)12;
		fake_pg.my_proc = (struct fake_pg_proc *)UINT64_MAX;
		break;
	default:
		fake_shared->status[3].type = 0xffffffff;
		fake_shared->status[3].client[0] = 77;
		fake_shared->status[3].proc_start = INT64_MAX;
		fake_shared->status[3].xact_start = INT64_MIN;
		memset(fake_shared->activity[3], 0xff, FAKE_PG_ACTIVITY);
		memset(fake_shared->appname[3], 'n', 64);
	}
}

START_TEST(test_hostile_memory)
{
	static const char title[] = "postgres: 15/my: main: u d [local] SELECT";
	pid_t entry = fake_pg_fork(postmaster, title, fill_hostile, 0);
	const struct tap_session *session;
	pid_t pid;

	read_processes();
	ck_assert_int_eq(process_of(entry)->kind, TAP_KIND_STARTING);
	pid = fake_pg_fork(postmaster, title, fill_hostile, 1);
	read_sessions();
	session = session_of(pid);
	ck_assert_int_eq(session->kind, TAP_KIND_CLIENT);
	ck_assert(!session->query && !session->application);
	pid = fake_pg_fork(postmaster, title, fill_hostile, 2);
	read_processes();
	ck_assert_int_eq(process_of(pid)->kind, TAP_KIND_CLIENT);
	ck_assert_uint_eq(process_of(pid)->wait_event, 0);
	pid = fake_pg_fork(postmaster, title, fill_hostile, 3);
	read_sessions();
	session = session_of(pid);
	ck_assert_int_eq(session->kind, TAP_KIND_UNKNOWN);
	ck_assert_ptr_null(session->client);
	ck_assert_int_eq(session->backend_start_us, 0);
	ck_assert_int_eq(session->transaction_start_us, 0);
	ck_assert_uint_eq(strlen(session->query), FAKE_PG_ACTIVITY);
	ck_assert_uint_eq(strlen(session->application), 64);
}
END_TEST

START_TEST(test_text_cut_inside_a_character)
{
	pid_t pid = client("postgres: 15/my: main: u d [local] SELECT", 3);

	memcpy(fake_shared->activity[3], "select '\xe2\x82", 11);
	read_sessions();
	ck_assert_str_eq(session_of(pid)->query, "select '");
}
END_TEST

START_TEST(test_ambiguous_names)
{
	pid_t spaces = client("postgres: 15/my: main: a b c d [local] SELECT", 2);
	pid_t off = client("postgres: 15/my: main: ", 3);
	pid_t foreign = client("something else", 4);

	read_sessions();
	ck_assert(!session_of(spaces)->user_name && !session_of(spaces)->database_name);
	ck_assert(!session_of(off)->user_name && !session_of(foreign)->user_name);
	/* Another session of the same database settles it, and then the number is known everywhere. */
	client("postgres: 15/my: main: x d [local] SELECT", 5);
	fake_shared->status[5].user = 11;
	read_sessions();
	ck_assert_str_eq(session_of(spaces)->database_name, "d");
	ck_assert_str_eq(session_of(spaces)->user_name, "a b c");
	ck_assert_str_eq(session_of(off)->database_name, "d");
	ck_assert_str_eq(session_of(off)->user_name, "a b c");
}
END_TEST

START_TEST(test_renamed_user)
{
	pid_t old = client("postgres: 15/my: main: before d [local] SELECT", 2);
	pid_t new = client("postgres: 15/my: main: after d [local] SELECT", 3);

	read_sessions();
	ck_assert_str_eq(session_of(old)->user_name, "before");
	ck_assert_str_eq(session_of(new)->user_name, "after");
}
END_TEST

static void fill_walsender(pid_t ppid, int slot)
{
	fake_pg_fill_client(ppid, slot);
	fake_pg.my_backend_type = fake_shared->status[slot].type = 9;
	fake_pg.my_database_id = fake_shared->status[slot].database = 0;
	fake_shared->status[slot].user = 12;
}

static void fill_autovacuum(pid_t ppid, int slot)
{
	fake_pg_fill_client(ppid, slot);
	fake_pg.my_backend_type = fake_shared->status[slot].type = 2;
	fake_shared->status[slot].user = 0;
	memset(fake_shared->status[slot].client, 0, 2);
}

START_TEST(test_titles_of_other_kinds)
{
	pid_t sender = fake_pg_fork(postmaster, "postgres: 15/my: main: walsender rep user [local] streaming 0/3",
				    fill_walsender, 2);
	pid_t vacuum = fake_pg_fork(postmaster, "postgres: 15/my: main: autovacuum worker my shop", fill_autovacuum, 3);

	read_sessions();
	ck_assert_int_eq(session_of(sender)->kind, TAP_KIND_WALSENDER);
	ck_assert_str_eq(session_of(sender)->user_name, "rep user");
	ck_assert_ptr_null(session_of(sender)->database_name);
	ck_assert_int_eq(session_of(vacuum)->kind, TAP_KIND_AUTOVACUUM);
	ck_assert_str_eq(session_of(vacuum)->database_name, "my shop");
	ck_assert_ptr_null(session_of(vacuum)->user_name);
}
END_TEST

START_TEST(test_vanished_processes_are_left_out)
{
	pid_t pid = client("postgres: 15/my: main: u d [local] SELECT", 3);
	struct tap_error err = { "" };
	size_t torn;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	read_processes();
	ck_assert_uint_eq(n_processes, 2);
	kill(postmaster, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)postmaster, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(tap_pg_processes_read(target, &processes, &n_processes, &torn, &err), -ESRCH);
	ck_assert_str_ne(err.text, "");
	fake_proc_stat(&fake_proc_tree, &(struct fake_process){ .pid = postmaster, .ppid = 1, .start = 5 });
	ck_assert_int_eq(tap_pg_sessions_read(target, &sessions, &torn, &err), -ESRCH);
	ck_assert_ptr_nonnull(strstr(err.text, "is gone"));
}
END_TEST

START_TEST(test_absurd_text_size)
{
	struct tap_error err = { "" };
	size_t torn;

	target->activity_size = 1 << 30;
	ck_assert_int_eq(tap_pg_sessions_read(target, &sessions, &torn, &err), -EINVAL);
	target->activity_size = -1;
	ck_assert_int_eq(tap_pg_sessions_read(target, &sessions, &torn, &err), -EINVAL);
	ck_assert_uint_eq(sessions.count, 0);
}
END_TEST

START_TEST(test_out_of_memory)
{
	size_t torn;

	client("postgres: 15/my: main: u d [local] SELECT", 3);
	for (long n = 1;; n++) {
		int code;

		tap_alloc_fail_at(n);
		code = tap_pg_processes_read(target, &processes, &n_processes, &torn, NULL);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(code, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	for (long n = 1;; n++) {
		int code;

		tap_alloc_fail_at(n);
		code = tap_pg_sessions_read(target, &sessions, &torn, NULL);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(code, -ENOMEM);
		tap_session_list_done(&sessions);
	}
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(sessions.count, 3);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_memory");
	TCase *tcase = tcase_create("pg_memory");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_processes);
	tcase_add_test(tcase, test_session);
	tcase_add_test(tcase, test_states);
	tcase_add_test(tcase, test_remote_clients);
	tcase_add_test(tcase, test_parallel_workers_and_others);
	tcase_add_test(tcase, test_processes_without_an_entry);
	tcase_add_test(tcase, test_programs_started_by_the_server);
	tcase_add_test(tcase, test_torn_entries);
	tcase_add_test(tcase, test_entries_under_a_busy_writer);
	tcase_add_test(tcase, test_hostile_memory);
	tcase_add_test(tcase, test_text_cut_inside_a_character);
	tcase_add_test(tcase, test_ambiguous_names);
	tcase_add_test(tcase, test_renamed_user);
	tcase_add_test(tcase, test_titles_of_other_kinds);
	tcase_add_test(tcase, test_vanished_processes_are_left_out);
	tcase_add_test(tcase, test_absurd_text_size);
	tcase_add_test(tcase, test_out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
