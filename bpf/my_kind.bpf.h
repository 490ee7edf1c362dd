/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_kind.bpf.h - what a MariaDB or MySQL thread is that serves no client: purge, page cleaner, replication, events.
 *
 * Asked for where a thread has no session, or one that is not a client's; what was found is kept with the thread
 * (thread_kind) and with its session (session_kind).
 */
#ifndef TAP_BPF_MY_KIND_BPF_H
#define TAP_BPF_MY_KIND_BPF_H

#include "bpf/abi/my_thread.h"
#include "bpf/my.bpf.h"

/* Threads name themselves once they run: until one has, it is asked each time. */
TAP_GLOBAL int my_thread_named(struct tap_task *task)
{
	__u64 name[TAP_MY_THREAD_NAME / 8] = {};

	if (!task || bpf_get_current_comm(name, sizeof(name)))
		return 0;
	task->thread_kind = tap_my_kind_of_name(name);
	return 0;
}

/* The thread while it has no session. */
static __always_inline __u8 my_kind_of_thread(struct tap_task *task)
{
	if (!task->thread_kind)
		my_thread_named(task);
	return task->thread_kind ? task->thread_kind : TAP_KIND_BACKGROUND;
}

/* Threads of these kinds do now this, now that: with a session it is the session that tells. */
static __always_inline bool kind_is_pool(__u8 kind)
{
	return kind == TAP_KIND_INNODB_WORKER || kind == TAP_KIND_POOL_WORKER;
}

/* A session that is the server's own. */
static __always_inline __u8 my_kind_of_daemon(const struct tap_task *task, const struct tap_my_layout *layout)
{
	__u64 stage[2] = {}, purge[2] = {}, address;

	if (task->identity.user == tap_my_events_user())
		return TAP_KIND_EVENT_SCHEDULER;
	address = my_pointer(task->status_address, layout->stage);
	__builtin_memcpy(purge, TAP_MY_STAGE_PURGE, sizeof(TAP_MY_STAGE_PURGE) - 1);
	if (address && bpf_probe_read_user_str(stage, sizeof(stage), (const void *)address) > 0 &&
	    tap_my_begins(stage, purge, sizeof(TAP_MY_STAGE_PURGE) - 1))
		return TAP_KIND_PURGE;
	if (task->thread_kind && !kind_is_pool(task->thread_kind))
		return task->thread_kind;
	return TAP_KIND_BACKGROUND;
}

/*
 * What the session is when it is no client's; NONE: it is, or nothing tells yet. One that runs a statement while it
 * logs in, and has got nothing from a client, runs an event.
 */
TAP_GLOBAL __u32 my_own_kind(struct tap_task *task, struct tap_instance *instance, __u32 command, __u64 received)
{
	if (!task || !instance)
		return TAP_KIND_NONE;
	if (command == TAP_MY_COM_SLAVE_SQL || command == TAP_MY_COM_SLAVE_WORKER)
		return TAP_KIND_REPLICATION_APPLIER;
	if (command == TAP_MY_COM_SLAVE_IO)
		return TAP_KIND_REPLICATION_RECEIVER;
	if (task->session_kind)
		return task->session_kind;
	if (command == TAP_MY_COM_DAEMON)
		task->session_kind = my_kind_of_daemon(task, &instance->my.layout);
	else if (task->thread_kind && !kind_is_pool(task->thread_kind))
		task->session_kind = task->thread_kind;
	else if (command == TAP_MY_COM_CONNECT && !received &&
		 my_pointer(task->status_address, instance->my.layout.query))
		task->session_kind = TAP_KIND_EVENT_WORKER;
	return task->session_kind;
}

#endif
