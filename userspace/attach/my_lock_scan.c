// SPDX-License-Identifier: BSD-2-Clause
/* my_lock_scan.c - the sessions of a server and their transactions, for one reading of its locks. */
#include "userspace/attach/my_lock_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/hash.h"

enum {
	LINK_BACK = 8,	/* of a session: the pointer to what leads to it, before the one to the next */
	LIST_END = 8,	/* of the list: the end that the last one leads to */
	TRX_BATCH = 32, /* transactions read at once */
	NAME_STEP = 64,
	OWNER_PART_MAX = 4096, /* where within a session the part is that owns metadata locks */
};

uint64_t tap_my_u64(const unsigned char *bytes, uint32_t offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

uint32_t tap_my_u32(const unsigned char *bytes, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

int tap_my_scan_get(struct tap_my_scan *scan, uint64_t address, void *to, size_t size)
{
	int err = address ? tap_my_cache_get(&scan->cache, address, to, size) : -EFAULT;

	return err == -EFAULT ? -EAGAIN : err;
}

int tap_my_scan_text(struct tap_my_scan *scan, uint64_t address, char *ret, size_t size)
{
	size_t at = 0;

	while (at + 1 < size) {
		/* A short text may lie at the end of what is there. */
		size_t left = TAP_MY_CACHE_PAGE - (address + at) % TAP_MY_CACHE_PAGE;
		size_t part = size - at < NAME_STEP ? size - at : NAME_STEP;
		int err;

		part = part < left ? part : left;
		err = tap_my_scan_get(scan, address + at, ret + at, part);
		if (err)
			return err;
		if (memchr(ret + at, '\0', part))
			return 0;
		at += part;
	}
	return -EAGAIN;
}

int tap_my_scan_name(struct tap_my_scan *scan, uint32_t database, uint32_t number, const char *schema,
		     const char *relation)
{
	int err = 0;

	if (scan->names &&
	    (scan->names->count < TAP_MY_LOCK_NAMES_MAX || tap_relation_names_find(scan->names, database, number)))
		err = tap_relation_names_add(scan->names, database, number, schema, strlen(schema), relation,
					     strlen(relation));
	return err == -ENOMEM ? err : 0;
}

int tap_my_scan_add(struct tap_my_scan *scan, const struct tap_lock_entry *entry)
{
	if (scan->table->count >= TAP_MY_ENTRIES_MAX)
		return -EAGAIN;
	return tap_lock_table_add(scan->table, entry);
}

/* ---- sessions ---- */

/* Numbers beyond what a node of the graph can be called have no node. */
static int32_t owner_of(uint64_t thread_id)
{
	return thread_id && thread_id <= INT32_MAX ? (int32_t)thread_id : 0;
}

static int session_add(struct tap_my_scan *scan, const struct tap_my_lock_session *session)
{
	size_t wanted = scan->sessions_capacity ? scan->sessions_capacity * 2 : 64;
	struct tap_my_lock_session *items;

	if (scan->n_sessions == TAP_MY_SESSIONS_MAX)
		return -EAGAIN;
	if (scan->n_sessions == scan->sessions_capacity) {
		items = reallocarray(scan->sessions, wanted, sizeof(*items));
		if (!items)
			return -ENOMEM;
		scan->sessions = items;
		scan->sessions_capacity = wanted;
	}
	scan->sessions[scan->n_sessions++] = *session;
	return 0;
}

/* The fields of the session at `thd`, and those before and after it in the list. */
static int session_read(struct tap_my_scan *scan, uint64_t thd, struct tap_my_lock_session *ret, uint64_t ret_links[2])
{
	const struct tap_my_lock_place *place = scan->place;
	struct tap_my_lock_session session = { .thd = thd };
	uint64_t links[2], thread_id, owner;
	struct tap_memory_read reads[] = {
		{ thd + place->next - LINK_BACK, links, sizeof(links), false },
		{ thd + place->thread_id, &thread_id, sizeof(thread_id), false },
		{ thd + place->layout.trx, &session.trx, sizeof(session.trx), false },
		{ thd + place->layout.metadata + place->layout.context_ticket, &session.ticket, sizeof(session.ticket),
		  false },
		{ thd + place->layout.metadata + place->layout.context_owner, &owner, sizeof(owner), false },
	};
	int err = scan->cache.read(scan->cache.context, reads, sizeof(reads) / sizeof(*reads));

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		if (!reads[i].ok)
			return -EAGAIN;
	}
	/* Its metadata locks are its own: what has another owner is no session, or one that is gone. */
	if (owner - thd >= OWNER_PART_MAX)
		return -EBADMSG;
	session.owner = owner_of(thread_id);
	*ret = session;
	memcpy(ret_links, links, sizeof(links));
	return 0;
}

static int compare_sessions(const void *a, const void *b)
{
	const struct tap_my_lock_session *left = a, *right = b;

	return (left->thd > right->thd) - (left->thd < right->thd);
}

static int sessions_walk(struct tap_my_scan *scan)
{
	const uint64_t end = scan->place->sessions + LIST_END;
	uint64_t thd = 0, link = scan->place->sessions;
	struct tap_memory_read first = { scan->place->sessions, &thd, sizeof(thd), false };
	int err = scan->cache.read(scan->cache.context, &first, 1);

	if (!err && !first.ok)
		err = -EAGAIN;
	while (!err && thd != end) {
		struct tap_my_lock_session session;
		uint64_t links[2];

		err = session_read(scan, thd, &session, links);
		if (!err && links[0] != link)
			err = -EAGAIN;
		if (!err)
			err = session_add(scan, &session);
		link = thd + scan->place->next;
		if (!err)
			thd = links[1];
	}
	if (!err && scan->n_sessions)
		qsort(scan->sessions, scan->n_sessions, sizeof(*scan->sessions), compare_sessions);
	return err;
}

const struct tap_my_lock_session *tap_my_scan_session(const struct tap_my_scan *scan, uint64_t thd)
{
	const struct tap_my_lock_session key = { .thd = thd };

	return scan->n_sessions ? bsearch(&key, scan->sessions, scan->n_sessions, sizeof(key), compare_sessions) : NULL;
}

/* ---- transactions ---- */

/* A transaction's words, as they lie in memory. */
struct trx_words {
	uint64_t id;
	uint64_t wait[2]; /* the lock, and who holds it */
	uint64_t wait_start;
	uint64_t thd;
	uint64_t locks;
	uint64_t n_locks;
};

enum {
	TRX_READS = 6,
};

static void trx_reads(const struct tap_my_lock_layout *layout, uint64_t address, struct trx_words *words,
		      struct tap_memory_read *reads)
{
	const struct tap_memory_read all[TRX_READS] = {
		{ address + layout->trx_id, &words->id, sizeof(words->id), false },
		{ address + layout->wait_lock, words->wait, sizeof(words->wait), false },
		{ address + layout->wait_start, &words->wait_start, sizeof(words->wait_start), false },
		{ address + layout->trx_thd, &words->thd, sizeof(words->thd), false },
		{ address + layout->trx_locks, &words->locks, sizeof(words->locks), false },
		{ address + layout->trx_n_locks, &words->n_locks, sizeof(words->n_locks), false },
	};

	memcpy(reads, all, sizeof(all));
}

static bool all_read(const struct tap_memory_read *reads)
{
	for (size_t i = 0; i < TRX_READS; i++) {
		if (!reads[i].ok)
			return false;
	}
	return true;
}

static int trx_add(struct tap_my_scan *scan, uint64_t address, const struct trx_words *words, int32_t owner)
{
	size_t wanted = scan->trxs_capacity ? scan->trxs_capacity * 2 : 64;
	struct tap_my_trx *items;

	if (scan->n_trxs == TAP_MY_SESSIONS_MAX)
		return -EAGAIN;
	if (scan->n_trxs == scan->trxs_capacity) {
		items = reallocarray(scan->trxs, wanted, sizeof(*items));
		if (!items)
			return -ENOMEM;
		scan->trxs = items;
		scan->trxs_capacity = wanted;
	}
	scan->trxs[scan->n_trxs++] = (struct tap_my_trx){
		.address = address,
		.id = words->id,
		.wait_lock = words->wait[0],
		.wait_trx = words->wait[0] ? words->wait[1] : 0,
		.wait_start_us = words->wait_start < INT64_MAX ? (int64_t)words->wait_start : 0,
		.locks = words->locks,
		.n_locks = words->n_locks,
		.owner = owner,
	};
	return 0;
}

/* Those of the sessions from `first` on, as many as are read at once. */
static int batch_read(struct tap_my_scan *scan, size_t first, size_t count)
{
	struct tap_memory_read reads[TRX_BATCH * TRX_READS];
	struct trx_words words[TRX_BATCH];
	size_t of[TRX_BATCH], n = 0;
	int err;

	for (size_t i = first; i < first + count; i++) {
		if (!scan->sessions[i].trx)
			continue;
		of[n] = i;
		trx_reads(&scan->place->layout, scan->sessions[i].trx, &words[n], &reads[n * TRX_READS]);
		n++;
	}
	if (!n)
		return 0;
	err = scan->cache.read(scan->cache.context, reads, n * TRX_READS);
	for (size_t i = 0; i < n && !err; i++) {
		const struct tap_my_lock_session *session = &scan->sessions[of[i]];

		/* One that belongs to somebody else by now, or was given back. */
		if (!all_read(&reads[i * TRX_READS]) || words[i].thd != session->thd)
			err = -EAGAIN;
		else if ((words[i].n_locks || words[i].wait[0]) && session->owner)
			err = trx_add(scan, session->trx, &words[i], session->owner);
	}
	return err;
}

static int compare_trxs(const void *a, const void *b)
{
	const struct tap_my_trx *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

const struct tap_my_trx *tap_my_scan_trx(const struct tap_my_scan *scan, uint64_t address)
{
	const struct tap_my_trx key = { .address = address };

	return scan->n_trxs ? bsearch(&key, scan->trxs, scan->n_trxs, sizeof(key), compare_trxs) : NULL;
}

static bool is_prepared_known(const struct tap_my_scan *scan, size_t from, uint64_t address)
{
	for (size_t i = from; i < scan->n_trxs; i++) {
		if (scan->trxs[i].address == address)
			return true;
	}
	return false;
}

/* Transactions without a session that somebody waits for: prepared by a client that has gone, or by an earlier server.
 */
static int prepared_find(struct tap_my_scan *scan)
{
	size_t known = scan->n_trxs;
	int err = 0;

	for (size_t i = 0; i < known && !err; i++) {
		struct tap_memory_read reads[TRX_READS];
		uint64_t address = scan->trxs[i].wait_trx;
		struct trx_words words;
		struct tap_my_trx key = { .address = address };

		if (!address || bsearch(&key, scan->trxs, known, sizeof(key), compare_trxs) ||
		    is_prepared_known(scan, known, address))
			continue;
		trx_reads(&scan->place->layout, address, &words, reads);
		err = scan->cache.read(scan->cache.context, reads, TRX_READS);
		if (!err && (!all_read(reads) || words.thd || !words.id || !words.n_locks))
			err = -EAGAIN;
		if (!err)
			err = trx_add(scan, address, &words, 0);
	}
	if (!err && scan->n_trxs > known)
		qsort(scan->trxs, scan->n_trxs, sizeof(*scan->trxs), compare_trxs);
	return err;
}

int tap_my_scan_sessions(struct tap_my_scan *scan)
{
	int err = sessions_walk(scan);

	for (size_t i = 0; i < scan->n_sessions && !err; i += TRX_BATCH)
		err = batch_read(scan, i, scan->n_sessions - i < TRX_BATCH ? scan->n_sessions - i : TRX_BATCH);
	if (err)
		return err;
	if (scan->n_trxs)
		qsort(scan->trxs, scan->n_trxs, sizeof(*scan->trxs), compare_trxs);
	return prepared_find(scan);
}

void tap_my_scan_done(struct tap_my_scan *scan)
{
	tap_my_cache_done(&scan->cache);
	free(scan->sessions);
	free(scan->trxs);
	scan->sessions = NULL;
	scan->trxs = NULL;
	scan->n_sessions = scan->n_trxs = 0;
}
