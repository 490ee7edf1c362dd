/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_statement.bpf.h - from what a MariaDB or MySQL session said at the last boundary and says now to the rows its time
 * belongs to.
 *
 * A statement that never sleeps is over, and its text given back, when the thread is next looked at. But the bytes
 * still lie at the beginning of the session's memory and stay there until the next statement comes; a prepared
 * statement's text lives on. The session's counters tell how many statements there were, how many bytes they had, and
 * whether they were executions: a text that does not fit these is not taken.
 *
 * In struct tap_task: status_address is the THD, activity_address the text. What the counters were when statements were
 * last accounted for: idle_change_count (questions), identity.activity_start_us (bytes received), wait_address
 * (executions), progress (these bytes may be of the next one), group_pid (the connection's number).
 * identity.change_count: questions, at the beginning of the statement that runs.
 */
#ifndef TAP_BPF_MY_STATEMENT_BPF_H
#define TAP_BPF_MY_STATEMENT_BPF_H

#include "bpf/my_kind.bpf.h"
#include "bpf/statement.bpf.h"

enum {
	MY_PACKET_HEAD = 5,  /* bytes of a statement's packet before its text */
	MY_TRIMMED_MAX = 16, /* white space and semicolons around a text that the server may have cut off */
};

/*
 * What the counters are from which statements are counted on. A thread that does not sleep may have read the next
 * packet already: the bytes do not tell then where that one begins.
 */
static __always_inline void my_noted(struct tap_task *task, const struct my_counters *counters, __u64 executes,
				     bool asleep)
{
	task->progress = !asleep;
	task->idle_change_count = (__u32)counters->questions;
	task->identity.activity_start_us = (__s64)counters->received;
	task->wait_address = executes;
}

static __always_inline void my_pooled_key_of(struct tap_my_pooled_key *key, const struct tap_task *task)
{
	*key = (struct tap_my_pooled_key){ .thd = task->status_address, .instance = task->instance };
}

static __always_inline void my_pooled_put(const struct tap_task *task, const struct my_counters *counters,
					  __u64 executes)
{
	struct tap_my_pooled_key key;
	struct tap_my_pooled now = {
		.received = counters->received,
		.executes = executes,
		.questions = (__u32)counters->questions,
		.connection = task->group_pid,
	};

	my_pooled_key_of(&key, task);
	bpf_map_update_elem(&session_to_pooled, &key, &now, BPF_ANY);
}

/*
 * A thread of a pool takes up a session. What the session was at when a thread last let go of it is where statements
 * are counted on from; one that is older than dbtap and was not seen yet has run all but the one that it runs now.
 */
static __always_inline int my_pooled_begin(struct tap_task *task, struct tap_instance *instance,
					   const struct my_counters *now)
{
	struct my_counters from = *now;
	struct tap_my_pooled_key key;
	struct tap_my_pooled *before;
	__u64 executes = 0;

	my_pooled_key_of(&key, task);
	before = bpf_map_lookup_elem(&session_to_pooled, &key);
	if (before && before->connection == task->group_pid &&
	    (__s32)((__u32)now->questions - before->questions) >= 0 && before->received <= now->received) {
		from.questions = before->questions;
		from.received = before->received;
		executes = before->executes;
	} else if ((__u32)task->group_pid > instance->my.newest) {
		from.questions = 0;
		from.received = 0;
	} else {
		from.questions--;
		executes = my_pointer(task->status_address, instance->my.layout.executes);
	}
	my_noted(task, &from, executes, true);
	my_pooled_put(task, &from, executes);
	return 0;
}

/* A thread that serves another session than at its last boundary, or serves none any more. */
TAP_GLOBAL int my_session_begin(struct tap_task *task, struct tap_instance *instance, struct my_counters *now,
				__u64 thd)
{
	struct my_counters none = {};

	if (!task || !instance || !now)
		return 0;
	if (task->in_statement && task->identity.change_count != task->idle_change_count)
		way_count(task, task->current_way, 1, 0);
	task->in_statement = 0;
	task->status_address = thd;
	task->activity_address = 0;
	task->session_kind = TAP_KIND_NONE;
	task->identity.database = 0;
	task->identity.user = 0;
	task->identity.source = TAP_QUERY_ID_NONE;
	task->identity.query_id = 0;
	task->idle_ways[0] = TAP_NO_WAY;
	task->idle_ways[1] = TAP_NO_WAY;
	if (thd && !task->thread_kind)
		my_thread_named(task);
	task->group_pid = my_connection(thd, &instance->my.layout);
	task->identity.user =
		my_name_number(my_pointer(my_pointer(thd, instance->my.layout.security), instance->my.layout.user));
	if (instance->my.pooled)
		return my_pooled_begin(task, instance, now);
	/* A session that is new began with nothing; one that is over counts on from where it is. */
	my_noted(task, task->identity.user ? &none : now, 0, true);
	return 0;
}

/* A thread keeps its THD from one connection to the next; not all counters begin anew then. */
static __always_inline bool my_is_another(const struct tap_task *task, const struct my_counters *counters,
					  __s32 connection)
{
	return (__s32)((__u32)counters->questions - task->idle_change_count) < 0 ||
	       task->identity.activity_start_us > (__s64)counters->received ||
	       (task->identity.activity_start_us != (__s64)counters->received && task->group_pid != connection);
}

/*
 * Names change with USE and a change of user, in place: they are looked at once a statement. What is known to have run
 * since then was no change of user; another database can have been chosen without a text.
 */
TAP_GLOBAL int my_names_read(struct tap_task *task, struct tap_instance *instance, __u32 same_user)
{
	__u32 database, user;
	__u64 thd;

	if (!task || !instance)
		return 0;
	thd = task->status_address;
	database = my_name_number(my_pointer(thd, instance->my.layout.database));
	user = same_user ? task->identity.user
			 : my_name_number(
				   my_pointer(my_pointer(thd, instance->my.layout.security), instance->my.layout.user));
	if (database == task->identity.database && user == task->identity.user)
		return 0;
	task->identity.database = database;
	task->identity.user = user;
	task->idle_ways[0] = TAP_NO_WAY;
	task->idle_ways[1] = TAP_NO_WAY;
	return 0;
}

/* Points to the text that came last with a packet, or may be it; false: there is none. */
static __always_inline bool my_packet_text(struct tap_task *task, const struct tap_my_layout *layout,
					   const struct my_counters *counters)
{
	__u64 thd = task->status_address, record = 0, block;

	if (layout->record)
		record = my_pointer(my_pointer(thd, layout->record), layout->record_statement);
	if (record) {
		task->activity_address = my_pointer(record, layout->record_text);
		if (!my_read(&task->text_size, sizeof(task->text_size), record, layout->record_text + sizeof(__u64)) &&
		    task->activity_address && task->text_size)
			return true;
	}
	task->text_size = 0;
	block = my_pointer(my_pointer(thd, layout->memory), layout->first_block);
	/* What logging in took of the memory is given back with the first statement: its text lies behind. */
	if (!block || counters->questions <= 1)
		return false;
	task->activity_address = block + layout->block_header;
	return true;
}

/* The id of the text that came last with a packet, if it has the packet's length; else 0. */
static __always_inline __u64 my_packet_id(struct tap_task *task, const struct tap_my_layout *layout,
					  const struct my_counters *counters, struct my_wanted *wanted)
{
	__u64 received = counters->received - (__u64)task->identity.activity_start_us;
	bool one = (__u32)counters->questions - task->idle_change_count == 1;

	if (!my_packet_text(task, layout, counters))
		return 0;
	*wanted = (struct my_wanted){ .least = 1, .most = TAP_TEXT_MAX };
	if (task->progress)
		return my_text_id(task, wanted);
	if (received <= MY_PACKET_HEAD)
		return 0;
	received -= MY_PACKET_HEAD;
	wanted->most = received;
	if (one && received > MY_TRIMMED_MAX)
		wanted->least = received - MY_TRIMMED_MAX;
	return my_text_id(task, wanted);
}

/* The id of the text of the prepared statement used last; 0 where there is none. */
static __always_inline __u64 my_prepared_id(struct tap_task *task, const struct tap_my_layout *layout,
					    struct my_wanted *wanted)
{
	task->text_size = 0;
	task->activity_address = layout->statement ? my_pointer(my_pointer(task->status_address, layout->statement),
								layout->statement_query)
						   : 0;
	return my_text_id(task, wanted);
}

/* EXECUTE as a statement counts as an execution, but came as a text of its own. */
static __always_inline bool my_packet_is_execute(const struct tap_task *task, const struct tap_my_layout *layout)
{
	__u64 block = my_pointer(my_pointer(task->status_address, layout->memory), layout->first_block);
	__u32 word = 0;

	return block && !my_read(&word, sizeof(word), block, layout->block_header) && (word | 0x20202020) == 0x63657865;
}

/*
 * The id of a statement that is running; 0 where it has no text, or not yet: until the server has taken it out of its
 * packet, the one before still lies there. What a stored program runs has texts of its own; the client's counts.
 */
static __always_inline __u64 my_running_id(struct tap_task *task, const struct tap_my_layout *layout,
					   const struct my_counters *counters, __u32 command)
{
	__u64 query = my_pointer(task->status_address, layout->query), id = 0;
	struct my_wanted wanted;

	if (query && command == TAP_MY_COM_QUERY)
		id = my_packet_id(task, layout, counters, &wanted);
	if (id || !query)
		return id;
	task->text_size = 0;
	task->activity_address = query;
	wanted = (struct my_wanted){ .least = 1, .most = TAP_TEXT_MAX };
	return my_text_id(task, &wanted);
}

/*
 * The id of what has ended since the last boundary and was seen by nobody; 0 where nothing tells. `wanted->known`: that
 * was one statement which leaves names as they are.
 */
static __always_inline __u64 my_ended_id(struct tap_task *task, const struct tap_my_layout *layout,
					 const struct my_counters *counters, __u64 executes, struct my_wanted *wanted)
{
	__u64 received = counters->received - (__u64)task->identity.activity_start_us, id;
	__u32 ended = (__u32)counters->questions - task->idle_change_count;

	*wanted = (struct my_wanted){ .least = 1, .most = TAP_TEXT_MAX };
	if (!ended) {
		/* No statement, but a packet with the text of one: it was prepared. */
		if (received <= MY_PACKET_HEAD + MY_TRIMMED_MAX)
			return 0;
		wanted->most = received - MY_PACKET_HEAD;
		wanted->least = wanted->most - MY_TRIMMED_MAX;
		id = my_prepared_id(task, layout, wanted);
	} else if (executes != task->wait_address && !my_packet_is_execute(task, layout)) {
		id = my_prepared_id(task, layout, wanted);
	} else {
		id = my_packet_id(task, layout, counters, wanted);
	}
	wanted->known &= ended == 1 && !task->progress;
	return id;
}

/* Way of the statement with this id; what it gathered without one goes with it. */
static __always_inline __u32 my_way(struct tap_task *task, __u64 id)
{
	__u8 source = id ? TAP_QUERY_ID_OWN : TAP_QUERY_ID_NONE;
	bool nameless = task->in_statement && task->identity.source == TAP_QUERY_ID_NONE;
	__u32 before = task->current_way;
	__u32 way = row_way(task, TAP_KIND_CLIENT, source, id);
	struct tap_way *earlier = way_at(task, before);

	if (nameless && id && earlier && earlier->key.kind == TAP_KIND_CLIENT && !earlier->key.query_id)
		way_merge(task, before, way);
	task->identity.query_id = id;
	task->identity.source = source;
	task->current_way = way;
	return way;
}

/* What earlier statements left in the nameless row is not this one's to take along. */
static __always_inline void my_nameless_clear(struct tap_task *task)
{
	struct tap_row_key key;

	key_make(&key, task, TAP_KIND_CLIENT, TAP_QUERY_ID_NONE, 0);
	way_evict(task, way_find(task, &key));
}

/* A statement runs; another one than at the last boundary where the client has sent one more since. */
static __always_inline rows_t my_rows_running(struct tap_task *task, struct tap_instance *instance,
					      const struct my_counters *counters, __u32 command)
{
	__u32 before = task->current_way, way, ended;
	bool same;

	same = task->in_statement && task->identity.change_count == (__u32)counters->questions;
	if (same && task->identity.source == TAP_QUERY_ID_OWN)
		return rows_make(before, before, TAP_KIND_CLIENT);
	ended = (__u32)counters->questions - task->idle_change_count - 1;
	if (!same) {
		if (task->in_statement && (__s32)ended > 0) {
			way_count(task, before, 1, ended - 1);
			task->idle_change_count += ended;
			/* The bytes are those of all of them. */
			task->progress = 1;
		}
		task->in_statement = 0;
		my_names_read(task, instance, false);
		if (!task->identity.user)
			return rows_of_kind(task, TAP_KIND_STARTING);
		my_nameless_clear(task);
	}
	way = my_way(task, my_running_id(task, &instance->my.layout, counters, command));
	task->identity.change_count = (__u32)counters->questions;
	task->in_statement = 1;
	return rows_make(way, way, TAP_KIND_CLIENT);
}

static __always_inline __u8 my_idle_kind(__u32 status)
{
	return status & TAP_MY_STATUS_IN_TRANS ? TAP_KIND_IDLE_IN_TRANSACTION : TAP_KIND_IDLE;
}

/* Row of what ended unseen, and the names it ran under; TAP_NO_WAY: it was nothing. */
static __always_inline __u32 my_ended_way(struct tap_task *task, struct tap_instance *instance,
					  const struct my_counters *counters, __u64 executes, __u32 *ended)
{
	struct my_wanted wanted = {};
	__u64 id;

	id = my_ended_id(task, &instance->my.layout, counters, executes, &wanted);
	my_names_read(task, instance, wanted.known);
	/* The session is being taken down, its counters with it. */
	if (!task->identity.user) {
		*ended = 0;
		return TAP_NO_WAY;
	}
	return id || *ended ? my_way(task, id) : TAP_NO_WAY;
}

/*
 * Between statements: what the client has sent since the last boundary has ended, whether it was seen or not. A thread
 * that does not sleep may have read a statement and not begun with it.
 */
static __always_inline rows_t my_rows_between(struct tap_task *task, struct tap_instance *instance,
					      const struct my_counters *counters, __u32 status, bool asleep)
{
	__u8 kind = my_idle_kind(status);
	__u32 run, next, ended;
	__u64 executes;
	bool known;

	ended = (__u32)counters->questions - task->idle_change_count;
	if (!task->in_statement &&
	    (task->identity.activity_start_us == (__s64)counters->received || !(ended || asleep))) {
		next = row_way(task, kind, TAP_QUERY_ID_NONE, 0);
		return rows_make(next, next, kind);
	}
	executes = my_pointer(task->status_address, instance->my.layout.executes);
	known = task->in_statement && task->identity.change_count == (__u32)counters->questions &&
		task->identity.source == TAP_QUERY_ID_OWN;
	run = task->current_way;
	if (task->in_statement && !known && ended > 1) {
		/* The one that was seen to run is over, and others came behind it. */
		way_count(task, run, 1, 0);
		ended--;
		task->in_statement = 0;
	}
	if (!known)
		run = my_ended_way(task, instance, counters, executes, &ended);
	if (ended)
		way_count(task, run, 1, ended - 1);
	my_noted(task, counters, executes, asleep);
	if (instance->my.pooled)
		my_pooled_put(task, counters, executes);
	task->in_statement = 0;
	/* It may have changed its own names. */
	if (known)
		my_names_read(task, instance, false);
	/* Its client has gone, and the thread waits for another one's. */
	if (!task->identity.user)
		kind = TAP_KIND_BACKGROUND;
	next = row_way(task, kind, TAP_QUERY_ID_NONE, 0);
	return rows_make(run == TAP_NO_WAY ? next : run, next, kind);
}

/* What the session that a thread of a pool has let go of had run since the last boundary; `run`: the row of that. */
static __always_inline __u32 my_pooled_end(struct tap_task *task, struct tap_instance *instance,
					   struct my_counters *counters, __u32 run)
{
	const struct tap_my_layout *layout = &instance->my.layout;
	__u64 executes = my_pointer(task->status_address, layout->executes);
	__u32 ended = (__u32)counters->questions - task->idle_change_count;
	bool known = task->in_statement && task->identity.change_count == (__u32)counters->questions &&
		     task->identity.source == TAP_QUERY_ID_OWN;
	struct my_wanted wanted;

	if ((__s32)ended <= 0)
		return run;
	if (!known) {
		my_names_read(task, instance, false);
		if (task->identity.user)
			run = my_way(task, my_ended_id(task, layout, counters, executes, &wanted));
	}
	if (task->identity.user)
		way_count(task, run, 1, ended - 1);
	my_pooled_put(task, counters, executes);
	return run;
}

/* Another thread may have served the session meanwhile, and have counted what this one ran, too. */
static __always_inline void my_pooled_look(struct tap_task *task)
{
	struct tap_my_pooled_key key;
	struct tap_my_pooled *seen;

	my_pooled_key_of(&key, task);
	seen = bpf_map_lookup_elem(&session_to_pooled, &key);
	if (!seen || seen->connection != task->group_pid || (__s32)(seen->questions - task->idle_change_count) <= 0)
		return;
	task->idle_change_count = seen->questions;
	task->identity.activity_start_us = (__s64)seen->received;
	task->wait_address = seen->executes;
}

/*
 * A thread of a pool has let go of its session: its statements have ended. Perhaps another thread runs the next one
 * already, or the session is gone. The row of what it ran; TAP_NO_WAY: nothing.
 */
static __always_inline __u32 my_pooled_leave(struct tap_task *task, struct tap_instance *instance)
{
	struct my_counters counters = {};
	__u32 run, command = 0;
	__u64 thd = task->status_address;

	run = task->in_statement ? task->current_way : TAP_NO_WAY;
	my_pooled_look(task);
	if (my_read(&command, sizeof(command), thd, instance->my.layout.command) ||
	    my_counters_read(&counters, thd, &instance->my.layout) ||
	    my_connection(thd, &instance->my.layout) != task->group_pid ||
	    my_is_another(task, &counters, task->group_pid)) {
		if (run != TAP_NO_WAY && (__s32)(task->identity.change_count - task->idle_change_count) > 0)
			way_count(task, run, 1, 0);
	} else {
		if (command == TAP_MY_COM_QUIT && task->in_statement)
			counters.questions = task->identity.change_count;
		else if (command != TAP_MY_COM_SLEEP && counters.questions > task->idle_change_count)
			counters.questions--;
		run = my_pooled_end(task, instance, &counters, run);
	}
	task->in_statement = 0;
	task->status_address = 0;
	task->identity.source = TAP_QUERY_ID_NONE;
	task->identity.query_id = 0;
	task->identity.database = 0;
	task->identity.user = 0;
	task->identity.idle_state = 1;
	task->idle_ways[0] = TAP_NO_WAY;
	task->idle_ways[1] = TAP_NO_WAY;
	return run;
}

/* What a thread of a pool's server is that serves no session. */
static __always_inline __u8 my_pooled_kind(struct tap_task *task, bool exiting)
{
	if (exiting)
		return TAP_KIND_EXITING;
	return task->identity.idle_state ? TAP_KIND_POOL_WORKER : my_kind_of_thread(task);
}

/* A thread that serves no session, of this kind; `run`: the row of what it did before, TAP_NO_WAY: nothing. */
static __always_inline rows_t my_rows_none(struct tap_task *task, __u8 kind, __u32 run)
{
	__u32 next = row_way(task, kind, TAP_QUERY_ID_NONE, 0);

	return rows_make(run == TAP_NO_WAY ? next : run, next, kind);
}

/*
 * A session of the server's own. Events and replication run statements: a boundary's time is that of the one that runs,
 * by its own text, since nobody has sent them.
 */
static __always_inline rows_t my_rows_own(struct tap_task *task, struct tap_instance *instance, __u8 kind)
{
	struct my_wanted wanted = { .least = 1, .most = TAP_TEXT_MAX };
	__u64 id = 0;
	__u32 way;

	task->in_statement = 0;
	task->identity.kind = kind;
	if (kind == TAP_KIND_EVENT_WORKER || kind == TAP_KIND_REPLICATION_APPLIER) {
		task->text_size = 0;
		task->activity_address = my_pointer(task->status_address, instance->my.layout.query);
		id = my_text_id(task, &wanted);
		my_names_read(task, instance, false);
	}
	way = row_way(task, kind, id ? TAP_QUERY_ID_OWN : TAP_QUERY_ID_NONE, id);
	return rows_make(way, way, kind);
}

/* The rows of a boundary; brings the task's identity up to date. `asleep`: the thread goes to sleep here. */
TAP_GLOBAL rows_t my_rows(struct tap_task *task, __u32 exiting, __u32 asleep)
{
	struct my_counters counters = {};
	struct tap_instance *instance;
	__u32 index, command = 0, left = TAP_NO_WAY, own;
	struct my_about about = {};
	__u64 thd = 0;
	rows_t rows;

	if (!task)
		return rows_make(TAP_NO_WAY, TAP_NO_WAY, TAP_KIND_UNKNOWN);
	index = task->instance;
	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance)
		return rows_make(task->current_way, task->current_way, task->current_kind);
	if (!exiting && my_session(&thd, &instance->my.layout)) {
		count_loss(TAP_LOSS_READ_FAILED);
		return rows_make(task->current_way, task->current_way, task->current_kind);
	}
	if (instance->my.pooled && task->status_address && thd != task->status_address)
		left = my_pooled_leave(task, instance);
	if (!thd && instance->my.pooled)
		return my_rows_none(task, my_pooled_kind(task, exiting), left);
	if (thd && (my_read(&command, sizeof(command), thd, instance->my.layout.command) ||
		    my_counters_read(&counters, thd, &instance->my.layout))) {
		count_loss(TAP_LOSS_READ_FAILED);
		return rows_make(task->current_way, task->current_way, task->current_kind);
	}
	/* A thread that runs an event ends with it. */
	if (exiting && task->session_kind == TAP_KIND_EVENT_WORKER)
		left = task->current_way;
	if (thd && (command == TAP_MY_COM_SLEEP || task->identity.activity_start_us != (__s64)counters.received))
		my_about_read(&about, thd, &instance->my.layout);
	if (thd != task->status_address || (thd && my_is_another(task, &counters, about.connection)))
		my_session_begin(task, instance, &counters, thd);
	if (!thd)
		return my_rows_none(task, exiting ? TAP_KIND_EXITING : my_kind_of_thread(task), left);
	if (command >= TAP_MY_COM_DAEMON || command == TAP_MY_COM_CONNECT || task->thread_kind) {
		own = my_own_kind(task, instance, command, counters.received);
		if (own)
			return my_rows_own(task, instance, own);
	}
	if (command == TAP_MY_COM_QUIT) {
		task->identity.user = 0;
		return rows_of_kind(task, TAP_KIND_EXITING);
	}
	if (command == TAP_MY_COM_CONNECT) {
		/* What came so far was no statement. */
		task->identity.activity_start_us = (__s64)counters.received;
		task->identity.user = 0;
		return rows_of_kind(task, TAP_KIND_STARTING);
	}
	if (!task->identity.user)
		my_names_read(task, instance, false);
	/* Nobody has logged in yet, or its client has gone and the thread waits for another one's. */
	if (!task->identity.user) {
		my_noted(task, &counters, my_pointer(thd, instance->my.layout.executes), true);
		task->in_statement = 0;
		return rows_of_kind(task, command == TAP_MY_COM_SLEEP ? TAP_KIND_BACKGROUND : TAP_KIND_STARTING);
	}
	task->identity.kind = TAP_KIND_CLIENT;
	if (command != TAP_MY_COM_SLEEP)
		return my_rows_running(task, instance, &counters, command);
	rows = my_rows_between(task, instance, &counters, about.status, asleep);
	/* It has only taken the session up: what it did before is the time's owner. */
	return left != TAP_NO_WAY && rows_run(rows) == rows_next(rows)
		       ? rows_make(left, rows_next(rows), rows_next_kind(rows))
		       : rows;
}

#endif
