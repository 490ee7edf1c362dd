// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_snapshot_rule.c - the rule that makes snapshots exact while threads go on: what a thread still holds plus the
 * totals of the right parity, checked against a plain count of what the processes did. Programs and kernel as in
 * test_boundary.c and its neighbours.
 */
#include "tests/unit/bpf/fake/pg_snapshot.h"

#include <pthread.h>
#include <semaphore.h>

#include "tests/lib/check_main.h"

enum {
	PROCESSES = 5,
	IDS = 40,
	EVENTS = 12,
	DATABASE = 5,
	USER = 10,
	FIRST_EVENT = 0x0a000001,
	IDLE_ROW = 0, /* of the model; statements are at their id */
};

/* What one process did, counted in the plainest way. */
struct model_row {
	__s64 cpu_ns;
	__s64 runq_ns;
	__s64 calls;
	__s64 wait_ns[EVENTS + 1]; /* the last one is ClientRead */
	__s64 wait_count[EVENTS + 1];
};

struct model {
	struct model_row rows[IDS + 1];
};

enum doing {
	DEAD,
	IDLE,
	ON_CPU,
	ASLEEP,
	QUEUED,
};

struct actor {
	struct pg_process process;
	enum doing doing;
	int id;
	int event;
	struct model did;
	bool is_read; /* by the snapshot that is being taken */
};

static struct pg_process postmaster;
static struct actor actors[PROCESSES];
static struct model of_dead, captured;
static bool snapshot_runs;
static int next_pid;

static void model_add(struct model *to, const struct model *from)
{
	__s64 *left = (__s64 *)to;
	const __s64 *right = (const __s64 *)from;

	for (size_t i = 0; i < sizeof(*to) / sizeof(__s64); i++)
		left[i] += right[i];
}

static __u32 event_number(int event)
{
	return event == EVENTS ? (__u32)TAP_PG_CLIENT_READ : FIRST_EVENT + (__u32)event;
}

/* All actors age together, each in what it does. */
static void time_passes(__u64 ns)
{
	clock_advance(ns);
	for (int i = 0; i < PROCESSES; i++) {
		struct actor *actor = &actors[i];
		struct model_row *row = &actor->did.rows[actor->id];

		if (actor->doing == ON_CPU) {
			actor->process.task.se.sum_exec_runtime += ns;
			row->cpu_ns += (__s64)ns;
		} else if (actor->doing == QUEUED) {
			row->runq_ns += (__s64)ns;
		} else if (actor->doing == ASLEEP || actor->doing == IDLE) {
			row->wait_ns[actor->event] += (__s64)ns;
		}
	}
}

static void actor_sleeps(struct actor *actor, enum doing doing, int event)
{
	pg_sleep(&actor->process, event_number(event));
	actor->doing = doing;
	actor->event = event;
}

static void actor_is_born(struct actor *actor)
{
	memset(&actor->did, 0, sizeof(actor->did));
	pg_process_done(&actor->process);
	pg_fork(&postmaster, &actor->process, next_pid++);
	pg_arrive(&actor->process);
	pg_login(&actor->process, PG_TYPE_CLIENT, DATABASE, USER);
	actor->id = IDLE_ROW;
	actor_sleeps(actor, IDLE, EVENTS);
}

static void actor_begins(struct actor *actor)
{
	actor->did.rows[IDLE_ROW].wait_count[EVENTS]++;
	actor->id = 1 + rand() % IDS;
	actor->doing = ON_CPU;
	pg_wake(&actor->process);
	pg_arrive(&actor->process);
	pg_report_running(&actor->process, "select 1");
	pg_report_query_id(&actor->process, (__u64)actor->id);
	pg_tick(&actor->process);
}

static void actor_ends(struct actor *actor)
{
	pg_report_idle(&actor->process, TAP_PG_STATE_IDLE);
	actor->did.rows[actor->id].calls++;
	actor->id = IDLE_ROW;
	actor_sleeps(actor, IDLE, EVENTS);
}

static void actor_runs(struct actor *actor)
{
	pg_arrive(&actor->process);
	pg_tick(&actor->process);
	if (actor->event >= 0)
		actor->did.rows[actor->id].wait_count[actor->event]++;
	actor->doing = ON_CPU;
}

static void actor_exits(struct actor *actor)
{
	pg_tick(&actor->process);
	pg_exit(&actor->process);
	actor->did.rows[actor->id].calls++; /* it was in a statement, which has ended with it */
	actor->doing = DEAD;
	model_add(&of_dead, &actor->did);
	if (snapshot_runs && !actor->is_read)
		model_add(&captured, &actor->did);
	actor->is_read = true;
}

static void actor_acts(struct actor *actor)
{
	int what = rand() % 100;

	if (actor->doing == DEAD) {
		if (!snapshot_runs)
			actor_is_born(actor);
	} else if (actor->doing == IDLE) {
		actor_begins(actor);
	} else if (actor->doing == ASLEEP) {
		pg_wake(&actor->process);
		actor->doing = QUEUED;
	} else if (actor->doing == QUEUED) {
		actor_runs(actor);
	} else if (what < 35) {
		actor_ends(actor);
	} else if (what < 70) {
		actor_sleeps(actor, ASLEEP, rand() % EVENTS);
	} else if (what < 85) {
		pg_preempt(&actor->process, 0);
		actor->doing = QUEUED;
		actor->event = -1;
	} else if (what < 98) {
		pg_tick(&actor->process);
	} else {
		actor_exits(actor);
	}
}

static void some_steps(int steps)
{
	for (int i = 0; i < steps; i++) {
		actor_acts(&actors[rand() % PROCESSES]);
		time_passes((__u64)(1 + rand() % 50));
	}
}

/* While a snapshot is taken life goes on; then the actor that is read next is noted as it is. */
static void between_reads(size_t at, void *context)
{
	(void)context;
	some_steps(rand() % 60);
	if (at >= PROCESSES || actors[at].is_read)
		return;
	model_add(&captured, &actors[at].did);
	actors[at].is_read = true;
}

static const struct tap_row *row_of(const struct tap_snapshot *snapshot, int id)
{
	struct tap_row_key key = { .kind = id == IDLE_ROW ? TAP_KIND_IDLE : TAP_KIND_CLIENT,
				   .source = id == IDLE_ROW ? TAP_QUERY_ID_NONE : TAP_QUERY_ID_ENGINE,
				   .query_id = (__u64)id,
				   .database = DATABASE,
				   .user = USER };

	return tap_row_set_find(&snapshot->rows, &key);
}

static void assert_waits(const struct tap_row *row, const struct model_row *want)
{
	__s64 sum = 0;

	for (int event = 0; event <= EVENTS; event++) {
		struct tap_row_wait got = { 0 };

		for (size_t i = 0; i < row->n_waits; i++) {
			if (row->waits[i].event == event_number(event))
				got = row->waits[i];
		}
		ck_assert_int_eq(got.ns, want->wait_ns[event]);
		ck_assert_int_le((__s64)got.count, want->wait_count[event] + PROCESSES);
		sum += want->wait_ns[event];
	}
	ck_assert_int_eq(tap_row_wait_ns(row), sum);
}

static void assert_is(const struct tap_snapshot *snapshot, const struct model *want)
{
	static const struct model_row nothing;

	for (int id = 0; id <= IDS; id++) {
		const struct tap_row *row = row_of(snapshot, id);

		if (!row) {
			ck_assert_mem_eq(&want->rows[id], &nothing, sizeof(nothing));
			continue;
		}
		ck_assert_int_eq((__s64)row->account.cpu_ns, want->rows[id].cpu_ns);
		ck_assert_int_eq((__s64)row->account.runq_ns, want->rows[id].runq_ns);
		ck_assert_int_eq((__s64)row->account.calls, want->rows[id].calls);
		ck_assert_int_eq(row->account.unknown_ns, 0);
		assert_waits(row, &want->rows[id]);
	}
}

static void snapshot_check(void)
{
	struct pg_process *all[PROCESSES];
	struct tap_snapshot got;

	captured = of_dead;
	for (int i = 0; i < PROCESSES; i++) {
		actors[i].is_read = actors[i].doing == DEAD;
		all[i] = &actors[i].process;
	}
	snapshot_runs = true;
	snapshot_take(&got, all, PROCESSES, between_reads, NULL);
	snapshot_runs = false;
	assert_is(&got, &captured);
	tap_snapshot_done(&got);
}

static void set_up(void)
{
	struct tap_instance instance = pg_instance();
	__u32 zero = 0;

	fake_programs_init(FAKE_ENTRIES, FAKE_ENTRIES);
	bpf_map_update_elem(&instances, &zero, &instance, BPF_ANY);
	fake_rest_add(0);
	pg_postmaster_init(&postmaster);
	next_pid = 1000;
	memset(&of_dead, 0, sizeof(of_dead));
	for (int i = 0; i < PROCESSES; i++)
		actor_is_born(&actors[i]);
}

static void tear_down(void)
{
	for (int i = 0; i < PROCESSES; i++)
		pg_process_done(&actors[i].process);
	pg_process_done(&postmaster);
	fake_kernel_done();
}

START_TEST(test_snapshots_while_all_goes_on)
{
	srand((unsigned)_i * 104729 + 7);
	for (int i = 0; i < 60; i++) {
		some_steps(rand() % 200);
		snapshot_check();
	}
	ck_assert_uint_eq(losses[TAP_LOSS_TOTALS_FULL] + losses[TAP_LOSS_WAITS_FULL], 0);
	/* The maps were in use: rows went there by eviction, of both parities. */
	ck_assert_uint_gt(fake_map_of(&row_to_account)->count, IDS);
}
END_TEST

/* The same, but a long time without any snapshot, and many in a row with nothing between. */
START_TEST(test_rare_and_frequent_snapshots)
{
	srand((unsigned)_i + 1);
	some_steps(5000);
	for (int i = 0; i < 5; i++)
		snapshot_check();
	some_steps(5000);
	snapshot_check();
	snapshot_check();
}
END_TEST

/* --- a switch on one CPU while the iterator copies on another --- */

static struct {
	sem_t writer_may, reader_may;
	struct actor *writer;
	int reads;
	bool in_boundary;
} race;

static void *writer_main(void *context)
{
	(void)context;
	sem_wait(&race.writer_may);
	actor_ends(race.writer);
	race.in_boundary = false;
	sem_post(&race.reader_may);
	return NULL;
}

/* The writer has begun its boundary and stops before it evicts. */
static void writer_pauses(void)
{
	kernel.before_user_read = NULL;
	race.in_boundary = true;
	sem_post(&race.reader_may);
	sem_wait(&race.writer_may);
}

/* At the first copy the boundary begins, at a later one it ends. */
static void reader_lets_writer_go(void)
{
	race.reads++;
	if (race.reads == 1 || (race.reads == 2 && race.in_boundary)) {
		sem_post(&race.writer_may);
		sem_wait(&race.reader_may);
	}
}

static __s64 cpu_ns_of(const struct tap_snapshot *snapshot, int id)
{
	const struct tap_row *row = row_of(snapshot, id);

	return row ? (__s64)row->account.cpu_ns : 0;
}

/*
 * A boundary that evicts overlaps with the copy: the snapshot takes the second look, at which the row is gone from the
 * thread. Then it must be among the totals of this snapshot.
 */
START_TEST(test_eviction_during_a_copy)
{
	struct actor *actor = &actors[0];
	struct pg_process *all[] = { &actor->process };
	struct tap_snapshot first, second;
	pthread_t writer;

	/* Ways are full: the end of the last statement needs one for a row of another session identity. */
	for (int id = 1; id < TAP_WAYS; id++) {
		actor_begins(actor);
		pg_report_query_id(&actor->process, (__u64)(actor->id = id));
		time_passes(10);
		pg_tick(&actor->process);
		actor_ends(actor);
		time_passes(1);
	}
	actor_begins(actor);
	pg_report_query_id(&actor->process, (__u64)(actor->id = 1));
	pg_tick(&actor->process);
	snapshot_take(&first, all, 1, NULL, NULL);
	pg_status_of(&actor->process)->user++;
	race.writer = actor;
	sem_init(&race.writer_may, 0, 0);
	sem_init(&race.reader_may, 0, 0);
	race.reads = 0;
	kernel.after_kernel_read = reader_lets_writer_go;
	kernel.before_user_read = writer_pauses;
	ck_assert_int_eq(pthread_create(&writer, NULL, writer_main, NULL), 0);
	snapshot_take(&second, all, 1, NULL, NULL);
	kernel.after_kernel_read = NULL;
	pthread_join(writer, NULL);
	ck_assert_int_ge(race.reads, 2);
	for (int id = 1; id < TAP_WAYS; id++)
		ck_assert_msg(cpu_ns_of(&second, id) >= cpu_ns_of(&first, id), "query %d had %lld ns, and has %lld", id,
			      cpu_ns_of(&first, id), cpu_ns_of(&second, id));
	tap_snapshot_done(&first);
	tap_snapshot_done(&second);
}
END_TEST

/* --- adoption --- */

static void adopt_now(struct pg_process *process, struct tap_adoption *adoption)
{
	static struct seq_file seq;
	struct bpf_iter_meta meta = { &seq };
	struct bpf_iter__task context = { &meta, &process->task };
	__u32 tid = (__u32)process->task.pid;

	bpf_map_update_elem(&adopted, &tid, adoption, BPF_ANY);
	adopt(&context);
}

static struct tap_adoption adoption_of(__u8 state, __u64 query_id, __u32 event)
{
	struct tap_adoption adoption = { .role = TAP_ROLE_BACKEND, .wait_event = event };

	adoption.identity = (struct tap_identity){ .kind = TAP_KIND_CLIENT,
						   .state = state,
						   .database = DATABASE,
						   .user = USER,
						   .query_id = query_id,
						   .source = query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE };
	adoption.status_address = FAKE_MEMORY_START + PG_STATUS;
	adoption.wait_address = FAKE_MEMORY_START + PG_WAIT_WORD;
	return adoption;
}

/* A sleep that began long before is there from the first snapshot on, from the adoption on. */
START_TEST(test_adopted_asleep)
{
	struct actor *actor = &actors[1];
	struct pg_process *all[] = { &actor->process };
	struct tap_adoption adoption = adoption_of(TAP_PG_STATE_RUNNING, 7, FIRST_EVENT);
	struct tap_snapshot snapshot_now;

	pg_process_done(&actor->process);
	pg_process_init(&actor->process, 77);
	pg_login(&actor->process, PG_TYPE_CLIENT, DATABASE, USER);
	actor->process.task.__state = TASK_INTERRUPTIBLE;
	actor->process.task.sched_info.last_arrival = 10;
	actor->process.task.sched_info.run_delay = 1000;
	adopt_now(&actor->process, &adoption);
	clock_advance(500);
	snapshot_take(&snapshot_now, all, 1, NULL, NULL);
	ck_assert_uint_eq(snapshot_now.n_threads, 1);
	ck_assert(snapshot_now.threads[0].asleep);
	ck_assert_int_eq(tap_row_wait_ns(row_of(&snapshot_now, 7)), 500);
	ck_assert_int_eq(tap_row_elapsed_ns(row_of(&snapshot_now, 7)), 500);
	ck_assert_uint_eq(row_of(&snapshot_now, 7)->running, 1);
	tap_snapshot_done(&snapshot_now);
	/* Adopting again changes nothing. */
	adoption.identity.query_id = 8;
	adopt_now(&actor->process, &adoption);
	ck_assert_uint_eq(pg_account(&actor->process)->identity.query_id, 7);
}
END_TEST

/* Waiting for a CPU when adopted: counts from then on. */
START_TEST(test_adopted_on_the_run_queue)
{
	struct actor *actor = &actors[1];
	struct pg_process *all[] = { &actor->process };
	struct tap_adoption adoption = adoption_of(TAP_PG_STATE_IDLE_IN_TRANSACTION, 0, 0);
	struct tap_row_key key = { .kind = TAP_KIND_IDLE_IN_TRANSACTION, .database = DATABASE, .user = USER };
	struct tap_snapshot taken;

	pg_process_done(&actor->process);
	pg_process_init(&actor->process, 77);
	pg_login(&actor->process, PG_TYPE_CLIENT, DATABASE, USER);
	pg_report_idle(&actor->process, TAP_PG_STATE_IDLE_IN_TRANSACTION);
	actor->process.task.sched_info.last_queued = kernel.clock_ns - 300;
	adopt_now(&actor->process, &adoption);
	clock_advance(40);
	snapshot_take(&taken, all, 1, NULL, NULL);
	ck_assert_int_eq(tap_row_elapsed_ns(tap_row_set_find(&taken.rows, &key)), 40);
	ck_assert_uint_eq(tap_row_set_find(&taken.rows, &key)->account.runq_ns, 40);
	tap_snapshot_done(&taken);
	pg_arrive(&actor->process);
	pg_cpu(&actor->process, 5);
	pg_sleep(&actor->process, TAP_PG_CLIENT_READ);
	snapshot_take(&taken, all, 1, NULL, NULL);
	ck_assert_int_eq(tap_row_elapsed_ns(tap_row_set_find(&taken.rows, &key)), 45);
	tap_snapshot_done(&taken);
}
END_TEST

/* What a process does when it is adopted has the name it would have at a switch. */
START_TEST(test_adopted_between_statements)
{
	static const struct {
		__u8 kind, state, row;
	} all[] = {
		{ TAP_KIND_CLIENT, TAP_PG_STATE_UNDEFINED, TAP_KIND_STARTING },
		{ TAP_KIND_CLIENT, TAP_PG_STATE_IDLE, TAP_KIND_IDLE },
		{ TAP_KIND_CLIENT, TAP_PG_STATE_DISABLED, TAP_KIND_CLIENT },
		{ TAP_KIND_BGWORKER, TAP_PG_STATE_IDLE, TAP_KIND_BGWORKER },
		{ TAP_KIND_CHECKPOINTER, TAP_PG_STATE_UNDEFINED, TAP_KIND_CHECKPOINTER },
	};
	struct actor *actor = &actors[1];
	struct pg_process *both[] = { &actor->process };
	struct tap_adoption adoption = adoption_of(all[_i].state, 0, 0);
	struct tap_row_key key = { .kind = all[_i].row, .database = DATABASE, .user = USER };
	struct tap_snapshot taken;
	__s64 sum = 0;

	adoption.identity.kind = all[_i].kind;
	pg_process_done(&actor->process);
	pg_process_init(&actor->process, 77);
	pg_login(&actor->process, all[_i].kind == TAP_KIND_CLIENT ? PG_TYPE_CLIENT : PG_TYPE_BGWORKER, DATABASE, USER);
	pg_status_of(&actor->process)->state = all[_i].state;
	actor->process.task.__state = TASK_INTERRUPTIBLE;
	adopt_now(&actor->process, &adoption);
	clock_advance(40);
	pg_wake(&actor->process);
	pg_arrive(&actor->process);
	pg_cpu(&actor->process, 5);
	pg_sleep(&actor->process, FIRST_EVENT);
	snapshot_take(&taken, both, 1, NULL, NULL);
	ck_assert_int_eq(tap_row_elapsed_ns(tap_row_set_find(&taken.rows, &key)), 45);
	for (size_t i = 0; i < taken.rows.count; i++)
		sum += tap_row_elapsed_ns(&taken.rows.rows[i]);
	ck_assert_int_eq(sum, 45);
	tap_snapshot_done(&taken);
}
END_TEST

START_TEST(test_not_adopted)
{
	static struct seq_file seq;
	struct bpf_iter_meta meta = { &seq };
	struct bpf_iter__task nobody = { &meta, NULL };
	struct tap_adoption adoption = adoption_of(TAP_PG_STATE_IDLE, 0, 0);
	struct pg_process stranger;
	struct bpf_iter__task context = { &meta, &stranger.task };

	ck_assert_int_eq(adopt(&nobody), 0);
	ck_assert_int_eq(snapshot(&nobody), 0);
	pg_process_init(&stranger, 88);
	ck_assert_int_eq(adopt(&context), 0);
	ck_assert_ptr_null(stranger.task.storage);
	ck_assert_int_eq(snapshot(&context), 0);
	ck_assert_uint_eq(seq.size, 0);
	stranger.task.storage_is_full = true;
	adopt_now(&stranger, &adoption);
	ck_assert_uint_eq(losses[TAP_LOSS_TASK_STORAGE_FULL], 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/snapshot_rule");
	TCase *rule = tcase_create("rule");

	tcase_add_checked_fixture(rule, set_up, tear_down);
	tcase_set_timeout(rule, 120);
	tcase_add_loop_test(rule, test_snapshots_while_all_goes_on, 0, 6);
	tcase_add_loop_test(rule, test_rare_and_frequent_snapshots, 0, 2);
	tcase_add_test(rule, test_eviction_during_a_copy);
	tcase_add_test(rule, test_adopted_asleep);
	tcase_add_test(rule, test_adopted_on_the_run_queue);
	tcase_add_loop_test(rule, test_adopted_between_statements, 0, 5);
	tcase_add_test(rule, test_not_adopted);
	suite_add_tcase(suite, rule);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
