/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my.bpf.h - what the session that a MariaDB or MySQL thread serves says of itself in its own memory.
 *
 * The thread's own storage leads to its THD; where the fields are is data (struct tap_my_layout). Knows nothing of
 * rows: those are in my_statement.bpf.h.
 */
#ifndef TAP_BPF_MY_BPF_H
#define TAP_BPF_MY_BPF_H

#include "bpf/abi/my_digest.h"
#include "bpf/abi/my_layout.h"
#include "bpf/abi/my_template.h"
#include "bpf/account.bpf.h"
#include "bpf/compat.bpf.h"
#include "bpf/text.bpf.h"

/* What a session has got from its client so far; in the memory of some versions they lie like this. */
struct my_counters {
	__u64 questions;
	__u64 received;
};

static __always_inline long my_read(void *to, __u32 size, __u64 object, __u32 offset)
{
	return bpf_probe_read_user(to, size, (const void *)(object + offset));
}

/* The pointer that an object has at `offset`; 0 also when it could not be read. */
static __always_inline __u64 my_pointer(__u64 object, __u32 offset)
{
	__u64 address = 0;

	if (!object || my_read(&address, sizeof(address), object, offset))
		return 0;
	return address;
}

/* The session of the running thread, 0: none. Negative: it could not be read. */
static __always_inline long my_session(__u64 *ret, const struct tap_my_layout *layout)
{
	__u64 base = task_thread_pointer(bpf_get_current_task_btf());

	*ret = 0;
	return base ? bpf_probe_read_user(ret, sizeof(*ret), (const void *)(base + (__s64)layout->thd)) : 0;
}

static __always_inline long my_counters_read(struct my_counters *ret, __u64 thd, const struct tap_my_layout *layout)
{
	if (layout->received == layout->questions + sizeof(ret->questions))
		return my_read(ret, sizeof(*ret), thd, layout->questions);
	return my_read(&ret->questions, sizeof(ret->questions), thd, layout->questions)
		       ?: my_read(&ret->received, sizeof(ret->received), thd, layout->received);
}

/* The connection's number and the session's status, which lie close together in all versions that are known. */
struct my_about {
	__s32 connection;
	__u32 status;
};

static __always_inline void my_about_read(struct my_about *ret, __u64 thd, const struct tap_my_layout *layout)
{
	__u32 words[8] = {}, apart = layout->server_status - layout->connection;

	if ((apart == 28 || apart == 8) && !my_read(words, sizeof(words), thd, layout->connection)) {
		ret->connection = (__s32)words[0];
		ret->status = apart == 28 ? words[7] : words[2];
		return;
	}
	my_read(&ret->connection, sizeof(ret->connection), thd, layout->connection);
	my_read(&ret->status, sizeof(ret->status), thd, layout->server_status);
}

static __always_inline __s32 my_connection(__u64 thd, const struct tap_my_layout *layout)
{
	__s32 number = 0;

	return thd && !my_read(&number, sizeof(number), thd, layout->connection) ? number : 0;
}

/* The number that stands for the name at this address; 0: none. */
static __always_inline __u32 my_name_number(__u64 address)
{
	__u64 words[TAP_MY_NAME_SIZE / 8] = {}, hash = 0;
	long size;

	if (!address)
		return 0;
	size = bpf_probe_read_user_str(words, sizeof(words), (const void *)address);
	if (size <= 1)
		return 0;
	for (__u32 i = 0; i < TAP_MY_NAME_SIZE / 8; i++) {
		if (8 * (long)i < size - 1)
			hash = tap_my_name_step(hash, words[i]);
	}
	return tap_my_name_final(hash);
}

/*
 * The state lies in the scratch's other half: on the stack the verifier would follow each of its values, and every text
 * would be a path of its own.
 */
struct my_work {
	struct tap_my_digest digest;
	struct tap_my_numbers numbers;
	struct tap_my_match match;
};
_Static_assert(sizeof(struct my_work) <= sizeof(((struct tap_scratch *)NULL)->status), "they fit there");

static __always_inline struct my_work *my_work_of(struct tap_scratch *copy)
{
	return (struct my_work *)copy->status;
}

struct my_text_loop {
	struct tap_scratch *copy;
	struct tap_my_template *template;
};

/*
 * The barrier makes the program read byte and state once more from memory: of what is in registers the verifier knows
 * which way it took through the step, and would walk the rest once for each.
 */
static long my_digest_byte(__u32 index, void *context)
{
	struct my_text_loop *loop = context;
	struct my_work *work = my_work_of(loop->copy);
	const char *at = &loop->copy->text[index & (TAP_TEXT_MAX - 1)];

	work->numbers.before = work->digest.state;
	tap_my_digest_step(&work->digest, (unsigned char)*at);
	barrier();
	tap_my_numbers_note(&work->numbers, &work->digest, index, (unsigned char)*at);
	return 0;
}

static long my_match_piece(__u32 index, void *context)
{
	struct my_text_loop *loop = context;

	(void)index;
	return tap_my_match_step(&my_work_of(loop->copy)->match, loop->template, loop->copy->text);
}

static long my_template_byte(__u32 index, void *context)
{
	struct my_text_loop *loop = context;

	tap_my_template_step(loop->template, &my_work_of(loop->copy)->numbers, loop->copy->text, index);
	return 0;
}

static __always_inline struct tap_my_template *my_template_of(__u64 id)
{
	__u32 place = (__u32)(id >> 32) % TAP_MY_TEMPLATES;

	return bpf_map_lookup_elem(&my_templates, &place);
}

/* The id of the row that is expected next, if the text in the scratch is of that; else 0. */
static __always_inline __u64 my_expected_id(struct tap_task *task, struct tap_scratch *copy, long size)
{
	struct tap_my_match *match = &my_work_of(copy)->match;
	struct my_text_loop loop = { .copy = copy };
	struct tap_way *way = way_at(task, task->next_way);

	if (!way || way->key.source != TAP_QUERY_ID_OWN)
		return 0;
	loop.template = my_template_of(way->key.query_id);
	if (!loop.template || loop.template->id != way->key.query_id)
		return 0;
	*match = (struct tap_my_match){ .size = size };
	bpf_loop(TAP_MY_MATCH_STEPS, my_match_piece, &loop, 0);
	return match->matches ? way->key.query_id : 0;
}

/* Keeps the text in the scratch, whose id this is, for those that follow; when it comes a second time. */
static __always_inline void my_template_keep(struct my_text_loop *loop, __u64 id, long size)
{
	struct tap_my_template *template = my_template_of(id);

	if (!template || template->id == id || size > TAP_MY_TEMPLATE_TEXT || size < 8 ||
	    my_work_of(loop->copy)->numbers.over || !tap_my_template_may(loop->copy->text))
		return;
	if (template->seen != id) {
		template->seen = id;
		return;
	}
	template->id = 0;
	template->size = 0;
	template->numbers = 0;
	loop->template = template;
	bpf_loop(size, my_template_byte, loop, 0);
	tap_my_template_final(template, id);
}

/* The length that a text has to have; `known`: it is one more of a template, so that names are what they were. */
struct my_wanted {
	__u64 least;
	__u64 most;
	__u64 known;
};

static __always_inline __u64 my_digest_of(struct tap_scratch *copy, long size)
{
	struct my_text_loop loop = { .copy = copy };
	struct my_work *work = my_work_of(copy);
	__u64 began = bpf_ktime_get_ns(), id;

	tap_my_digest_init(&work->digest);
	tap_my_numbers_init(&work->numbers);
	bpf_loop(size, my_digest_byte, &loop, 0);
	tap_my_number_end(&work->numbers, size);
	id = tap_my_digest_final(&work->digest);
	my_template_keep(&loop, id, size);
	__sync_fetch_and_add(&fingerprint_count, 1);
	__sync_fetch_and_add(&fingerprint_ns, bpf_ktime_get_ns() - began);
	return id;
}

/* The own id of the text at task->activity_address; 0 when it is not as wanted, or cannot be had. */
TAP_GLOBAL __u64 my_text_id(struct tap_task *task, struct my_wanted *wanted)
{
	struct tap_scratch *copy;
	__u32 zero = 0;
	__u64 id;
	long size;

	if (!task || !wanted || !has_bpf_loop || !task->activity_address)
		return 0;
	copy = bpf_map_lookup_elem(&scratch, &zero);
	if (!copy)
		return 0;
	size = text_read(task, copy);
	if (size <= 0 || (__u64)size > wanted->most || ((__u64)size < wanted->least && size < TAP_TEXT_MAX - 1))
		return 0;
	id = my_expected_id(task, copy, size);
	wanted->known = id != 0;
	return id ?: my_digest_of(copy, size);
}

/* Waits for conditions are told apart by the stage that the session says it is in. */
static __always_inline __u32 my_wait_of_stage(const struct tap_task *task, const struct tap_my_instance *my)
{
	__u64 stage = my_pointer(task->status_address, my->layout.stage);

	for (__u32 i = 0; i < TAP_MY_STAGES; i++) {
		if (stage && my->stages.offset[i] && stage == my->stages.base + my->stages.offset[i])
			return TAP_MY_WAIT_NONE + my->stages.wait[i];
	}
	return TAP_MY_WAIT_FUTEX;
}

/* InnoDB's lock that the session's transaction waits for, whatever its stage; 0: none. */
static __always_inline __u64 my_engine_lock(const struct tap_task *task, const struct tap_my_lock_layout *locks)
{
	__u64 trx = locks->trx ? my_pointer(task->status_address, locks->trx) : 0;

	return my_pointer(trx, locks->wait_lock);
}

/* InnoDB says in no stage that it waits for a lock. */
static __always_inline __u32 my_wait_for_condition(struct tap_task *task, const struct tap_my_instance *my)
{
	__u32 event = my_wait_of_stage(task, my), mode = 0;
	__u64 lock;

	if (event == TAP_MY_WAIT_FUTEX) {
		lock = my_engine_lock(task, &my->locks);
		if (lock && !my_read(&mode, sizeof(mode), lock, my->locks.lock_mode))
			event = mode & my->locks.lock_type_table ? TAP_MY_WAIT_ENGINE_TABLE_LOCK : TAP_MY_WAIT_ROW_LOCK;
	}
	if (lock_events_on && task->lock_state == TAP_LOCK_STATE_NONE && my->locks.trx && tap_my_wait_is_lock(event))
		task->lock_state = TAP_LOCK_STATE_ASLEEP;
	return event;
}

/* What the thread goes to sleep for. */
TAP_GLOBAL __u32 my_wait_event(struct tap_task *task)
{
	struct tap_instance *instance;
	__u32 index;

	if (!task)
		return TAP_MY_WAIT_OTHER;
	if (task->current_kind == TAP_KIND_POOL_WORKER)
		return TAP_MY_WAIT_IDLE_THREAD;
	switch (call_class_of(task_syscall(bpf_get_current_task_btf()))) {
	case CALL_SOCKET:
		return kind_is_idle(task->current_kind) ? TAP_MY_WAIT_CLIENT : TAP_MY_WAIT_NETWORK;
	case CALL_READ:
		return TAP_MY_WAIT_FILE_READ;
	case CALL_WRITE:
		return TAP_MY_WAIT_FILE_WRITE;
	case CALL_SYNC:
		return TAP_MY_WAIT_FILE_SYNC;
	case CALL_FILE:
		return TAP_MY_WAIT_FILE_META;
	case CALL_ASYNC:
		return TAP_MY_WAIT_ASYNC_IO;
	case CALL_MEMORY:
		return TAP_MY_WAIT_MEMORY;
	case CALL_TIMER:
		return TAP_MY_WAIT_TIMER;
	case CALL_NONE:
		return TAP_MY_WAIT_PAGE_FAULT;
	case CALL_FUTEX:
		index = task->instance;
		instance = bpf_map_lookup_elem(&instances, &index);
		return instance && task->status_address ? my_wait_for_condition(task, &instance->my)
							: TAP_MY_WAIT_FUTEX;
	default:
		return TAP_MY_WAIT_OTHER;
	}
}

#endif
