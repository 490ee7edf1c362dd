// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_instances.c - userspace/consume/instances over servers, a tracer and connections of the test's own making: who
 * is followed in which place, what the tracer is told, what is asked of whom.
 */
#include "userspace/consume/instances.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/engine/postgres/queries.h"
#include "correlate/engine/postgres/statements.h"
#include "correlate/fingerprint.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/pg_memory.h"

enum {
	HOSTS_MAX = 4,
	STAGED_MAX = 64,
	STATE = 200, /* offsets of an entry, as the layout has them */
	ACTIVITY = 208,
	QUERY_ID = 216,
	BUFFER_ACTIVITY = 0x7000,
};

/* Check's own assertions allocate: within what is made to run out of memory they would be what fails. */
static void must(bool hold)
{
	if (!hold)
		abort();
}

/* --- what there is on the host --- */

static struct {
	struct tap_target targets[HOSTS_MAX];
	size_t count;
	int status;
	struct tap_pg_process processes[4];
	size_t n_processes;
	int processes_status;
	const char *activity; /* text at BUFFER_ACTIVITY of every process */
	int sessions_status;
	bool dead[HOSTS_MAX]; /* by port - 1 */
	struct tap_target_known known[HOSTS_MAX];
	size_t n_known;
	size_t n_wanted; /* of the last search */
} host;

int tap_targets_find_within(const char *proc_root, const struct tap_target_scope *scope, struct tap_target_list *ret,
			    struct tap_error *err)
{
	must(!strcmp(proc_root, "/proc"));
	must(scope->n_known <= HOSTS_MAX);
	memcpy(host.known, scope->known, scope->n_known * sizeof(*scope->known));
	host.n_known = scope->n_known;
	host.n_wanted = 0;
	for (size_t i = 0; i < host.count; i++)
		host.n_wanted += scope->wants(scope->context, &host.targets[i]);
	if (host.status)
		return tap_error_set(err, host.status, "no /proc");
	ret->count = 0;
	ret->items = calloc(host.count + 1, sizeof(*ret->items));
	while (ret->items && ret->count < host.count) {
		struct tap_target *target = &ret->items[ret->count];

		*target = host.targets[ret->count++];
		target->data_dir = strdup(target->data_dir);
		if (target->data_dir)
			continue;
		tap_targets_done(ret);
		ret->items = NULL;
	}
	return ret->items ? 0 : tap_error_set(err, -ENOMEM, "no list");
}

void tap_target_done(struct tap_target *target)
{
	free(target->data_dir);
	target->data_dir = NULL;
}

void tap_targets_done(struct tap_target_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		tap_target_done(&list->items[i]);
	free(list->items);
}

bool tap_target_alive(const struct tap_target *target)
{
	return !host.dead[target->port - 1];
}

int tap_target_processes(const struct tap_target *target, int32_t **ret, size_t *ret_count)
{
	(void)target;
	(void)ret;
	(void)ret_count;
	return -ESRCH;
}

int tap_pg_processes_read(const struct tap_target *target, struct tap_pg_process **ret, size_t *ret_count,
			  size_t *ret_torn, struct tap_error *err)
{
	if (host.processes_status)
		return tap_error_set(err, host.processes_status, "%s: no processes", target->id);
	*ret = calloc(host.n_processes + 1, sizeof(**ret));
	memcpy(*ret, host.processes, host.n_processes * sizeof(**ret));
	*ret_count = host.n_processes;
	*ret_torn = 0;
	return 0;
}

static void session_add(struct tap_session_list *list, int32_t pid, const char *from)
{
	struct tap_session *session = tap_session_list_add(list);

	session->pid = pid;
	session->database = 5;
	session->database_name = strdup(from);
	session->query_id = 77;
	session->query = strdup("select 'secret'");
}

int tap_pg_sessions_read(const struct tap_target *target, struct tap_session_list *list, size_t *ret_torn,
			 struct tap_error *err)
{
	session_add(list, target->pid + 1, "memory");
	*ret_torn = 0;
	return host.sessions_status ? tap_error_set(err, host.sessions_status, "no memory of it") : 0;
}

int tap_memory_read(int32_t pid, uint64_t address, void *ret, size_t size)
{
	(void)pid;
	if (!host.activity || address != BUFFER_ACTIVITY)
		return -EFAULT;
	memset(ret, 'x', size);
	strncpy(ret, host.activity, size);
	return 0;
}

int tap_memory_read_many(int32_t pid, struct tap_memory_read *reads, size_t count)
{
	(void)pid;
	(void)reads;
	(void)count;
	return -ESRCH;
}

/* --- the tracer --- */

struct tap_tracer {
	struct tap_instance instances[HOSTS_MAX];
	unsigned set;
	struct {
		uint32_t tid;
		struct tap_adoption adoption;
	} staged[STAGED_MAX];
	size_t n_staged;
	int adopts, probes, begun;
	int set_status, stage_status, adopt_status, probe_status;
	char probed[64];
	uint64_t probed_offset;
	uint64_t probed_error_offset;
};

static struct tap_tracer tracer;

int tap_tracer_set_instance(struct tap_tracer *to, uint32_t index, const struct tap_instance *instance,
			    struct tap_error *err)
{
	must(index < HOSTS_MAX);
	to->instances[index] = *instance;
	to->set++;
	return to->set_status ? tap_error_set(err, to->set_status, "no room") : 0;
}

int tap_tracer_stage(struct tap_tracer *to, uint32_t tid, const struct tap_adoption *adoption)
{
	must(to->n_staged < STAGED_MAX);
	to->staged[to->n_staged].tid = tid;
	to->staged[to->n_staged++].adoption = *adoption;
	return adoption->role == TAP_ROLE_POSTMASTER ? 0 : to->stage_status;
}

int tap_tracer_adopt(struct tap_tracer *to, struct tap_error *err)
{
	to->adopts++;
	return to->adopt_status ? tap_error_set(err, to->adopt_status, "no iterator") : 0;
}

int tap_tracer_begin_checkpoints(struct tap_tracer *to, uint32_t instance, int32_t pid,
				 const struct tap_checkpoints *checkpoints)
{
	must(instance < HOSTS_MAX && pid > 0 && !(checkpoints->seq & 1));
	to->begun++;
	return 0;
}

int tap_tracer_attach_calls(struct tap_tracer *to, enum tap_tracer_point point, const char *binary, uint64_t offset,
			    struct tap_error *err)
{
	if (point == TAP_POINT_ERROR) {
		to->probed_error_offset = offset;
		return to->probe_status;
	}
	snprintf(to->probed, sizeof(to->probed), "%s", binary);
	to->probed_offset = offset;
	to->probes++;
	return to->probe_status ? tap_error_set(err, to->probe_status, "cannot probe %s", binary) : 0;
}

/* --- connections --- */

struct tap_pg_conn {
	bool gone;
};

static struct {
	struct tap_pg_conn conn;
	int open, opened, closed;
	int status; /* of logging in */
	char conninfo[64];
	uint64_t wanted[8];
	size_t n_wanted;
} remote;

int tap_pg_conn_open(const struct tap_engine_where *where, struct tap_pg_conn **ret, struct tap_error *err)
{
	snprintf(remote.conninfo, sizeof(remote.conninfo), "%s", where->conninfo ? where->conninfo : "-");
	remote.opened++;
	if (remote.status)
		return tap_error_set(err, remote.status, "%s: no entry", where->instance);
	remote.open++;
	remote.conn.gone = false;
	*ret = &remote.conn;
	return 0;
}

void tap_pg_conn_close(struct tap_pg_conn *conn)
{
	remote.open -= conn != NULL;
	remote.closed += conn != NULL;
}

bool tap_pg_conn_alive(struct tap_pg_conn *conn)
{
	return !conn->gone;
}

int tap_pg_query_names(struct tap_pg_conn *conn, struct tap_names *names, struct tap_pg_rows *ret_rows,
		       struct tap_error *err)
{
	(void)conn;
	(void)ret_rows;
	(void)err;
	return tap_names_add(names, TAP_NAME_USER, 10, "catalog", 7);
}

int tap_pg_query_sessions(struct tap_pg_conn *conn, struct tap_session_list *ret, struct tap_pg_rows *ret_rows,
			  struct tap_error *err)
{
	(void)ret_rows;
	if (conn->gone)
		return tap_error_set(err, -ECONNREFUSED, "gone");
	session_add(ret, 999, "connection");
	return 0;
}

int tap_pg_query_statement_texts(struct tap_pg_conn *conn, const uint64_t *wanted, size_t n_wanted,
				 struct tap_pg_texts *ret, struct tap_pg_rows *ret_rows, struct tap_error *err)
{
	(void)ret_rows;
	remote.n_wanted = n_wanted;
	memcpy(remote.wanted, wanted, (n_wanted < 8 ? n_wanted : 8) * sizeof(*wanted));
	if (conn->gone)
		return tap_error_set(err, -ECONNREFUSED, "gone");
	/* The first one is known, of the second one there is no text. */
	ret->items = calloc(2, sizeof(*ret->items));
	ret->items[0] = (struct tap_pg_text){ wanted[0], strdup("select $1") };
	ret->items[1] = (struct tap_pg_text){ wanted[n_wanted - 1] + 1, NULL };
	ret->count = 2;
	return 0;
}

void tap_pg_texts_done(struct tap_pg_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i].text);
	free(texts->items);
}

/* --- fixture --- */

static struct tap_live_options options;
static struct tap_instances instances;
static struct tap_texts texts;
static struct tap_error err;

static struct tap_target *target_add(int32_t port)
{
	struct tap_target *target = &host.targets[host.count++];

	*target = (struct tap_target){ .pid = 100 * port, .start_ticks = 1, .port = port, .activity_size = 256 };
	target->data_dir = (char *)"/nowhere/data";
	target->layout.status_state = STATE;
	for (int state = 0; state < TAP_PG_BACKEND_STATES; state++)
		target->layout.state_of[state] = (uint8_t)state;
	target->layout.status_activity = ACTIVITY;
	target->layout.status_query_id = QUERY_ID;
	target->query_ids = true;
	snprintf(target->id, sizeof(target->id), "postgres-%d", port);
	return target;
}

static struct tap_pg_process *process_add(int32_t pid, uint8_t kind, uint32_t state, uint64_t query_id)
{
	struct tap_pg_process *process = &host.processes[host.n_processes++];
	const uint64_t activity = BUFFER_ACTIVITY;

	*process = (struct tap_pg_process){ .pid = pid, .kind = kind, .status = 0x5000, .wait_event = 0x6000 };
	process->wait_event_now = 42;
	memcpy(process->entry + STATE, &state, sizeof(state));
	memcpy(process->entry + ACTIVITY, &activity, sizeof(activity));
	memcpy(process->entry + QUERY_ID, &query_id, sizeof(query_id));
	return process;
}

static void set_up(void)
{
	memset(&host, 0, sizeof(host));
	memset(&tracer, 0, sizeof(tracer));
	memset(&remote, 0, sizeof(remote));
	options = (struct tap_live_options){ 0 };
	err = (struct tap_error){ "" };
	tap_instances_init(&instances, &options);
	tap_texts_init(&texts);
}

static void tear_down(void)
{
	tap_instances_done(&instances);
	tap_instances_done(NULL);
	tap_texts_done(&texts);
	ck_assert_int_eq(remote.open, 0);
}

static int search(void)
{
	return tap_instances_search(&instances, &tracer, &texts, &err);
}

static const struct tap_adoption *staged(uint32_t tid)
{
	for (size_t i = 0; i < tracer.n_staged; i++) {
		if (tracer.staged[i].tid == tid)
			return &tracer.staged[i].adoption;
	}
	ck_abort_msg("process %u was not handed over", tid);
	return NULL;
}

/* --- searches --- */

/* The postmaster is handed over before its children are read: no child is missed. */
START_TEST(test_followed)
{
	target_add(1)->query_ids = false;
	target_add(2);
	process_add(110, TAP_KIND_CLIENT, TAP_PG_STATE_IDLE, 5);
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 2);
	ck_assert(instances.items[0].alive && instances.items[1].alive);
	ck_assert_uint_eq(tracer.set, 2);
	ck_assert(tracer.instances[0].own_ids && !tracer.instances[1].own_ids);
	ck_assert_uint_eq(tracer.staged[0].tid, 100);
	ck_assert_uint_eq(tracer.staged[0].adoption.role, TAP_ROLE_POSTMASTER);
	ck_assert_uint_eq(tracer.staged[1].tid, 110);
	ck_assert_uint_eq(tracer.staged[2].tid, 200);
	ck_assert_uint_eq(tracer.staged[2].adoption.instance, 1);
	ck_assert_int_eq(tracer.adopts, 4);
	/* Another search finds the same ones. */
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 2);
	ck_assert_uint_eq(tracer.set, 2);
	/* Adopting again is asked for. */
	ck_assert_int_eq(tap_instances_adopt(&instances, &tracer, &texts, &err), 0);
	ck_assert_uint_eq(tracer.set, 4);
}
END_TEST

/* A server that comes back takes its old place, with a new pid or only a new start; another one does not. */
START_TEST(test_places)
{
	struct tap_target *target = target_add(1);

	ck_assert_int_eq(search(), 0);
	host.dead[0] = true;
	ck_assert(tap_instances_check(&instances));
	ck_assert_str_eq(instances.items[0].why_not, "the server has ended");
	host.dead[0] = false;
	target->pid = 150;
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 1);
	ck_assert(instances.items[0].alive);
	ck_assert_int_eq(instances.items[0].target.pid, 150);
	ck_assert_str_eq(instances.items[0].why_not, "");
	instances.items[0].alive = false;
	target->start_ticks = 2;
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 1);
	instances.items[0].alive = false;
	target->data_dir = (char *)"/nowhere/other";
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 2);
}
END_TEST

/* Through /proc/PID/root the path is another after each restart: the folder itself tells, and the name stays. */
START_TEST(test_a_container_restarts)
{
	struct tap_target *target = target_add(1);

	target->data_dir = (char *)"/proc/100/root/data";
	target->data_inode = 7;
	snprintf(target->id, sizeof(target->id), "postgres-1-100");
	ck_assert_int_eq(search(), 0);
	instances.items[0].alive = false;
	target->pid = 150;
	target->data_dir = (char *)"/proc/150/root/data";
	snprintf(target->id, sizeof(target->id), "postgres-1");
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 1);
	ck_assert_str_eq(instances.items[0].target.id, "postgres-1-100");
	/* On another port the old name would be wrong. */
	instances.items[0].alive = false;
	target->pid = 160;
	target->port = 2;
	snprintf(target->id, sizeof(target->id), "postgres-2");
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 1);
	ck_assert_str_eq(instances.items[0].target.id, "postgres-2");
	ck_assert_str_eq(instances.renamed.text, "");
}
END_TEST

/* A major upgrade: the old server's rows keep the name, and the new one gets another. */
START_TEST(test_another_folder_on_the_same_port)
{
	struct tap_target *target = target_add(1);

	target->data_inode = 7;
	ck_assert_int_eq(search(), 0);
	instances.items[0].alive = false;
	target->pid = 150;
	target->data_inode = 8;
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 2);
	ck_assert_str_eq(instances.items[0].target.id, "postgres-1");
	ck_assert_str_eq(instances.items[1].target.id, "postgres-1-150");
	ck_assert_ptr_nonnull(strstr(instances.renamed.text, "postgres-1-150"));
	/* The old one comes back to its own. */
	instances.items[1].alive = false;
	target->pid = 170;
	target->data_inode = 7;
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 2);
	ck_assert_str_eq(instances.items[0].target.id, "postgres-1");
	ck_assert(instances.items[0].alive && !instances.items[1].alive);
}
END_TEST

/* Its rows would be read with the new version's names of events. */
START_TEST(test_a_major_upgrade_in_the_same_folder)
{
	struct tap_target *target = target_add(1);

	target->data_inode = 7;
	target->version_number = 150018;
	snprintf(target->version, sizeof(target->version), "15.18");
	ck_assert_int_eq(search(), 0);
	for (int minor = 0; minor < 2; minor++) {
		instances.items[minor].alive = false;
		target->pid = 150 + minor;
		target->version_number = 170010 + minor;
		snprintf(target->version, sizeof(target->version), "17.%d", 10 + minor);
		snprintf(target->id, sizeof(target->id), "postgres-1");
		ck_assert_int_eq(search(), 0);
		ck_assert_uint_eq(instances.count, 2);
		ck_assert_str_eq(instances.items[0].target.id, "postgres-1");
		ck_assert_int_eq(instances.items[0].target.version_number, 150018);
		ck_assert_str_eq(instances.items[1].target.id, "postgres-1-150");
		ck_assert_int_eq(instances.items[1].target.pid, 150 + minor);
		ck_assert_str_eq(instances.renamed.text,
				 "postgres-1 is version 17.10 now, no longer 15.18: what it does is shown as "
				 "postgres-1-150");
	}
}
END_TEST

/* While the one that was asked for is down, another of its port may go by its name: it was not asked for. */
START_TEST(test_the_wanted_one_comes_back)
{
	struct tap_target *wanted = target_add(1), *other = target_add(1);

	options.instance = "postgres-1";
	wanted->data_inode = 7;
	other->data_inode = 8;
	other->pid = 101;
	snprintf(other->id, sizeof(other->id), "postgres-1-101");
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 1);
	instances.items[0].alive = false;
	snprintf(other->id, sizeof(other->id), "postgres-1");
	snprintf(wanted->id, sizeof(wanted->id), "postgres-1-150");
	wanted->pid = 150;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(search(), 0);
		ck_assert_uint_eq(instances.count, 1);
		ck_assert_int_eq(instances.items[0].target.pid, 150);
		ck_assert_str_eq(instances.items[0].target.id, "postgres-1");
	}
	/* Neither of them needs a second look. */
	ck_assert_uint_eq(host.n_known, 2);
	ck_assert(host.known[0].pid == 150 && host.known[1].pid == 101);
}
END_TEST

START_TEST(test_only_the_wanted_one)
{
	options.instance = "postgres-2";
	target_add(1);
	target_add(2);
	snprintf(target_add(3)->refused, TAP_ERROR_MAX, "not this one's business");
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(instances.count, 1);
	ck_assert_str_eq(instances.items[0].target.id, "postgres-2");
	ck_assert_uint_eq(instances.n_refused, 0);
	/* The others' memory is left alone. */
	ck_assert_uint_eq(host.n_wanted, 1);
}
END_TEST

START_TEST(test_refused)
{
	snprintf(target_add(1)->refused, TAP_ERROR_MAX, "first");
	snprintf(target_add(2)->refused, TAP_ERROR_MAX, "second");
	target_add(3);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(search(), 0);
		ck_assert_uint_eq(instances.count, 1);
		ck_assert_uint_eq(instances.n_refused, 2);
		ck_assert_str_eq(instances.refused, "first");
	}
}
END_TEST

START_TEST(test_failures)
{
	target_add(1);
	process_add(110, TAP_KIND_CLIENT, TAP_PG_STATE_IDLE, 5);
	host.status = -EACCES;
	ck_assert_int_eq(search(), -EACCES);
	host.status = 0;
	tracer.set_status = -E2BIG;
	ck_assert_int_eq(search(), -E2BIG);
	ck_assert(!instances.items[0].alive);
	tracer.set_status = 0;
	tracer.adopt_status = -EMFILE;
	ck_assert_int_eq(search(), -EMFILE);
	tracer.adopt_status = 0;
	tracer.stage_status = -E2BIG;
	ck_assert_int_eq(search(), -E2BIG);
	ck_assert_ptr_nonnull(strstr(err.text, "process 110"));
	tracer.stage_status = 0;
	host.processes_status = -EPERM;
	ck_assert_int_eq(search(), -EPERM);
	/* One that ends while it is looked at is no failure. */
	host.processes_status = -ESRCH;
	ck_assert_int_eq(search(), 0);
	ck_assert(!instances.items[0].alive);
	host.processes_status = 0;
	ck_assert_int_eq(search(), 0);
	ck_assert(instances.items[0].alive);
	ck_assert_uint_eq(instances.count, 1);
}
END_TEST

START_TEST(test_no_memory_for_a_place)
{
	bool said = false;

	target_add(1);
	/* Some of the allocations are the made-up list's, and Check's own. */
	for (long n = 1; !said && n < 20; n++) {
		tap_alloc_fail_at(n);
		said = search() == -ENOMEM && !strcmp(err.text, "out of memory");
		tap_alloc_fail_at(0);
		if (!said) {
			tear_down();
			set_up();
			target_add(1);
		}
	}
	ck_assert(said);
	ck_assert_uint_eq(instances.count, 0);
}
END_TEST

/* --- what the tracer is told of a process --- */

START_TEST(test_adoption_of_a_backend)
{
	struct tap_pg_process *process;
	const struct tap_adoption *adoption;

	target_add(1);
	process = process_add(110, TAP_KIND_CLIENT, TAP_PG_STATE_RUNNING, 5);
	ck_assert_int_eq(search(), 0);
	adoption = staged(110);
	ck_assert_uint_eq(adoption->role, TAP_ROLE_BACKEND);
	ck_assert_uint_eq(adoption->status_address, process->status);
	ck_assert_uint_eq(adoption->wait_address, process->wait_event);
	ck_assert_uint_eq(adoption->activity_address, BUFFER_ACTIVITY);
	ck_assert_uint_eq(adoption->wait_event, 42);
	ck_assert_uint_eq(adoption->identity.kind, TAP_KIND_CLIENT);
	ck_assert_uint_eq(adoption->identity.state, TAP_PG_STATE_RUNNING);
	ck_assert_uint_eq(adoption->identity.query_id, 5);
	ck_assert_uint_eq(adoption->identity.source, TAP_QUERY_ID_ENGINE);
}
END_TEST

static const struct {
	uint8_t kind, role;
	bool has_status;
} roles[] = {
	{ TAP_KIND_POSTMASTER, TAP_ROLE_POSTMASTER, false }, { TAP_KIND_LOGGER, TAP_ROLE_FIXED, false },
	{ TAP_KIND_CHILD, TAP_ROLE_FIXED, false },	     { TAP_KIND_STARTING, TAP_ROLE_BACKEND, false },
	{ TAP_KIND_CHECKPOINTER, TAP_ROLE_BACKEND, true },   { TAP_KIND_LOGGER, TAP_ROLE_FIXED, true },
};

START_TEST(test_roles)
{
	target_add(1);
	process_add(110, roles[_i].kind, TAP_PG_STATE_RUNNING, 5)->status = roles[_i].has_status ? 0x5000 : 0;
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(staged(110)->role, roles[_i].role);
	ck_assert_uint_eq(staged(110)->identity.kind, roles[_i].kind);
	if (!roles[_i].has_status || roles[_i].role != TAP_ROLE_BACKEND)
		ck_assert(!staged(110)->status_address && !staged(110)->identity.query_id);
}
END_TEST

static const struct {
	const char *text; /* in memory; NULL: unreadable */
	uint32_t state;
	uint64_t query_id;
	bool own;
} own_ids[] = {
	{ "select 1", TAP_PG_STATE_RUNNING, 0, true }, { "select 1", TAP_PG_STATE_FASTPATH, 0, true },
	{ "select 1", TAP_PG_STATE_IDLE, 0, false },   { "select 1", TAP_PG_STATE_RUNNING, 5, false },
	{ NULL, TAP_PG_STATE_RUNNING, 0, false },
};

/* A statement that runs without an engine id gets its own at once, and its text is known. */
START_TEST(test_own_ids)
{
	const struct tap_adoption *adoption;
	struct tap_text_key key = { .source = TAP_QUERY_ID_OWN, .query_id = tap_fingerprint("select 1", 8) };

	target_add(1);
	host.activity = own_ids[_i].text;
	process_add(110, TAP_KIND_CLIENT, own_ids[_i].state, own_ids[_i].query_id);
	ck_assert_int_eq(search(), 0);
	adoption = staged(110);
	ck_assert_int_eq(adoption->identity.source == TAP_QUERY_ID_OWN, own_ids[_i].own);
	ck_assert_int_eq(tap_texts_find(&texts, &key) != NULL, own_ids[_i].own);
	if (own_ids[_i].own)
		ck_assert_uint_eq(adoption->identity.query_id, key.query_id);
	else
		ck_assert_uint_eq(adoption->identity.query_id, own_ids[_i].query_id);
}
END_TEST

/* A text without an end in a buffer of any size is cut, not run over. */
START_TEST(test_endless_text)
{
	static const int32_t sizes[] = { 1, 100, TAP_TEXT_MAX, 1024 * 1024 };
	char text[TAP_TEXT_MAX + 1];

	memset(text, 'a', TAP_TEXT_MAX);
	text[TAP_TEXT_MAX] = '\0';
	host.activity = text;
	target_add(1)->activity_size = sizes[_i];
	process_add(110, TAP_KIND_CLIENT, TAP_PG_STATE_RUNNING, 0);
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(texts.count, 1);
	ck_assert_uint_lt(strlen(texts.items[0].raw), TAP_TEXT_MAX);
}
END_TEST

/* --- statement depth --- */

START_TEST(test_probe)
{
	struct tap_target *target = target_add(1);

	target->statement_end_offset = 0x1234;
	ck_assert_int_eq(search(), 0);
	ck_assert_int_eq(tracer.probes, 0);
	instances.items[0].alive = false;
	options.depth = TAP_DEPTH_STATEMENT;
	ck_assert_int_eq(search(), 0);
	ck_assert_str_eq(tracer.probed, "/proc/100/exe");
	ck_assert_uint_eq(tracer.probed_offset, 0x1234);
	/* Not every binary exports what statements that fail come to. */
	ck_assert_uint_eq(tracer.probed_error_offset, 0);
	target->statement_error_offset = 0x5678;
	instances.items[0].alive = false;
	ck_assert_int_eq(search(), 0);
	ck_assert_uint_eq(tracer.probed_error_offset, 0x5678);
	ck_assert_str_eq(instances.unprobed.text, "");
}
END_TEST

/* Followed all the same, and said once with what to do. */
START_TEST(test_no_probe)
{
	struct tap_target *target = target_add(1);

	target->statement_end_offset = 0x1234;
	options.depth = TAP_DEPTH_STATEMENT;
	tracer.probe_status = -EACCES;
	ck_assert_int_eq(search(), 0);
	ck_assert(instances.items[0].alive);
	ck_assert_ptr_nonnull(strstr(instances.unprobed.text, "postgres-1: cannot probe /proc/100/exe: "));
	ck_assert_ptr_nonnull(strstr(instances.unprobed.text, "start dbtap again, or use --depth ambient"));
	ck_assert(instances.items[0].unprobed);
	/* The first one's reason stays. */
	tracer.probe_status = -E2BIG;
	target_add(2)->statement_end_offset = 1;
	ck_assert_int_eq(search(), 0);
	ck_assert_int_eq(tracer.probes, 2);
	ck_assert_ptr_nonnull(strstr(instances.unprobed.text, "postgres-1"));
}
END_TEST

START_TEST(test_no_symbol_to_probe)
{
	options.depth = TAP_DEPTH_STATEMENT;
	target_add(1);
	ck_assert_int_eq(search(), 0);
	ck_assert_int_eq(tracer.probes, 0);
	ck_assert_str_eq(instances.unprobed.text, "postgres-1: its binary exports no EndCommand: use --depth ambient");
}
END_TEST

/* One that ended meanwhile cannot be probed, and need not be. */
START_TEST(test_gone_before_its_probe)
{
	options.depth = TAP_DEPTH_STATEMENT;
	target_add(1)->statement_end_offset = 0x1234;
	tracer.probe_status = -ENOENT;
	host.dead[0] = true;
	ck_assert_int_eq(search(), 0);
	ck_assert_str_eq(instances.unprobed.text, "");
}
END_TEST

/* --- connections --- */

START_TEST(test_connections)
{
	const struct tap_dsn dsns[] = { { "postgres-9", "host=elsewhere" }, { "postgres-1", "user=me" } };

	target_add(1);
	options.dsns = dsns;
	options.n_dsns = 2;
	ck_assert_int_eq(search(), 0);
	remote.status = -EACCES;
	tap_instances_connect(&instances);
	ck_assert_str_eq(remote.conninfo, "user=me");
	ck_assert_ptr_nonnull(strstr(instances.items[0].why_not, "no entry"));
	/* Asked once, not again and again. */
	tap_instances_connect(&instances);
	ck_assert_int_eq(remote.opened, 1);
	instances.items[0].asked = false;
	remote.status = 0;
	tap_instances_connect(&instances);
	ck_assert_ptr_nonnull(instances.items[0].conn);
	ck_assert_str_eq(tap_names_find(&instances.items[0].names, TAP_NAME_USER, 10), "catalog");
	tap_instances_connect(&instances);
	ck_assert_int_eq(remote.opened, 2);
	/* One that the server closed is opened again. */
	remote.conn.gone = true;
	tap_instances_connect(&instances);
	ck_assert_int_eq(remote.opened, 3);
	ck_assert_int_eq(remote.closed, 1);
	host.dead[0] = true;
	ck_assert(tap_instances_check(&instances));
	ck_assert_int_eq(remote.open, 0);
	tap_instances_connect(&instances);
	ck_assert_int_eq(remote.opened, 3);
}
END_TEST

START_TEST(test_no_connect)
{
	target_add(1);
	options.no_connect = true;
	ck_assert_int_eq(search(), 0);
	tap_instances_connect(&instances);
	ck_assert_int_eq(remote.opened, 0);
	ck_assert_str_eq(instances.items[0].why_not, "--no-connect");
}
END_TEST

/* --- sessions and texts --- */

START_TEST(test_sessions)
{
	struct tap_text_key key = { .source = TAP_QUERY_ID_ENGINE, .query_id = 77 };
	const struct tap_followed *followed;

	target_add(1);
	ck_assert_int_eq(search(), 0);
	followed = &instances.items[0];
	tap_instances_read_sessions(&instances, &texts);
	ck_assert_uint_eq(followed->sessions.count, 1);
	ck_assert_int_eq(followed->sessions.items[0].pid, 101);
	ck_assert_str_eq(tap_names_find(&followed->names, TAP_NAME_DATABASE, 5), "memory");
	ck_assert_ptr_nonnull(tap_texts_find(&texts, &key));
	/* Memory that cannot be read: without a connection the last list stays, with one it is asked. */
	host.sessions_status = -EPERM;
	tap_instances_read_sessions(&instances, &texts);
	ck_assert_int_eq(followed->sessions.items[0].pid, 101);
	tap_instances_connect(&instances);
	tap_instances_read_sessions(&instances, &texts);
	ck_assert_uint_eq(followed->sessions.count, 1);
	ck_assert_int_eq(followed->sessions.items[0].pid, 999);
	remote.conn.gone = true;
	tap_instances_read_sessions(&instances, &texts);
	ck_assert_int_eq(followed->sessions.items[0].pid, 999);
	/* A server that has ended has none. */
	host.dead[0] = true;
	tap_instances_check(&instances);
	tap_instances_read_sessions(&instances, &texts);
	ck_assert_uint_eq(followed->sessions.count, 0);
}
END_TEST

static struct tap_row_set rows;

static void row_add(uint32_t instance, uint32_t database, uint32_t user, uint8_t source, uint64_t query_id)
{
	struct tap_row_key key = { .instance = instance,
				   .kind = TAP_KIND_CLIENT,
				   .database = database,
				   .user = user,
				   .source = source,
				   .query_id = query_id };

	ck_assert_ptr_nonnull(tap_row_set_get(&rows, &key));
}

START_TEST(test_names_that_lack)
{
	target_add(1);
	ck_assert_int_eq(search(), 0);
	tap_row_set_init(&rows);
	row_add(7, 1, 1, TAP_QUERY_ID_NONE, 0); /* of no instance */
	row_add(0, 0, 0, TAP_QUERY_ID_NONE, 0);
	ck_assert(!tap_instances_lack_names(&instances, &rows));
	row_add(0, 5, 0, TAP_QUERY_ID_NONE, 0);
	ck_assert(tap_instances_lack_names(&instances, &rows));
	tap_instances_read_sessions(&instances, &texts);
	ck_assert(!tap_instances_lack_names(&instances, &rows));
	row_add(0, 5, 10, TAP_QUERY_ID_NONE, 0);
	ck_assert(tap_instances_lack_names(&instances, &rows));
	tap_instances_connect(&instances);
	ck_assert(!tap_instances_lack_names(&instances, &rows));
	tap_row_set_done(&rows);
}
END_TEST

START_TEST(test_texts_that_lack)
{
	struct tap_text_key key = { .source = TAP_QUERY_ID_ENGINE, .query_id = 1 };

	target_add(1);
	ck_assert_int_eq(search(), 0);
	tap_row_set_init(&rows);
	row_add(0, 5, 10, TAP_QUERY_ID_ENGINE, 1);
	row_add(0, 5, 10, TAP_QUERY_ID_OWN, 2);
	row_add(0, 5, 10, TAP_QUERY_ID_NONE, 0);
	row_add(1, 5, 10, TAP_QUERY_ID_ENGINE, 3);
	tap_texts_put(&texts, &key, "select 1", 8, TAP_TEXT_RAW);
	tap_instances_read_texts(&instances, &rows, &texts); /* no connection: nobody to ask */
	ck_assert_uint_eq(remote.n_wanted, 0);
	tap_instances_connect(&instances);
	remote.conn.gone = true;
	tap_instances_read_texts(&instances, &rows, &texts);
	ck_assert_uint_eq(remote.n_wanted, 1);
	ck_assert_ptr_null(tap_texts_find(&texts, &key)->normalised);
	remote.conn.gone = false;
	tap_instances_read_texts(&instances, &rows, &texts);
	ck_assert_uint_eq(remote.wanted[0], 1);
	ck_assert_str_eq(tap_texts_find(&texts, &key)->normalised, "select $1");
	/* Known now. */
	remote.n_wanted = 0;
	tap_instances_read_texts(&instances, &rows, &texts);
	ck_assert_uint_eq(remote.n_wanted, 0);
	tap_row_set_done(&rows);
}
END_TEST

/* A statement more than can be asked for in one go. */
START_TEST(test_very_many_texts)
{
	target_add(1);
	ck_assert_int_eq(search(), 0);
	tap_instances_connect(&instances);
	tap_row_set_init(&rows);
	for (uint64_t id = 1; id <= TAP_PG_WANTED_MAX + 1; id++)
		row_add(0, 5, 10, TAP_QUERY_ID_ENGINE, id);
	tap_instances_read_texts(&instances, &rows, &texts);
	ck_assert_uint_eq(remote.n_wanted, TAP_PG_WANTED_MAX);
	tap_alloc_fail_at(1);
	remote.n_wanted = 0;
	tap_instances_read_texts(&instances, &rows, &texts);
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(remote.n_wanted, 0);
	tap_row_set_done(&rows);
}
END_TEST

START_TEST(test_description)
{
	struct tap_window_instance *described = NULL;

	target_add(1);
	target_add(2);
	ck_assert_int_eq(search(), 0);
	remote.status = -EBUSY;
	tap_instances_connect(&instances);
	ck_assert_int_eq(tap_instances_describe(&instances, &described), 0);
	ck_assert_str_eq(described[0].id, "postgres-1");
	ck_assert(described[1].present && described[1].pid == 200 && described[1].port == 2);
	ck_assert(!described[1].connected);
	ck_assert_str_eq(described[1].not_connected_why, "postgres-2: no entry");
	ck_assert_ptr_eq(described[1].sessions, &instances.items[1].sessions);
	free(described);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_instances_describe(&instances, &described), -ENOMEM);
	tap_alloc_fail_at(0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("consume/instances");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_followed);
	tcase_add_test(tests, test_places);
	tcase_add_test(tests, test_only_the_wanted_one);
	tcase_add_test(tests, test_a_container_restarts);
	tcase_add_test(tests, test_another_folder_on_the_same_port);
	tcase_add_test(tests, test_a_major_upgrade_in_the_same_folder);
	tcase_add_test(tests, test_the_wanted_one_comes_back);
	tcase_add_test(tests, test_refused);
	tcase_add_test(tests, test_failures);
	tcase_add_test(tests, test_no_memory_for_a_place);
	tcase_add_test(tests, test_adoption_of_a_backend);
	tcase_add_loop_test(tests, test_roles, 0, sizeof(roles) / sizeof(roles[0]));
	tcase_add_loop_test(tests, test_own_ids, 0, sizeof(own_ids) / sizeof(own_ids[0]));
	tcase_add_loop_test(tests, test_endless_text, 0, 4);
	tcase_add_test(tests, test_probe);
	tcase_add_test(tests, test_no_probe);
	tcase_add_test(tests, test_no_symbol_to_probe);
	tcase_add_test(tests, test_gone_before_its_probe);
	tcase_add_test(tests, test_connections);
	tcase_add_test(tests, test_no_connect);
	tcase_add_test(tests, test_sessions);
	tcase_add_test(tests, test_names_that_lack);
	tcase_add_test(tests, test_texts_that_lack);
	tcase_add_test(tests, test_very_many_texts);
	tcase_add_test(tests, test_description);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
