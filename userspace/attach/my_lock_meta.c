// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_lock_meta.c - metadata locks: tables, databases, user locks, the lock of backups, and who stands in whose way.
 *
 * A session says itself which ticket it waits for; the ticket leads to the lock, and the lock to everybody's tickets,
 * granted and waiting.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/mysql/number.h"
#include "userspace/attach/my_lock_record.h"
#include "userspace/attach/my_lock_scan.h"

enum {
	KEY_TEXT = 8,	    /* of a key: kind, database, name, behind two lengths and a hash */
	KEY_TEXT_MAX = 400, /* kind, and two names of 192 bytes with their ends */
	LINK_SIZE = 16,	    /* next, previous */
	TICKET_SIZE_MAX = 128,
	KIND_COUNT = 9,
};

struct meta {
	struct tap_my_scan *scan;
	uint64_t *locks; /* that somebody waits for, each once */
	size_t n_locks;
};

struct ticket {
	uint64_t next;
	uint64_t previous;
	uint32_t mode;
	uint64_t context;
	uint64_t lock;
};

static int ticket_read(struct tap_my_scan *scan, uint64_t address, struct ticket *ret)
{
	const struct tap_my_lock_layout *layout = &scan->place->layout;
	unsigned char bytes[TICKET_SIZE_MAX];
	int err;

	if (layout->ticket_lock + 8 > sizeof(bytes))
		return -EAGAIN;
	err = tap_my_scan_get(scan, address, bytes, layout->ticket_lock + 8);
	if (err)
		return err;
	*ret = (struct ticket){
		.next = tap_my_u64(bytes, layout->ticket_link),
		.previous = tap_my_u64(bytes, layout->ticket_link + 8),
		.mode = tap_my_u32(bytes, layout->ticket_mode),
		.context = tap_my_u64(bytes, layout->ticket_context),
		.lock = tap_my_u64(bytes, layout->ticket_lock),
	};
	return 0;
}

/* ---- which lock ---- */

/* Kind, database and name, each ended by a NUL; -EAGAIN: no key. */
static int key_read(struct tap_my_scan *scan, uint64_t lock, char ret[KEY_TEXT_MAX], uint32_t *ret_hash,
		    const char **ret_name)
{
	unsigned char head[KEY_TEXT];
	uint16_t size, database;
	int err = tap_my_scan_get(scan, lock + scan->place->layout.key, head, sizeof(head));

	if (err)
		return err;
	memcpy(&size, head, sizeof(size));
	memcpy(&database, head + 2, sizeof(database));
	*ret_hash = tap_my_u32(head, 4);
	if (size < 3 || size > KEY_TEXT_MAX || database + 3 > size)
		return -EAGAIN;
	err = tap_my_scan_get(scan, lock + scan->place->layout.key + KEY_TEXT, ret, size);
	if (err)
		return err;
	*ret_name = ret + database + 2;
	if ((unsigned char)ret[0] >= KIND_COUNT || ret[database + 1] || ret[size - 1] ||
	    strnlen(ret + 1, database + 1) != database || strlen(*ret_name) != (size_t)size - database - 3)
		return -EAGAIN;
	return 0;
}

static int tag_make(struct tap_my_scan *scan, uint64_t lock, struct tap_lock_tag *ret)
{
	struct tap_lock_tag tag = { .method = 1 };
	char key[KEY_TEXT_MAX];
	const char *name;
	uint32_t hash;
	int err = key_read(scan, lock, key, &hash, &name);

	if (err)
		return err;
	tag.field4 = (unsigned char)key[0];
	tag.type = tap_my_lock_metadata_type(tag.field4);
	if (tag.type == TAP_LOCK_BACKUP) {
		*ret = tag;
		return 0;
	}
	tag.field3 = hash;
	if (tag.type == TAP_LOCK_NAMED) {
		/* It has its name where others have their database. */
		tag.field2 = tap_my_name_number(key + 1);
		err = tap_my_scan_name(scan, 0, tag.field2, "user lock", key + 1);
	} else {
		tag.field1 = tap_my_name_number(key + 1);
		tag.field2 = tap_my_table_number(name);
		err = tap_my_scan_name(scan, tag.field1, tag.field2, key + 1, name);
	}
	if (!err)
		*ret = tag;
	return err;
}

/* ---- who has it, who wants it ---- */

static int entry_add(struct tap_my_scan *scan, const struct tap_lock_tag *tag, const struct ticket *ticket,
		     bool granted, uint32_t place)
{
	const struct tap_my_lock_session *session =
		tap_my_scan_session(scan, ticket->context - scan->place->layout.metadata);
	struct tap_lock_entry entry = { .tag = *tag };

	if (ticket->mode + 1 >= tap_lock_mode_count(tag->type))
		return -EAGAIN;
	/* One that came after the sessions were read, or one of no session (the purge has tickets of its own). */
	if (!session || !session->owner) {
		scan->table->torn += !session;
		return 0;
	}
	entry.pid = entry.leader_pid = session->owner;
	if (granted) {
		entry.held = (uint16_t)(2u << ticket->mode);
	} else {
		entry.wanted = (uint8_t)(ticket->mode + 1);
		entry.queue = place;
	}
	return tap_my_scan_add(scan, &entry);
}

/* One list of a lock: a ring through its tickets and back. */
static int list_walk(struct tap_my_scan *scan, uint64_t lock, const struct tap_lock_tag *tag, bool granted)
{
	const struct tap_my_lock_layout *layout = &scan->place->layout;
	uint64_t end = lock + (granted ? layout->granted : layout->waiting), before = end;
	unsigned char head[LINK_SIZE];
	uint64_t at;
	int err = tap_my_scan_get(scan, end, head, sizeof(head));

	if (err)
		return err;
	at = tap_my_u64(head, 0);
	for (uint32_t place = 1; at != end && !err; place++) {
		struct ticket ticket;

		if (place > TAP_MY_TICKETS_MAX)
			return -EAGAIN;
		err = ticket_read(scan, at - layout->ticket_link, &ticket);
		if (!err && (ticket.lock != lock || ticket.previous != before))
			err = -EAGAIN;
		if (!err)
			err = entry_add(scan, tag, &ticket, granted, place);
		before = at;
		if (!err)
			at = ticket.next;
	}
	return err ? err : tap_my_u64(head, 8) == before ? 0 : -EAGAIN;
}

static int lock_read(struct tap_my_scan *scan, uint64_t lock)
{
	struct tap_lock_tag tag;
	int err = tag_make(scan, lock, &tag);

	if (!err)
		err = list_walk(scan, lock, &tag, true);
	return err ? err : list_walk(scan, lock, &tag, false);
}

/* ---- what is waited for ---- */

/* 0 without a lock: what it waits for is no metadata lock. */
static int lock_of(struct tap_my_scan *scan, const struct tap_my_lock_session *session, uint64_t *ret)
{
	struct ticket ticket;
	int err = ticket_read(scan, session->ticket, &ticket);

	if (!err)
		*ret = ticket.context == session->thd + scan->place->layout.metadata ? ticket.lock : 0;
	return err;
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static int locks_find(struct meta *meta)
{
	struct tap_my_scan *scan = meta->scan;
	size_t count = 0, kept = 0;
	int err = 0;

	for (size_t i = 0; i < scan->n_sessions; i++)
		count += scan->sessions[i].ticket != 0;
	meta->locks = calloc(count + 1, sizeof(*meta->locks));
	if (!meta->locks)
		return -ENOMEM;
	for (size_t i = 0; i < scan->n_sessions && !err; i++) {
		uint64_t lock = 0;

		if (scan->sessions[i].ticket)
			err = lock_of(scan, &scan->sessions[i], &lock);
		if (lock)
			meta->locks[meta->n_locks++] = lock;
	}
	if (meta->n_locks)
		qsort(meta->locks, meta->n_locks, sizeof(*meta->locks), compare_addresses);
	for (size_t i = 0; i < meta->n_locks; i++) {
		if (!i || meta->locks[i] != meta->locks[kept - 1])
			meta->locks[kept++] = meta->locks[i];
	}
	meta->n_locks = kept;
	return err;
}

int tap_my_scan_metadata(struct tap_my_scan *scan)
{
	struct meta meta = { .scan = scan };
	int err = locks_find(&meta);

	for (size_t i = 0; i < meta.n_locks && !err; i++)
		err = lock_read(scan, meta.locks[i]);
	free(meta.locks);
	return err;
}
