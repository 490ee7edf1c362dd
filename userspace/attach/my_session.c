// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_session.c - walks the sessions of a server; see my_session.h.
 *
 * Called by my_find, to check a layout, and by my_engine.
 */
#include "userspace/attach/my_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/abi/task.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/my_server.h"
#include "userspace/attach/my_thread.h"

enum {
	SESSIONS_MAX = 100000,
	ROUNDS = 5,
	ROUND_PAUSE_NS = 10 * 1000 * 1000,
	NAME_SIZE = 256,
	PACKET_LEAST = 5, /* bytes of a statement's packet that has no text */
	CLOCK_SLACK_US = 60 * 1000000,
	LINK_NEXT = 8,		/* of a link: behind its virtual table and the pointer to what leads to it */
	PTHREAD_NUMBER = 0x2d0, /* in glibc's record of a thread, x86-64, all versions; a session's check tries it */
	PARTITIONS = 8,
	PARTITION_ROOM = 60, /* sessions a partition holds in itself */
};

/* The fields of one session as its memory holds them. */
struct words {
	uint64_t previous;
	uint64_t next;
	uint64_t thread_id;
	uint64_t thread;
	uint32_t os_thread;
	uint32_t command;
	uint32_t server_status;
	uint64_t questions;
	uint64_t received;
	uint64_t executes;
	uint64_t security;
	uint64_t stage;
	uint64_t database;
	uint64_t query[2];
	uint64_t start_time[2];
};

static const struct tap_my_own *own_of(const struct tap_target *target)
{
	return target->own;
}

/* The C library's own: a pthread_t is the address of its record of the thread. 0: not to be had. */
static uint32_t number_of_thread(const struct tap_target *target, uint64_t thread)
{
	uint32_t number = 0;

	return thread && !tap_memory_read(target->pid, thread + PTHREAD_NUMBER, &number, sizeof(number)) ? number : 0;
}

static int words_read(const struct tap_target *target, uint64_t thd, struct words *ret)
{
	const struct tap_my_layout *layout = &own_of(target)->instance.layout;
	const struct tap_my_fields *fields = &own_of(target)->fields;
	struct words words;
#define READ(offset, field) \
	{ \
		thd + (offset), &words.field, sizeof(words.field), false \
	}
	struct tap_memory_read reads[] = {
		READ(fields->next ? fields->next - LINK_NEXT : 0, previous),
		READ(fields->next, next),
		READ(fields->thread_id, thread_id),
		READ(fields->thread, thread),
		READ(fields->os_thread, os_thread),
		READ(fields->start_time, start_time),
		READ(layout->command, command),
		READ(layout->server_status, server_status),
		READ(layout->questions, questions),
		READ(layout->received, received),
		READ(layout->executes, executes),
		READ(layout->security, security),
		READ(layout->stage, stage),
		READ(layout->database, database),
		READ(layout->query, query),
	};
#undef READ
	int err = tap_memory_read_many(target->pid, reads, sizeof(reads) / sizeof(*reads));

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		if (!reads[i].ok)
			return -EAGAIN;
	}
	if (!fields->wide_id)
		words.thread_id = (uint32_t)words.thread_id;
	if (!fields->os_thread)
		words.os_thread = number_of_thread(target, words.thread);
	*ret = words;
	return 0;
}

/* A text the server points to; *ret NULL when there is none. Only -ENOMEM is an error. */
static int text_read(int32_t pid, uint64_t address, char **ret)
{
	char text[NAME_SIZE];

	*ret = NULL;
	if (!address || tap_memory_read_string(pid, address, text, sizeof(text)) || !*text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int query_read(int32_t pid, uint64_t address, uint64_t size, char **ret)
{
	char text[TAP_TEXT_MAX];

	if (!address || !size)
		return 0;
	if (size > sizeof(text) - 1)
		size = sizeof(text) - 1;
	if (tap_memory_read(pid, address, text, size))
		return 0;
	text[size] = '\0';
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int texts_read(const struct tap_target *target, const struct words *words, struct tap_my_session *session)
{
	const struct tap_my_fields *fields = &own_of(target)->fields;
	uint64_t user = 0, host = 0, address = 0;
	struct tap_memory_read reads[] = {
		{ words->security + own_of(target)->instance.layout.user, &user, sizeof(user), false },
		{ words->security + fields->host, &host, sizeof(host), false },
		{ words->security + fields->address, &address, sizeof(address), false },
	};
	int err = words->security ? tap_memory_read_many(target->pid, reads, sizeof(reads) / sizeof(*reads)) : 0;

	if (!err)
		err = text_read(target->pid, user, &session->user);
	if (!err)
		err = text_read(target->pid, host, &session->host);
	if (!err)
		err = text_read(target->pid, address, &session->address);
	if (!err)
		err = text_read(target->pid, words->database, &session->database);
	if (!err)
		err = text_read(target->pid, words->stage, &session->stage);
	if (!err)
		err = query_read(target->pid, words->query[0], words->query[1], &session->query);
	return err;
}

static void session_done(struct tap_my_session *session)
{
	free(session->user);
	free(session->host);
	free(session->address);
	free(session->database);
	free(session->stage);
	free(session->query);
}

void tap_my_sessions_done(struct tap_my_session_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		session_done(&list->items[i]);
	free(list->items);
	*list = (struct tap_my_session_list){ 0 };
}

/* Whether the thread's own storage leads back to the session: the same that the kernel side goes by. */
static bool is_served(const struct tap_target *target, const struct words *words, uint64_t thd)
{
	uint64_t slot = 0;

	return words->thread &&
	       !tap_memory_read(target->pid, words->thread + (uint64_t)(int64_t)own_of(target)->instance.layout.thd,
				&slot, sizeof(slot)) &&
	       slot == thd;
}

static int session_add(const struct tap_target *target, const struct tap_my_threads *threads, uint64_t thd,
		       const struct words *words, struct tap_my_session_list *list)
{
	struct tap_my_session *items = reallocarray(list->items, list->count + 1, sizeof(*items));
	struct tap_my_session *session;

	if (!items)
		return -ENOMEM;
	list->items = items;
	session = &items[list->count++];
	*session = (struct tap_my_session){
		.thd = thd,
		.thread = words->thread,
		.tid = tap_my_threads_find(threads, (int32_t)words->os_thread),
		.served = is_served(target, words, thd),
		.id = words->thread_id,
		.command = words->command,
		.server_status = words->server_status,
		.questions = words->questions,
		.received = words->received,
		.executes = words->executes,
		.query_address = words->query[1] ? words->query[0] : 0,
		.query_size = words->query[0] ? words->query[1] : 0,
	};
	session->stage_known = !words->stage || !tap_memory_read(target->pid, words->stage, &(char){ 0 }, 1);
	if (words->start_time[0] < UINT32_MAX && words->start_time[1] < 1000000)
		session->start_us = (int64_t)(words->start_time[0] * 1000000 + words->start_time[1]);
	return texts_read(target, words, session);
}

/* A part of MySQL's list of sessions: an array that is kept in place as long as it has room. */
struct partition {
	uint32_t key;
	int32_t count; /* negative: `elsewhere` */
	union {
		struct {
			uint64_t address;
			uint64_t count;
			uint64_t capacity;
		} elsewhere;
		uint64_t here[PARTITION_ROOM];
	};
};
_Static_assert(sizeof(struct partition) == 0x1e8, "as the server has it");

/* Those of one partition; they may be gone by the time they are looked at. */
static int partition_walk(const struct tap_target *target, const struct tap_my_threads *threads,
			  const struct partition *partition, struct tap_my_session_list *list)
{
	uint64_t count = partition->count < 0 ? partition->elsewhere.count : (uint64_t)partition->count;
	uint64_t *more = NULL;
	int err = 0;

	if (count > (partition->count < 0 ? SESSIONS_MAX : PARTITION_ROOM) || list->count + count > SESSIONS_MAX)
		return -EAGAIN;
	if (partition->count < 0) {
		more = malloc(count * sizeof(*more) + 1);
		if (!more)
			return -ENOMEM;
		err = tap_memory_read(target->pid, partition->elsewhere.address, more, count * sizeof(*more));
	}
	for (uint64_t i = 0; i < count && !err; i++) {
		uint64_t thd = more ? more[i] : partition->here[i];
		struct words words;

		err = words_read(target, thd, &words);
		if (!err)
			err = session_add(target, threads, thd, &words, list);
	}
	free(more);
	return err;
}

/* MySQL's sessions: the variable leads to an object whose first member are the partitions. */
static int walk_partitions(const struct tap_target *target, const struct tap_my_threads *threads,
			   struct tap_my_session_list *ret)
{
	struct tap_my_session_list list = { 0 };
	struct partition *partitions;
	uint64_t manager = 0;
	int err = tap_memory_read(target->pid, own_of(target)->sessions, &manager, sizeof(manager));

	if (err || !manager)
		return err ? err : -EAGAIN;
	partitions = calloc(PARTITIONS, sizeof(*partitions));
	if (!partitions)
		return -ENOMEM;
	err = tap_memory_read(target->pid, manager, partitions, PARTITIONS * sizeof(*partitions));
	for (size_t i = 0; i < PARTITIONS && !err; i++)
		err = partition_walk(target, threads, &partitions[i], &list);
	free(partitions);
	if (err) {
		tap_my_sessions_done(&list);
		return err == -EFAULT ? -EAGAIN : err;
	}
	*ret = list;
	return 0;
}

/*
 * One walk of MariaDB's list. -EAGAIN: what leads back is not what led there, or a session could not be read.
 */
static int walk_list(const struct tap_target *target, const struct tap_my_threads *threads,
		     struct tap_my_session_list *ret)
{
	const uint64_t list_address = own_of(target)->sessions;
	const uint64_t end = list_address + 8;
	struct tap_my_session_list list = { 0 };
	uint64_t thd, link = list_address;
	int err = tap_memory_read(target->pid, list_address, &thd, sizeof(thd));

	while (!err && thd != end) {
		struct words words;

		if (list.count == SESSIONS_MAX)
			err = -EAGAIN;
		if (!err)
			err = words_read(target, thd, &words);
		if (!err && words.previous != link)
			err = -EAGAIN;
		if (!err)
			err = session_add(target, threads, thd, &words, &list);
		if (!err) {
			link = thd + own_of(target)->fields.next;
			thd = words.next;
		}
	}
	if (err) {
		tap_my_sessions_done(&list);
		return err == -EFAULT ? -EAGAIN : err;
	}
	*ret = list;
	return 0;
}

int tap_my_sessions_walk(const struct tap_target *target, struct tap_my_session_list *ret, struct tap_error *err)
{
	const struct timespec pause = { .tv_nsec = ROUND_PAUSE_NS };
	struct tap_my_threads threads;
	int code = tap_my_threads_read(target->proc_root, target->pid, &threads);

	if (code)
		return tap_error_set(err, code, "threads of process %d cannot be listed: %s", target->pid,
				     strerror(-code));
	code = -EAGAIN;
	for (int round = 0; round < ROUNDS && code == -EAGAIN; round++) {
		if (round)
			nanosleep(&pause, NULL);
		code = own_of(target)->product == TAP_MY_MYSQL ? walk_partitions(target, &threads, ret)
							       : walk_list(target, &threads, ret);
	}
	tap_my_threads_done(&threads);
	if (code)
		return tap_error_set(err, code, "sessions of process %d cannot be read: %s", target->pid,
				     strerror(-code));
	return 0;
}

static bool is_printable(const char *text)
{
	for (; text && *text; text++) {
		if ((unsigned char)*text < ' ')
			return false;
	}
	return true;
}

static const char *session_wrong(const struct tap_my_session *session, bool pooled)
{
	if (session->command >= TAP_MY_COM_COUNT)
		return "its command is none";
	if (session->command == TAP_MY_COM_DAEMON)
		return NULL;
	if (session->tid && !session->served && !(pooled && session->command == TAP_MY_COM_SLEEP))
		return "its thread does not lead to it";
	if (session->questions > session->received / PACKET_LEAST)
		return "it counts more statements than its client can have sent";
	if (session->executes > session->questions)
		return "it counts more executions than statements";
	if (session->server_status >> 20)
		return "its status has bits that no version knows";
	if (!is_printable(session->user) || !is_printable(session->host) || !is_printable(session->stage))
		return "its user, host or stage is no text";
	if (session->query_size && !session->query)
		return "its query cannot be read";
	return NULL;
}

static int round_check(const struct tap_target *target, size_t *ret_checked, struct tap_error *err)
{
	struct tap_my_session_list list;
	const char *wrong = NULL;
	size_t i = 0;
	int code = tap_my_sessions_walk(target, &list, err);

	if (code)
		return code;
	while (i < list.count && !wrong)
		wrong = session_wrong(&list.items[i++], own_of(target)->instance.pooled);
	if (wrong)
		code = tap_error_set(err, -EBADMSG, "session %llu: %s", (unsigned long long)list.items[i - 1].id,
				     wrong);
	else
		*ret_checked = list.count;
	tap_my_sessions_done(&list);
	return code;
}

/* Sessions come and go while they are looked at: what is wrong is wrong each time. */
int tap_my_sessions_check(const struct tap_target *target, size_t *ret_checked, struct tap_error *err)
{
	const struct timespec pause = { .tv_nsec = ROUND_PAUSE_NS };
	int code = -EBADMSG;

	for (int round = 0; round < ROUNDS && code == -EBADMSG; round++) {
		if (round)
			nanosleep(&pause, NULL);
		code = round_check(target, ret_checked, err);
	}
	return code;
}

static const char *client_wrong(const struct tap_target *target, const struct tap_my_session *session, int64_t now_us)
{
	if (!session->tid || !session->served)
		return "its thread does not lead to it";
	if (!session->stage_known)
		return "its stage is nowhere";
	if (session->start_us < target->start_us - CLOCK_SLACK_US || session->start_us > now_us + CLOCK_SLACK_US)
		return "what it does began before the server, or is yet to begin";
	if (!(session->server_status & (TAP_MY_STATUS_IN_TRANS | TAP_MY_STATUS_AUTOCOMMIT)))
		return "it neither commits by itself nor is in a transaction";
	if (session->database && !is_printable(session->database))
		return "its database is no text";
	return NULL;
}

static bool is_client(const struct tap_my_session *session)
{
	return session->user && session->command != TAP_MY_COM_DAEMON && session->command != TAP_MY_COM_CONNECT &&
	       session->received;
}

int tap_my_sessions_agree(const struct tap_target *target, struct tap_error *err)
{
	struct tap_my_session_list list;
	struct timespec now;
	size_t agreeing = 0;
	int code = tap_my_sessions_walk(target, &list, err);

	if (code)
		return code;
	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < list.count && !code; i++) {
		const struct tap_my_session *session = &list.items[i];
		const char *wrong;

		if (!is_client(session) || (own_of(target)->instance.pooled && !session->served))
			continue;
		wrong = client_wrong(target, session, (int64_t)now.tv_sec * 1000000);
		if (wrong)
			code = tap_error_set(err, -EBADMSG, "session %llu: %s", (unsigned long long)session->id, wrong);
		else
			agreeing++;
	}
	tap_my_sessions_done(&list);
	if (!code && !agreeing)
		code = tap_error_set(err, -ENODATA, "nobody is connected whose session would show that it does");
	return code;
}
