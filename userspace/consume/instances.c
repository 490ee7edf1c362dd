// SPDX-License-Identifier: BSD-2-Clause
/*
 * instances.c - keeps the list of followed instances in step with the host.
 *
 * Memory is the first source of sessions: it costs the server nothing and works when it accepts no more connections. A
 * connection adds names and the texts of pg_stat_statements, and stands in where memory cannot be read.
 */
#include "userspace/consume/instances.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bpf/abi/kind.h"
#include "userspace/attach/engine.h"
#include "userspace/base/clock.h"
#include "userspace/attach/proc.h"

enum {
	DIGESTS_PAUSE_MS = 5000,
};

void tap_instances_init(struct tap_instances *instances, const struct tap_live_options *options)
{
	*instances = (struct tap_instances){ .options = options };
	tap_arrivals_init(&instances->arrivals);
}

static const struct tap_client *client_of(const struct tap_followed *followed)
{
	return tap_client_of(followed->target.engine);
}

static void followed_done(struct tap_followed *followed)
{
	client_of(followed)->close(followed->conn);
	tap_names_done(&followed->names);
	tap_session_list_done(&followed->sessions);
	tap_instance_files_done(&followed->files);
	tap_lock_prepared_done(&followed->prepared);
	tap_target_done(&followed->target);
}

void tap_instances_done(struct tap_instances *instances)
{
	if (!instances)
		return;
	tap_lookout_done(&instances->lookout);
	for (size_t i = 0; i < instances->count; i++)
		followed_done(&instances->items[i]);
	free(instances->items);
	free(instances->refused);
	free(instances->passed_over);
	tap_arrivals_done(&instances->arrivals);
	tap_instances_init(instances, instances->options);
}

static bool is_same_process(const struct tap_target *a, const struct tap_target *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

/* What a wait event's number or a query id means is the same in both. */
static bool is_same_release(const struct tap_target *a, const struct tap_target *b)
{
	return a->version_number / 10000 == b->version_number / 10000;
}

/* One that comes back on its port has the name it had, whoever else listens on that port by now. */
static void id_keep(struct tap_target *target, const struct tap_target *before)
{
	if (target->port == before->port)
		memcpy(target->id, before->id, sizeof(target->id));
}

/* The place for a target: -EEXIST when it is followed already. */
static int place_for(struct tap_instances *instances, struct tap_target *target, size_t *ret)
{
	struct tap_followed *items;

	for (size_t i = 0; i < instances->count; i++) {
		if (instances->items[i].alive && is_same_process(&instances->items[i].target, target))
			return -EEXIST;
	}
	for (size_t i = 0; i < instances->count; i++) {
		const struct tap_target *before = &instances->items[i].target;

		if (!instances->items[i].alive && tap_target_is_same_place(before, target) &&
		    is_same_release(before, target)) {
			id_keep(target, before);
			followed_done(&instances->items[i]);
			*ret = i;
			return 0;
		}
	}
	items = reallocarray(instances->items, instances->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	instances->items = items;
	items[instances->count] = (struct tap_followed){ .alive = false };
	*ret = instances->count++;
	return 0;
}

/* Without it the first checkpoint is known from the checkpointer's next switch on. */
static void begin_checkpoints(const struct tap_target *target, uint32_t index, struct tap_tracer *tracer,
			      const struct tap_running *running)
{
	const struct tap_attach *engine = tap_attach_of(target->engine);
	struct tap_checkpoints checkpoints;

	if (running->adoption.identity.kind != TAP_KIND_CHECKPOINTER || !engine->checkpoints)
		return;
	engine->checkpoints(target, running, &checkpoints);
	tap_tracer_begin_checkpoints(tracer, index, running->tid, &checkpoints);
}

static int stage_threads(const struct tap_target *target, uint32_t index, struct tap_tracer *tracer,
			 struct tap_texts *texts, struct tap_error *err)
{
	struct tap_running_list list = { 0 };
	int status = tap_attach_of(target->engine)->running(target, index, &list, err);

	for (size_t i = 0; i < list.count && !status; i++) {
		const struct tap_running *running = &list.items[i];
		const struct tap_identity *identity = &running->adoption.identity;
		struct tap_text_key key = { .instance = index,
					    .source = identity->source,
					    .query_id = identity->query_id };

		if (running->text)
			tap_texts_put(texts, &key, running->text, strlen(running->text), TAP_TEXT_RAW);
		begin_checkpoints(target, index, tracer, running);
		status = tap_tracer_stage(tracer, (uint32_t)running->tid, &running->adoption);
		if (status)
			tap_error_set(err, status, "cannot adopt process %d: %s", running->tid, strerror(-status));
	}
	tap_running_done(&list);
	return status;
}

/* The first process first: from then on no child is missed. */
static int adopt(const struct tap_target *target, uint32_t index, struct tap_tracer *tracer, struct tap_texts *texts,
		 struct tap_error *err)
{
	const struct tap_attach *engine = tap_attach_of(target->engine);
	struct tap_adoption first = { .instance = index, .role = engine->first_role };
	struct tap_instance instance = { .engine = (uint8_t)target->engine };
	int status;

	engine->instance(target, &instance);
	status = tap_tracer_set_instance(tracer, index, &instance, err);
	first.identity.kind = engine->first_kind;
	if (!status)
		status = tap_tracer_stage(tracer, (uint32_t)target->pid, &first);
	if (!status)
		status = tap_tracer_adopt(tracer, err);
	if (!status)
		status = stage_threads(target, index, tracer, texts, err);
	if (!status)
		status = tap_tracer_adopt(tracer, err);
	return status;
}

/* Why the probe could not be had, of the first server it is so for. */
static void note_unprobed(struct tap_instances *instances, const struct tap_target *target, int status,
			  const struct tap_error *why)
{
	bool rights = status == -EACCES || status == -EPERM;

	if (!*instances->unprobed.text)
		tap_error_set(&instances->unprobed, status, "%s: %s: %suse --depth ambient", target->id, why->text,
			      rights ? "that takes CAP_SYS_ADMIN, which dbtap gives away when its window opens: start "
				       "dbtap again, or "
				     : "");
}

static void probe_calls(struct tap_instances *instances, struct tap_followed *followed, struct tap_tracer *tracer)
{
	const struct tap_target *target = &followed->target;
	struct tap_error why = { "" };
	char path[64];
	int status;

	if (instances->options->depth != TAP_DEPTH_STATEMENT)
		return;
	snprintf(path, sizeof(path), "/proc/%d/exe", target->pid);
	if (target->statement_end_offset)
		status = tap_tracer_attach_calls(tracer, TAP_POINT_END, path, target->statement_end_offset, &why);
	else
		status = tap_error_set(&why, -ENOENT, "its binary exports no %s",
				       tap_attach_of(target->engine)->statement_end);
	if (!status && target->statement_error_offset)
		status = tap_tracer_attach_calls(tracer, TAP_POINT_ERROR, path, target->statement_error_offset, &why);
	if (!status || !tap_target_alive(target))
		return;
	followed->unprobed = true;
	note_unprobed(instances, target, status, &why);
}

static int watch_files(struct tap_instances *instances, struct tap_followed *followed, uint32_t index,
		       struct tap_tracer *tracer, struct tap_error *err)
{
	if (tap_instance_files_find(&followed->files, &tap_host_roots, index, &followed->target))
		return tap_error_set(err, -ENOMEM, "out of memory");
	tap_instance_files_watch(&followed->files, tracer, &instances->disks);
	return 0;
}

static void note_renamed(struct tap_instances *instances, const struct tap_target *before,
			 const struct tap_target *target)
{
	if (*instances->renamed.text)
		return;
	if (tap_target_is_same_place(before, target))
		tap_error_set(&instances->renamed, 0, "%s is version %s now, no longer %s: what it does is shown as %s",
			      before->id, target->version, before->version, target->id);
	else
		tap_error_set(&instances->renamed, 0, "%s is another data folder now (%s): what it does is shown as %s",
			      before->id, target->data_dir ? target->data_dir : "not known", target->id);
}

/* No two places have one name: rows of an earlier server keep theirs. */
static void id_settle(struct tap_instances *instances, size_t place)
{
	struct tap_target *target = &instances->items[place].target;
	char *name = instances->items[place].before;

	for (size_t i = 0; i < instances->count; i++) {
		if (i == place || strcmp(instances->items[i].target.id, target->id) != 0)
			continue;
		memcpy(name, target->id, sizeof(target->id));
		snprintf(target->id, sizeof(target->id), "%.40s-%d", name, target->pid);
		note_renamed(instances, &instances->items[i].target, target);
		return;
	}
}

/* One that could not be probed before it came back stays so: a part of its calls is no figure. */
static void followed_init(struct tap_followed *followed, struct tap_target *target)
{
	struct tap_followed fresh = { .target = *target, .alive = true, .unprobed = followed->unprobed };

	memcpy(fresh.before, followed->before, sizeof(fresh.before));
	*followed = fresh;
	memset(target, 0, sizeof(*target));
	tap_names_init(&followed->names);
	tap_session_list_init(&followed->sessions);
	tap_instance_files_init(&followed->files);
}

/* Takes the target over from the list. */
static int follow(struct tap_instances *instances, struct tap_target *target, struct tap_tracer *tracer,
		  struct tap_texts *texts, struct tap_error *err)
{
	struct tap_followed *followed;
	size_t place;
	int status = place_for(instances, target, &place);

	if (status)
		return status == -EEXIST ? 0 : tap_error_set(err, status, "out of memory");
	followed = &instances->items[place];
	followed_init(followed, target);
	id_settle(instances, place);
	/* Before any of its figures are read: its disks' counters and its requests begin together. */
	status = watch_files(instances, followed, (uint32_t)place, tracer, err);
	if (!status)
		status = adopt(&followed->target, (uint32_t)place, tracer, texts, err);
	if (!status)
		probe_calls(instances, followed, tracer);
	else
		followed->alive = false;
	return status == -ESRCH ? 0 : status;
}

static void note_refused(struct tap_instances *instances, const struct tap_target *target)
{
	instances->n_refused++;
	if (!instances->refused)
		instances->refused = strdup(target->refused);
}

static bool is_followed(const struct tap_instances *instances, const struct tap_target *target)
{
	for (size_t i = 0; i < instances->count; i++) {
		if (instances->items[i].alive && is_same_process(&instances->items[i].target, target))
			return true;
	}
	return false;
}

/* Before anything is read by it: a layout that is not the server's is refused. That nobody gets in is no reason to. */
static void confirm(struct tap_instances *instances, struct tap_target *target)
{
	const struct tap_live_options *options = instances->options;
	const char *conninfo = tap_dsn_find(options->dsns, options->n_dsns, target->id);
	struct tap_engine_conn *conn;
	struct tap_error err = { "" };

	if (options->no_connect || !tap_target_wants_confirming(target) || *target->refused ||
	    is_followed(instances, target) || tap_target_login(target, conninfo, &conn, &err))
		return;
	if (tap_target_confirm(target, conn, &instances->confirmed, &err) == -EBADMSG)
		tap_target_refuse(target, "%s", err.text);
	tap_client_of(target->engine)->close(conn);
}

static bool was_passed_over(const struct tap_instances *instances, const struct tap_target *target)
{
	for (size_t i = 0; i < instances->n_passed_over; i++) {
		const struct tap_target_known *other = &instances->passed_over[i];

		if (other->pid == target->pid && other->start_ticks == target->start_ticks)
			return true;
	}
	return false;
}

/*
 * The one that was asked for by its name; once it is followed, wherever its data folder comes back. While it is down
 * another server of its port may go by its name.
 */
static bool is_wanted(const void *context, const struct tap_target *target)
{
	const struct tap_instances *instances = context;

	if (!instances->options->instance)
		return true;
	for (size_t i = 0; i < instances->count; i++) {
		if (tap_target_is_same_place(&instances->items[i].target, target))
			return true;
	}
	return !strcmp(instances->options->instance, target->id);
}

/* Those that need no second look; *ret is malloc'd. */
static int known_list(const struct tap_instances *instances, struct tap_target_known **ret, size_t *ret_count)
{
	struct tap_target_known *known = calloc(instances->count + instances->n_passed_over + 1, sizeof(*known));
	size_t count = 0;

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < instances->count; i++) {
		const struct tap_target *target = &instances->items[i].target;

		if (instances->items[i].alive)
			known[count++] = (struct tap_target_known){ target->pid, target->start_ticks };
	}
	for (size_t i = 0; i < instances->n_passed_over; i++)
		known[count++] = instances->passed_over[i];
	*ret = known;
	*ret_count = count;
	return 0;
}

static int found_follow(struct tap_instances *instances, struct tap_target_list *list, struct tap_tracer *tracer,
			struct tap_texts *texts, struct tap_error *err)
{
	struct tap_target_known *others = calloc(list->count + 1, sizeof(*others));
	size_t n_others = 0;
	int status = 0;

	if (!others)
		return tap_error_set(err, -ENOMEM, "out of memory");
	instances->n_refused = 0;
	for (size_t i = 0; i < list->count && !status; i++) {
		struct tap_target *target = &list->items[i];

		if (was_passed_over(instances, target) || !is_wanted(instances, target)) {
			others[n_others++] = (struct tap_target_known){ target->pid, target->start_ticks };
			continue;
		}
		confirm(instances, target);
		if (*target->refused)
			note_refused(instances, target);
		else
			status = follow(instances, target, tracer, texts, err);
	}
	free(instances->passed_over);
	instances->passed_over = others;
	instances->n_passed_over = n_others;
	return status;
}

void tap_instances_begin_search(struct tap_instances *instances)
{
	const struct tap_target_scope scope = { .wants = is_wanted, .context = instances };

	tap_lookout_begin(&instances->lookout, "/proc", &scope);
}

int tap_instances_search(struct tap_instances *instances, struct tap_tracer *tracer, struct tap_texts *texts,
			 struct tap_error *err)
{
	struct tap_target_list list = { 0 };
	struct tap_target_known *known;
	struct tap_target_scope scope = { .wants = is_wanted, .context = instances };
	int status = known_list(instances, &known, &scope.n_known);

	if (status)
		return tap_error_set(err, status, "out of memory");
	scope.known = known;
	status = tap_lookout_take(&instances->lookout, "/proc", &scope, &list, err);
	free(known);
	if (status)
		return status;
	status = found_follow(instances, &list, tracer, texts, err);
	tap_targets_done(&list);
	return status;
}

int tap_instances_adopt(struct tap_instances *instances, struct tap_tracer *tracer, struct tap_texts *texts,
			struct tap_error *err)
{
	int status = 0;

	for (size_t i = 0; i < instances->count && !status; i++) {
		if (instances->items[i].alive)
			status = adopt(&instances->items[i].target, (uint32_t)i, tracer, texts, err);
	}
	return status;
}

static bool check_ended(struct tap_instances *instances)
{
	bool ended = false;

	for (size_t i = 0; i < instances->count; i++) {
		struct tap_followed *followed = &instances->items[i];

		if (!followed->alive || tap_target_alive(&followed->target))
			continue;
		followed->alive = false;
		ended = true;
		client_of(followed)->close(followed->conn);
		followed->conn = NULL;
		snprintf(followed->why_not, sizeof(followed->why_not), "the server has ended");
	}
	return ended;
}

bool tap_instances_check(struct tap_instances *instances)
{
	bool ended = check_ended(instances), arrived;
	size_t count = 0;
	int32_t *servers = calloc(instances->count + instances->n_passed_over + 1, sizeof(*servers));

	if (!servers)
		return true;
	for (size_t i = 0; i < instances->count; i++) {
		if (instances->items[i].alive)
			servers[count++] = instances->items[i].target.pid;
	}
	for (size_t i = 0; i < instances->n_passed_over; i++)
		servers[count++] = instances->passed_over[i].pid;
	arrived = tap_arrivals_look(&instances->arrivals, "/proc", servers, count);
	free(servers);
	return arrived || ended;
}

const char *tap_dsn_find(const struct tap_dsn *dsns, size_t count, const char *instance)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(dsns[i].instance, instance))
			return dsns[i].conninfo;
	}
	return NULL;
}

void tap_target_where(const struct tap_target *target, const char *conninfo, struct tap_engine_where *ret)
{
	bool shared = tap_proc_shares_network("/proc", target->pid);
	struct stat info;
	char path[64];

	/* In a network of its own its port, and a socket in no file system, may be those of another server here. */
	*ret = (struct tap_engine_where){
		.instance = target->id,
		.conninfo = conninfo,
		.socket = target->socket && (shared || *target->socket != '@') ? target->socket : NULL,
		.host = shared ? target->listen : NULL,
		.port = target->port,
		.start_us = target->start_us,
	};
	snprintf(path, sizeof(path), "/proc/%d", target->pid);
	if (!stat(path, &info)) {
		ret->uid = info.st_uid;
		ret->gid = info.st_gid;
	}
}

int tap_target_login(const struct tap_target *target, const char *conninfo, struct tap_engine_conn **ret,
		     struct tap_error *err)
{
	struct tap_engine_where where;

	tap_target_where(target, conninfo, &where);
	return tap_client_of(target->engine)->open(&where, ret, err);
}

static void connect_one(const struct tap_instances *instances, struct tap_followed *followed)
{
	const struct tap_live_options *options = instances->options;
	const char *conninfo = tap_dsn_find(options->dsns, options->n_dsns, followed->target.id);
	struct tap_error err = { "" };

	followed->asked = true;
	if (tap_target_login(&followed->target, conninfo, &followed->conn, &err)) {
		followed->conn = NULL;
		snprintf(followed->why_not, sizeof(followed->why_not), "%s", err.text);
		return;
	}
	client_of(followed)->names(followed->conn, &followed->names, &err);
}

void tap_instances_connect(struct tap_instances *instances)
{
	for (size_t i = 0; i < instances->count; i++) {
		struct tap_followed *followed = &instances->items[i];

		if (!followed->alive)
			continue;
		if (followed->conn && !client_of(followed)->alive(followed->conn)) {
			client_of(followed)->close(followed->conn);
			followed->conn = NULL;
			followed->asked = false;
		}
		if (instances->options->no_connect)
			snprintf(followed->why_not, sizeof(followed->why_not), "--no-connect");
		else if (!followed->conn && !followed->asked)
			connect_one(instances, followed);
	}
}

static void texts_learn(const struct tap_session_list *sessions, uint32_t index, struct tap_texts *texts)
{
	for (size_t i = 0; i < sessions->count; i++) {
		const struct tap_session *session = &sessions->items[i];
		struct tap_text_key key = { .instance = index,
					    .source = TAP_QUERY_ID_ENGINE,
					    .query_id = session->query_id };

		if (session->query_id && session->query)
			tap_texts_put(texts, &key, session->query, strlen(session->query), TAP_TEXT_RAW);
	}
}

static void read_sessions_of(struct tap_followed *followed, uint32_t index, struct tap_texts *texts)
{
	struct tap_session_list fresh;
	struct tap_error err = { "" };
	int status;

	tap_session_list_init(&fresh);
	status = tap_attach_of(followed->target.engine)->sessions(&followed->target, &fresh, &err);
	if (status && followed->conn) {
		tap_session_list_done(&fresh);
		status = client_of(followed)->sessions(followed->conn, &fresh, &err);
	}
	if (status) {
		tap_session_list_done(&fresh);
		return;
	}
	tap_session_list_done(&followed->sessions);
	followed->sessions = fresh;
	tap_names_add_sessions(&followed->names, &followed->sessions);
	texts_learn(&followed->sessions, index, texts);
}

void tap_instances_read_sessions(struct tap_instances *instances, struct tap_texts *texts)
{
	for (size_t i = 0; i < instances->count; i++) {
		if (instances->items[i].alive)
			read_sessions_of(&instances->items[i], (uint32_t)i, texts);
		else
			tap_session_list_done(&instances->items[i].sessions);
	}
}

bool tap_instances_lack_names(const struct tap_instances *instances, const struct tap_row_set *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct tap_row_key *key = &rows->rows[i].key;
		const struct tap_names *names;

		if (key->instance >= instances->count)
			continue;
		names = &instances->items[key->instance].names;
		if ((key->database && !tap_names_find(names, TAP_NAME_DATABASE, key->database)) ||
		    (key->user && !tap_names_find(names, TAP_NAME_USER, key->user)))
			return true;
	}
	return false;
}

/* Ids of an instance's rows whose normalised text is not known; at most `max`. */
static size_t ids_wanted(const struct tap_row_set *rows, uint32_t index, const struct tap_texts *texts, uint64_t *ids,
			 size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < rows->count && count < max; i++) {
		const struct tap_row_key *row = &rows->rows[i].key;
		struct tap_text_key key = { .instance = index,
					    .source = TAP_QUERY_ID_ENGINE,
					    .query_id = row->query_id };
		const struct tap_text *text;

		if (row->instance != index || row->source != TAP_QUERY_ID_ENGINE)
			continue;
		text = tap_texts_find(texts, &key);
		if (!text || !text->normalised)
			ids[count++] = row->query_id;
	}
	return count;
}

static void read_texts_of(struct tap_followed *followed, uint32_t index, const struct tap_row_set *rows,
			  struct tap_texts *texts)
{
	uint64_t *ids = calloc(TAP_TEXTS_ASKED_MAX, sizeof(*ids));
	struct tap_error err = { "" };
	size_t wanted;

	if (!ids)
		return;
	wanted = ids_wanted(rows, index, texts, ids, TAP_TEXTS_ASKED_MAX);
	if (wanted)
		client_of(followed)->texts(followed->conn, index, ids, wanted, texts, &err);
	free(ids);
}

/* Own ids of an instance's rows that the server's own name is not known of; at most `max`. */
static size_t digests_wanted(const struct tap_row_set *rows, uint32_t index, const struct tap_texts *texts,
			     uint64_t *ids, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < rows->count && count < max; i++) {
		const struct tap_row_key *row = &rows->rows[i].key;
		struct tap_text_key key = { .instance = index, .source = TAP_QUERY_ID_OWN, .query_id = row->query_id };
		const struct tap_text *text;

		if (row->instance != index || row->source != TAP_QUERY_ID_OWN)
			continue;
		text = tap_texts_find(texts, &key);
		if (text && text->raw && !text->digest)
			ids[count++] = row->query_id;
	}
	return count;
}

/* Not more often than now and then: the server may not know all of them, ever, and its table may be large. */
static void read_digests_of(struct tap_followed *followed, uint32_t index, const struct tap_row_set *rows,
			    struct tap_texts *texts)
{
	struct tap_error err = { "" };
	uint64_t *ids;
	size_t wanted;

	if (!client_of(followed)->digests || tap_clock_ms() < followed->digests_due_ms)
		return;
	ids = calloc(TAP_TEXTS_ASKED_MAX, sizeof(*ids));
	if (!ids)
		return;
	wanted = digests_wanted(rows, index, texts, ids, TAP_TEXTS_ASKED_MAX);
	if (wanted) {
		client_of(followed)->digests(followed->conn, index, ids, wanted, texts, &err);
		followed->digests_due_ms = tap_clock_ms() + DIGESTS_PAUSE_MS;
	}
	free(ids);
}

void tap_instances_read_texts(struct tap_instances *instances, const struct tap_row_set *rows, struct tap_texts *texts)
{
	for (size_t i = 0; i < instances->count; i++) {
		struct tap_followed *followed = &instances->items[i];

		if (followed->alive && followed->conn)
			read_texts_of(followed, (uint32_t)i, rows, texts);
		/* The connection may have been lost meanwhile: the client knows. */
		if (followed->alive && followed->conn)
			read_digests_of(followed, (uint32_t)i, rows, texts);
	}
}

void tap_instances_read_prepared(struct tap_instances *instances, size_t place)
{
	struct tap_followed *followed = &instances->items[place];
	struct tap_error err = { "" };

	tap_lock_prepared_done(&followed->prepared);
	if (followed->alive && followed->conn && client_of(followed)->prepared)
		client_of(followed)->prepared(followed->conn, &followed->prepared, &err);
}

int tap_instances_describe(const struct tap_instances *instances, struct tap_window_instance **ret)
{
	struct tap_window_instance *rows = calloc(instances->count + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < instances->count; i++) {
		const struct tap_followed *followed = &instances->items[i];
		const struct tap_target *target = &followed->target;

		rows[i] = (struct tap_window_instance){
			.present = true,
			.id = target->id,
			.before = followed->before,
			.engine = target->engine,
			.engine_name = target->name,
			.version = target->version,
			.version_number = target->version_number,
			.pid = target->pid,
			.port = target->port,
			.data_dir = target->data_dir,
			.build_id = target->build_id,
			.layout = target->layout_source,
			.unprobed = followed->unprobed,
			.no_errors = !target->statement_error_offset,
			.connected = followed->conn != NULL,
			.not_connected_why = followed->why_not,
			.names = &followed->names,
			.sessions = &followed->sessions,
			.prepared = &followed->prepared,
			.objects = &followed->files.objects,
			.io_absent = tap_instance_files_absence(&followed->files),
			.disks = followed->files.disks.items,
			.n_disks = followed->files.disks.count,
			.checkpoints = target->addresses.checkpoint_stats != 0,
			.io_why_not = followed->files.io_why_not.text,
			.names_why_not = followed->files.names_why_not.text,
		};
	}
	*ret = rows;
	return 0;
}
