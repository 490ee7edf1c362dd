// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_backend.c - reads what each process of an instance keeps about itself.
 *
 * Each process is read through its own address space: the entries are in shared memory, but the pointers to them and
 * the wait event word of a process that is just starting are its own. What a process is, is decided in classify().
 */
#include "userspace/attach/pg_backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/abi/kind.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/pg_layout.h"

enum {
	READ_ATTEMPTS = 8,
	ATTEMPTS_BEFORE_PAUSE = 4, /* a writer that lost the CPU in the middle needs time, not haste */
	PAUSE_NS = 200000,
	APPLICATION_SIZE = 64,		 /* NAMEDATALEN */
	ACTIVITY_SIZE_MAX = 1024 * 1024, /* upper bound of track_activity_query_size */
};

/* What stays the same over one reading. */
struct reader {
	const struct tap_target *target;
	const char *root;
	struct tap_file_id exe;
	int32_t postmaster_ns_pid;
	char *text; /* target->activity_size bytes and a NUL; NULL: texts are not asked for */
};

/* 0, -ESRCH: gone meanwhile, -EPERM, -EFAULT: the variables are not there (another program by now). */
static int variables_read(const struct reader *reader, struct tap_pg_backend *backend)
{
	const struct tap_pg_addresses *at = &reader->target->addresses;
	const struct tap_pg_variables *own = &reader->target->variables;
	uint8_t exiting = 0;
	struct tap_memory_read reads[] = {
		{ at->my_beentry, &backend->my_beentry, sizeof(backend->my_beentry), false },
		{ at->my_wait_event_info, &backend->my_wait_event_info, sizeof(backend->my_wait_event_info), false },
		{ at->my_proc, &backend->my_proc, sizeof(backend->my_proc), false },
		{ at->parallel_worker_number, &backend->parallel_worker_number, sizeof(int32_t), false },
		{ own->my_proc_pid, &backend->my_proc_pid, sizeof(backend->my_proc_pid), false },
		{ own->my_database_id, &backend->my_database_id, sizeof(backend->my_database_id), false },
		{ own->my_start_timestamp, &backend->my_start_timestamp, sizeof(backend->my_start_timestamp), false },
		{ own->my_backend_type, &backend->my_backend_type, sizeof(backend->my_backend_type), false },
		{ own->exiting, &exiting, sizeof(exiting), false },
		{ at->my_logical_worker, &backend->my_logical_worker,
		  at->my_logical_worker ? sizeof(backend->my_logical_worker) : 0, false },
	};
	int err = tap_memory_read_many(backend->proc.pid, reads, sizeof(reads) / sizeof(*reads));

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		if (!reads[i].ok)
			return -EFAULT;
	}
	backend->exiting = exiting;
	if (backend->my_wait_event_info)
		backend->my_wait_event_info += reader->target->layout.wait_event_offset;
	return 0;
}

struct entry_copy {
	uint32_t before;
	uint32_t after;
	uint8_t entry[TAP_PG_STATUS_MAX];
	char application[APPLICATION_SIZE + 1];
};

/*
 * One copy of the entry and, once their addresses are known, of its texts, between two readings of the change count.
 * Whether it is whole: the count is even and did not move (PostgreSQL's own protocol, backend_status.h).
 */
static int entry_copy(const struct reader *reader, struct tap_pg_backend *backend, uint64_t application,
		      uint64_t activity, struct entry_copy *copy, bool *ret_whole)
{
	const struct tap_pg_layout *layout = &reader->target->layout;
	uint64_t count_at = backend->my_beentry + layout->status_changecount;
	size_t activity_size = activity ? (size_t)reader->target->activity_size : 0;
	struct tap_memory_read reads[] = {
		{ count_at, &copy->before, sizeof(copy->before), false },
		{ backend->my_beentry, copy->entry, layout->status_size, false },
		{ application, copy->application, application ? APPLICATION_SIZE : 0, false },
		{ activity, reader->text, activity_size, false },
		{ count_at, &copy->after, sizeof(copy->after), false },
	};
	int err = tap_memory_read_many(backend->proc.pid, reads, sizeof(reads) / sizeof(*reads));

	if (err)
		return err;
	if (!reads[0].ok || !reads[1].ok || !reads[4].ok)
		return -EFAULT;
	copy->application[reads[2].ok && application ? APPLICATION_SIZE : 0] = '\0';
	if (reader->text)
		reader->text[reads[3].ok ? activity_size : 0] = '\0';
	*ret_whole = copy->before == copy->after && !(copy->before & 1);
	return 0;
}

static int text_keep(const char *text, size_t length, char **ret)
{
	*ret = NULL;
	if (!length)
		return 0;
	*ret = strndup(text, length);
	return *ret ? 0 : -ENOMEM;
}

static int texts_keep(const struct reader *reader, const struct entry_copy *copy, struct tap_pg_backend *backend)
{
	size_t length;
	int err;

	if (!reader->text)
		return 0;
	err = text_keep(copy->application, strlen(copy->application), &backend->application);
	if (err)
		return err;
	length = tap_pg_text_clip(reader->text, strlen(reader->text));
	return text_keep(reader->text, length, &backend->activity);
}

/* Takes over a whole copy; an entry of another process (not ours yet, or no longer) is not kept. */
static int entry_keep(const struct reader *reader, const struct entry_copy *copy, struct tap_pg_backend *backend)
{
	struct tap_pg_status status;

	tap_pg_status_decode(&reader->target->layout, copy->entry, &status);
	if (status.procpid != backend->my_proc_pid) {
		backend->foreign_pid = status.procpid;
		return 0;
	}
	memcpy(backend->entry, copy->entry, sizeof(backend->entry));
	backend->status = status;
	backend->has_status = true;
	return texts_keep(reader, copy, backend);
}

/* The texts' addresses are in the entry, so with texts the first round only finds them. */
static int entry_read(const struct reader *reader, struct tap_pg_backend *backend)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t application = 0;
	uint64_t activity = 0;

	for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		struct entry_copy copy = { 0 };
		struct tap_pg_status status;
		bool whole;
		int err;

		if (attempt >= ATTEMPTS_BEFORE_PAUSE)
			nanosleep(&pause, NULL);
		err = entry_copy(reader, backend, application, activity, &copy, &whole);
		if (err)
			return err;
		tap_pg_status_decode(&reader->target->layout, copy.entry, &status);
		if (reader->text && (status.appname != application || status.activity != activity)) {
			application = status.appname;
			activity = status.activity;
			continue;
		}
		if (whole)
			return entry_keep(reader, &copy, backend);
	}
	backend->torn = true;
	return 0;
}

/* The wait event word and the PGPROC; a pointer that leads nowhere leaves its part out. */
static int proc_read(const struct reader *reader, struct tap_pg_backend *backend)
{
	const struct tap_pg_layout *layout = &reader->target->layout;
	bool has_leader = layout->proc_lock_group_leader != TAP_PG_ABSENT;
	struct tap_memory_read reads[] = {
		{ backend->my_wait_event_info, &backend->wait_event, sizeof(backend->wait_event), false },
		{ backend->my_proc + layout->proc_pid, &backend->proc_pid, sizeof(backend->proc_pid), false },
		{ backend->my_proc + layout->proc_lock_group_leader, &backend->lock_group_leader,
		  has_leader ? sizeof(backend->lock_group_leader) : 0, false },
	};
	int err = tap_memory_read_many(backend->proc.pid, reads, sizeof(reads) / sizeof(*reads));

	if (err)
		return err;
	backend->has_wait_event = backend->my_wait_event_info && reads[0].ok;
	backend->has_proc = backend->my_proc && reads[1].ok && reads[2].ok;
	return 0;
}

/* The logger never has a status entry; the archiver and the collector of statistics had none while there was one. */
static bool has_no_entry(uint8_t kind, int32_t major)
{
	return kind == TAP_KIND_LOGGER || kind == TAP_KIND_STATS_COLLECTOR || (kind == TAP_KIND_ARCHIVER && major < 14);
}

static uint8_t kind_of_type(const struct reader *reader, const struct tap_pg_backend *backend, uint32_t type)
{
	uint8_t kind = tap_pg_status_kind(&reader->target->layout, type);

	if (kind == TAP_KIND_BGWORKER && backend->parallel_worker_number >= 0)
		return TAP_KIND_PARALLEL;
	return kind == TAP_KIND_BGWORKER && backend->my_logical_worker ? TAP_KIND_LOGICAL_WORKER : kind;
}

/*
 * What the process is. Without a status entry: some never have one; a process that still carries its parent's pid
 * was forked a moment ago; one that says it is leaving is.
 */
static uint8_t classify(const struct reader *reader, const struct tap_pg_backend *backend)
{
	uint8_t kind = kind_of_type(reader, backend, backend->my_backend_type);

	if (backend->has_status)
		return kind_of_type(reader, backend, backend->status.backend_type);
	if (backend->my_proc_pid == reader->postmaster_ns_pid)
		return TAP_KIND_STARTING;
	if (backend->exiting)
		return TAP_KIND_EXITING;
	if (has_no_entry(kind, reader->target->version_number / 10000))
		return kind;
	/* Torn: it has an entry, and its own variable says what it is. */
	return backend->torn ? kind : TAP_KIND_STARTING;
}

static int server_process_read(const struct reader *reader, struct tap_pg_backend *backend)
{
	int err = variables_read(reader, backend);

	if (err)
		return err;
	if (backend->my_proc_pid == reader->postmaster_ns_pid) {
		/* Everything it has is a copy of the postmaster's. */
		backend->kind = TAP_KIND_STARTING;
		return 0;
	}
	if (backend->my_beentry) {
		err = entry_read(reader, backend);
		if (err && err != -EFAULT)
			return err;
	}
	err = proc_read(reader, backend);
	backend->kind = classify(reader, backend);
	return err;
}

static bool same_file(const struct tap_file_id *a, const struct tap_file_id *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/*
 * One process. Server processes are children of the postmaster that run its executable; anything else below it was
 * started by one of them (or is a fork on its way to exec).
 */
static int backend_read(const struct reader *reader, const struct tap_proc *proc, struct tap_pg_backend *ret)
{
	struct tap_file_id exe;
	int err;

	*ret = (struct tap_pg_backend){ .proc = *proc, .kind = TAP_KIND_CHILD };
	if (proc->pid == reader->target->pid) {
		err = variables_read(reader, ret);
		ret->kind = TAP_KIND_POSTMASTER;
		return err;
	}
	if (proc->ppid != reader->target->pid)
		return 0;
	err = tap_proc_exe_id(reader->root, proc->pid, &exe);
	if (err)
		return err;
	if (!same_file(&exe, &reader->exe))
		return 0;
	err = server_process_read(reader, ret);
	if (err == -EFAULT) {
		*ret = (struct tap_pg_backend){ .proc = *proc, .kind = TAP_KIND_CHILD };
		return 0;
	}
	return err;
}

static void backend_done(struct tap_pg_backend *backend)
{
	free(backend->activity);
	free(backend->application);
}

void tap_pg_backends_done(struct tap_pg_backend_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		backend_done(&list->items[i]);
	free(list->items);
	*list = (struct tap_pg_backend_list){ 0 };
}

static int reader_init(struct reader *reader, const struct tap_target *target, bool texts, struct tap_error *err)
{
	int code;

	*reader = (struct reader){ .target = target, .root = target->proc_root ? target->proc_root : "/proc" };
	code = tap_proc_exe_id(reader->root, target->pid, &reader->exe);
	if (code)
		return tap_error_set(err, code, "%s: postmaster %d: its executable cannot be looked at: %s", target->id,
				     target->pid, strerror(-code));
	code = tap_memory_read(target->pid, target->variables.my_proc_pid, &reader->postmaster_ns_pid,
			       sizeof(reader->postmaster_ns_pid));
	if (code)
		return tap_error_set(err, code, "%s: memory of postmaster %d cannot be read: %s%s", target->id,
				     target->pid, strerror(-code), code == -EPERM ? "; run dbtap as root" : "");
	if (!texts)
		return 0;
	if (target->activity_size <= 0 || target->activity_size > ACTIVITY_SIZE_MAX)
		return tap_error_set(err, -EINVAL, "%s: track_activity_query_size of %d is no such size", target->id,
				     target->activity_size);
	reader->text = malloc((size_t)target->activity_size + 1);
	return reader->text ? 0 : tap_error_set(err, -ENOMEM, "%s: out of memory", target->id);
}

/* Processes of the instance by /proc, the postmaster first. */
static int processes_list(const struct reader *reader, struct tap_proc **ret, size_t *ret_count)
{
	struct tap_proc *all;
	size_t count;
	int err = tap_proc_list(reader->root, &all, &count);

	if (err)
		return err;
	err = tap_proc_tree(all, count, reader->target->pid, ret, ret_count);
	free(all);
	return err;
}

static int backends_fill(const struct reader *reader, struct tap_pg_backend_list *list, struct tap_error *err)
{
	struct tap_proc *procs;
	size_t count;
	int code = processes_list(reader, &procs, &count);

	if (code)
		return tap_error_set(err, code, "%s: processes cannot be listed: %s", reader->target->id,
				     strerror(-code));
	list->items = calloc(count, sizeof(*list->items));
	if (!list->items) {
		free(procs);
		tap_error_set(err, -ENOMEM, "%s: out of memory", reader->target->id);
		return -ENOMEM;
	}
	for (size_t i = 0; !code && i < count; i++) {
		struct tap_pg_backend *backend = &list->items[list->count];

		code = backend_read(reader, &procs[i], backend);
		if (!code) {
			list->count++;
			continue;
		}
		backend_done(backend);
		if (code == -ESRCH && i)
			code = 0;
		else
			tap_error_set(err, code, "%s: memory of process %d cannot be read: %s", reader->target->id,
				      procs[i].pid, strerror(-code));
	}
	free(procs);
	return code;
}

int tap_pg_backends_read(const struct tap_target *target, bool texts, struct tap_pg_backend_list *ret,
			 struct tap_error *err)
{
	struct tap_pg_backend_list list = { 0 };
	struct reader reader;
	int code;

	if (!tap_target_alive(target))
		return tap_error_set(err, -ESRCH, "%s: postmaster %d is gone", target->id, target->pid);
	code = reader_init(&reader, target, texts, err);
	if (!code)
		code = backends_fill(&reader, &list, err);
	free(reader.text);
	if (code) {
		tap_pg_backends_done(&list);
		return code;
	}
	*ret = list;
	return 0;
}
