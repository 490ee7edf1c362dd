// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_lock_scan.c - walks the lists of all PGPROCs at once.
 *
 * A process's lists are its own: it seldom has many locks of one partition, so that a few steps, each a batch of one
 * element of every list, see them all. A list that changed under the walk begins anew.
 */
#include "userspace/attach/pg_lock_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROCS_MAX = 1 << 17,	     /* PGPROCs, and */
	PROCS_BYTES_MAX = 128 << 20, /* what they take */
	PROCS_CHUNK = 512,	     /* read at a time */
	SHARES_MAX = 1 << 18,	     /* PROCLOCKs; more are not listed but where somebody waits */
	LIST_TRIES = 8,
	FAST_MODE_BITS = 3, /* of a slot: AccessShare, RowShare, RowExclusive */
	RECORD_ALIGNMENT = 8,
};

struct tap_pg_lock_list {
	size_t proc;	 /* its place */
	uint64_t head;	 /* address */
	uint64_t before; /* the link that leads to `at` */
	uint64_t at;	 /* the next link; `head`: the list is to be begun */
	uint32_t tries;
	bool done;
};

/* A PROCLOCK, and which walk of which list found it: a walk that was begun anew takes none of the earlier ones. */
struct found {
	struct tap_pg_share_record share;
	size_t list;
	uint32_t tries;
};

struct walk {
	struct tap_pg_lock_scan *scan;
	struct found *found;
	size_t n_found;
	size_t capacity;
};

int tap_pg_lock_scan_read(const struct tap_pg_lock_scan *scan, struct tap_memory_read *reads, size_t count)
{
	const struct tap_pg_lock_memory *memory = scan->memory;

	for (size_t i = 0; i < count; i++) {
		const struct tap_memory_read *read = &reads[i];
		bool inside = read->address >= memory->start && read->address < memory->end &&
			      read->size <= memory->end - read->address;

		/* An address nobody can read fails like one that is not mapped. */
		if (!inside || read->address % RECORD_ALIGNMENT)
			reads[i].address = 0;
	}
	return memory->read(memory->context, reads, count);
}

static bool array_fits(const struct tap_pg_lock_memory *memory, uint64_t address, uint64_t count)
{
	uint64_t size = count * memory->layout->proc_size;

	return !count || (address >= memory->start && address < memory->end && size <= memory->end - address &&
			  address % RECORD_ALIGNMENT == 0);
}

static bool layout_fits(const struct tap_pg_lock_layout *layout)
{
	return layout->proc_size && layout->proc_size <= TAP_PG_PROC_MAX && layout->lock_size <= TAP_PG_LOCK_MAX &&
	       layout->share_size <= TAP_PG_SHARE_MAX && layout->proc_n_lists <= TAP_PG_LOCK_PARTITIONS_MAX &&
	       layout->proc_fast_slots <= TAP_PG_FAST_SLOTS_MAX;
}

static bool arrays_fit(const struct tap_pg_lock_memory *memory)
{
	uint64_t count = (uint64_t)memory->n_procs + memory->n_prepared;

	if (memory->layout->fast_apart && (!memory->n_fast_groups || memory->n_fast_groups > TAP_PG_FAST_GROUPS_MAX))
		return false;
	return memory->start < memory->end && memory->n_procs && count <= PROCS_MAX &&
	       count * memory->layout->proc_size <= PROCS_BYTES_MAX &&
	       array_fits(memory, memory->procs, memory->n_procs) &&
	       array_fits(memory, memory->prepared, memory->n_prepared);
}

static uint64_t proc_address(const struct tap_pg_lock_memory *memory, size_t index)
{
	uint64_t size = memory->layout->proc_size;

	return index < memory->n_procs ? memory->procs + index * size
				       : memory->prepared + (index - memory->n_procs) * size;
}

size_t tap_pg_lock_scan_proc(const struct tap_pg_lock_scan *scan, uint64_t address)
{
	const struct tap_pg_lock_memory *memory = scan->memory;
	uint64_t size = memory->layout->proc_size;
	uint64_t from = address - memory->procs;

	if (from % size == 0 && from / size < memory->n_procs)
		return from / size;
	from = address - memory->prepared;
	if (from % size == 0 && from / size < memory->n_prepared)
		return memory->n_procs + from / size;
	return SIZE_MAX;
}

void tap_pg_lock_scan_set_proc(struct tap_pg_lock_scan *scan, size_t index, const uint8_t *bytes)
{
	struct tap_pg_proc_record *proc = &scan->procs[index];
	uint32_t xid = proc->xid;

	tap_pg_proc_record_decode(scan->memory->layout, proc_address(scan->memory, index), bytes, proc);
	proc->prepared = index >= scan->memory->n_procs;
	/* As xids_read has it. */
	if (scan->memory->layout->xact_size)
		proc->xid = xid;
}

/* ---- PGPROCs ---- */

static void fast_decode(const struct tap_pg_lock_layout *layout, const uint8_t *bytes, struct tap_pg_fast_record *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (layout->fast_apart) {
		memcpy(&ret->bits_at, bytes + layout->proc_fast_bits, sizeof(ret->bits_at));
		memcpy(&ret->relations_at, bytes + layout->proc_fast_relations, sizeof(ret->relations_at));
	} else {
		memcpy(&ret->group.bits, bytes + layout->proc_fast_bits, sizeof(ret->group.bits));
		memcpy(ret->group.relations, bytes + layout->proc_fast_relations,
		       layout->proc_fast_slots * sizeof(*ret->group.relations));
	}
	memcpy(&ret->database, bytes + layout->proc_database, sizeof(ret->database));
	memcpy(&ret->backend_id, bytes + layout->proc_backend_id, sizeof(ret->backend_id));
	if (bytes[layout->proc_fast_vxid])
		memcpy(&ret->lxid, bytes + layout->proc_fast_lxid, sizeof(ret->lxid));
}

/* Heads of lists that hold something. A head that leads nowhere is found out by the walk. */
static int lists_note(struct tap_pg_lock_scan *scan, size_t index, const uint8_t *bytes, size_t *capacity)
{
	const struct tap_pg_lock_layout *layout = scan->memory->layout;

	for (size_t i = 0; i < layout->proc_n_lists; i++) {
		size_t offset = layout->proc_lists + i * sizeof(struct tap_pg_link);
		uint64_t head = proc_address(scan->memory, index) + offset;
		struct tap_pg_link link = tap_pg_link_decode(bytes + offset);

		if (tap_pg_link_is_empty(&link, head))
			continue;
		if (scan->n_lists == *capacity) {
			size_t wanted = *capacity ? *capacity * 2 : 256;
			struct tap_pg_lock_list *lists = reallocarray(scan->lists, wanted, sizeof(*lists));

			if (!lists)
				return -ENOMEM;
			scan->lists = lists;
			*capacity = wanted;
		}
		scan->lists[scan->n_lists++] =
			(struct tap_pg_lock_list){ .proc = index, .head = head, .before = head, .at = link.next };
	}
	return 0;
}

/*
 * Of prepared transactions whose PGPROC has none: what a PGPROC has instead is theirs only where no session's virtual
 * transaction was taken over. Elements are not aligned as all else is.
 */
static int xids_read(struct tap_pg_lock_scan *scan, size_t first, size_t count)
{
	const struct tap_pg_lock_memory *memory = scan->memory;
	uint64_t size = memory->layout->xact_size, apart = memory->prepared - memory->procs;
	struct tap_memory_read reads[PROCS_CHUNK];
	uint8_t words[PROCS_CHUNK][RECORD_ALIGNMENT];
	int err;

	for (size_t i = 0; i < count; i++) {
		uint64_t place = apart / memory->layout->proc_size + first + i - memory->n_procs;

		reads[i] = (struct tap_memory_read){ (memory->xacts + place * size) & ~(RECORD_ALIGNMENT - 1ull),
						     words[i], sizeof(words[i]), false };
	}
	err = tap_pg_lock_scan_read(scan, reads, count);
	for (size_t i = 0; i < count && !err; i++) {
		uint64_t place = apart / memory->layout->proc_size + first + i - memory->n_procs;

		if (!reads[i].ok)
			return -EBADMSG;
		memcpy(&scan->procs[first + i].xid, words[i] + (memory->xacts + place * size) % RECORD_ALIGNMENT,
		       sizeof(scan->procs[first + i].xid));
	}
	return err;
}

/* The whole chunk, or what of it is behind the processes' own. */
static int prepared_read(struct tap_pg_lock_scan *scan, size_t first, size_t count)
{
	size_t n_procs = scan->memory->n_procs, skipped = first < n_procs ? n_procs - first : 0;

	if (!scan->memory->layout->xact_size || skipped >= count)
		return 0;
	return xids_read(scan, first + skipped, count - skipped);
}

static int procs_read(struct tap_pg_lock_scan *scan)
{
	const struct tap_pg_lock_layout *layout = scan->memory->layout;
	uint8_t *bytes = calloc(PROCS_CHUNK, layout->proc_size);
	struct tap_memory_read reads[PROCS_CHUNK];
	size_t capacity = 0, count;
	int err = bytes ? 0 : -ENOMEM;

	for (size_t first = 0; first < scan->n_procs && !err; first += count) {
		count = scan->n_procs - first < PROCS_CHUNK ? scan->n_procs - first : PROCS_CHUNK;
		for (size_t i = 0; i < count; i++)
			reads[i] = (struct tap_memory_read){ proc_address(scan->memory, first + i),
							     bytes + i * layout->proc_size, layout->proc_size, false };
		err = tap_pg_lock_scan_read(scan, reads, count);
		for (size_t i = 0; i < count && !err; i++) {
			const uint8_t *proc = reads[i].to;

			if (!reads[i].ok) {
				err = -EBADMSG;
				break;
			}
			tap_pg_lock_scan_set_proc(scan, first + i, proc);
			if (first + i < scan->memory->n_procs)
				fast_decode(layout, proc, &scan->fast[first + i]);
			err = lists_note(scan, first + i, proc, &capacity);
		}
		if (!err)
			err = prepared_read(scan, first, count);
	}
	free(bytes);
	return err;
}

int tap_pg_lock_scan_open(const struct tap_pg_lock_memory *memory, struct tap_pg_lock_scan *ret)
{
	struct tap_pg_lock_scan scan = { .memory = memory };
	int err;

	if (!layout_fits(memory->layout) || !arrays_fit(memory))
		return -EBADMSG;
	scan.n_procs = (size_t)memory->n_procs + memory->n_prepared;
	scan.procs = calloc(scan.n_procs, sizeof(*scan.procs));
	scan.fast = calloc(memory->n_procs, sizeof(*scan.fast));
	err = scan.procs && scan.fast ? procs_read(&scan) : -ENOMEM;
	if (err) {
		tap_pg_lock_scan_done(&scan);
		return err;
	}
	*ret = scan;
	return 0;
}

void tap_pg_lock_scan_done(struct tap_pg_lock_scan *scan)
{
	free(scan->procs);
	free(scan->fast);
	free(scan->lists);
	free(scan->shares);
	memset(scan, 0, sizeof(*scan));
}

/* ---- PROCLOCKs ---- */

static void list_restart(struct walk *walk, struct tap_pg_lock_list *list)
{
	list->at = list->head;
	list->before = list->head;
	list->done = ++list->tries >= LIST_TRIES;
	walk->scan->retries++;
	walk->scan->torn += list->done;
}

static int share_keep(struct walk *walk, size_t list, const struct tap_pg_share_record *share)
{
	size_t wanted = walk->capacity ? walk->capacity * 2 : 256;
	struct found *found;

	if (walk->n_found >= SHARES_MAX)
		return -E2BIG;
	if (walk->n_found == walk->capacity) {
		found = reallocarray(walk->found, wanted, sizeof(*found));
		if (!found)
			return -ENOMEM;
		walk->found = found;
		walk->capacity = wanted;
	}
	walk->found[walk->n_found++] = (struct found){ *share, list, walk->scan->lists[list].tries };
	return 0;
}

/* A step of one list: its head, or the PROCLOCK it is at. */
static int list_step(struct walk *walk, size_t index, const struct tap_memory_read *read)
{
	const struct tap_pg_lock_layout *layout = walk->scan->memory->layout;
	struct tap_pg_lock_list *list = &walk->scan->lists[index];
	struct tap_pg_share_record share;
	struct tap_pg_link head;

	if (!read->ok) {
		list_restart(walk, list);
		return 0;
	}
	if (list->at == list->head) {
		head = tap_pg_link_decode(read->to);
		list->done = tap_pg_link_is_empty(&head, list->head);
		list->at = head.next;
		/* Half of an empty head would be read for ever. */
		if (!list->done && list->at == list->head)
			list_restart(walk, list);
		return 0;
	}
	tap_pg_share_record_decode(layout, read->address, read->to, &share);
	if (share.proc != walk->scan->procs[list->proc].address || share.proc_link.prev != list->before) {
		list_restart(walk, list);
		return 0;
	}
	list->before = list->at;
	list->at = share.proc_link.next;
	list->done = list->at == list->head;
	return share_keep(walk, index, &share);
}

static void step_prepare(const struct walk *walk, const struct tap_pg_lock_list *list, uint8_t *bytes,
			 struct tap_memory_read *ret)
{
	const struct tap_pg_lock_layout *layout = walk->scan->memory->layout;

	if (list->at == list->head)
		*ret = (struct tap_memory_read){ list->head, bytes, sizeof(struct tap_pg_link), false };
	else
		*ret = (struct tap_memory_read){ list->at - layout->share_proc_link, bytes, layout->share_size, false };
}

/* A step of every list that goes on; how many did. */
static int lists_step(struct walk *walk, struct tap_memory_read *reads, uint8_t *bytes, size_t *ret_stepped)
{
	struct tap_pg_lock_scan *scan = walk->scan;
	size_t size = scan->memory->layout->share_size, count = 0, at = 0;
	int err;

	for (size_t i = 0; i < scan->n_lists; i++) {
		if (scan->lists[i].done)
			continue;
		step_prepare(walk, &scan->lists[i], bytes + count * size, &reads[count]);
		count++;
	}
	*ret_stepped = count;
	err = count ? tap_pg_lock_scan_read(scan, reads, count) : 0;
	for (size_t i = 0; i < scan->n_lists && !err && at < count; i++) {
		if (!scan->lists[i].done)
			err = list_step(walk, i, &reads[at++]);
	}
	return err;
}

static int compare_shares(const void *a, const void *b)
{
	const struct tap_pg_share_record *left = a, *right = b;

	if (left->lock != right->lock)
		return left->lock < right->lock ? -1 : 1;
	return (left->address > right->address) - (left->address < right->address);
}

/* What the last walk of each list found, once each, in order. */
static int shares_gather(struct walk *walk)
{
	struct tap_pg_lock_scan *scan = walk->scan;
	size_t kept = 0;

	scan->shares = calloc(walk->n_found + 1, sizeof(*scan->shares));
	if (!scan->shares)
		return -ENOMEM;
	for (size_t i = 0; i < walk->n_found; i++) {
		const struct tap_pg_lock_list *list = &scan->lists[walk->found[i].list];

		if (walk->found[i].tries == list->tries)
			scan->shares[kept++] = walk->found[i].share;
	}
	if (kept)
		qsort(scan->shares, kept, sizeof(*scan->shares), compare_shares);
	scan->n_shares = kept;
	return 0;
}

int tap_pg_lock_scan_shares(struct tap_pg_lock_scan *scan)
{
	struct walk walk = { .scan = scan };
	struct tap_memory_read *reads = calloc(scan->n_lists + 1, sizeof(*reads));
	uint8_t *bytes = calloc(scan->n_lists + 1, scan->memory->layout->share_size);
	size_t stepped = 1;
	int err = reads && bytes ? 0 : -ENOMEM;

	while (stepped && !err)
		err = lists_step(&walk, reads, bytes, &stepped);
	if (!err)
		err = shares_gather(&walk);
	free(walk.found);
	free(reads);
	free(bytes);
	return err;
}

int tap_pg_lock_scan_waiters(struct tap_pg_lock_scan *scan)
{
	free(scan->shares);
	scan->n_shares = 0;
	scan->shares = calloc(scan->n_procs + 1, sizeof(*scan->shares));
	if (!scan->shares)
		return -ENOMEM;
	for (size_t i = 0; i < scan->n_procs; i++) {
		if (scan->procs[i].wait_lock)
			scan->shares[scan->n_shares++] =
				(struct tap_pg_share_record){ .address = scan->procs[i].wait_share,
							      .lock = scan->procs[i].wait_lock };
	}
	if (scan->n_shares)
		qsort(scan->shares, scan->n_shares, sizeof(*scan->shares), compare_shares);
	return 0;
}

/* ---- fast-path locks ---- */

/* What is read of one process, twice. */
struct fast_copy {
	struct tap_pg_fast_record record;
	struct tap_pg_fast_group *groups;
	uint8_t *proc;
	uint64_t *bits; /* of all groups, and */
	uint32_t *relations;
};

/* Whether it may have any: those that lie apart are yet to be read. */
static bool fast_holds(const struct tap_pg_fast_record *fast)
{
	return fast->group.bits || fast->lxid || fast->bits_at;
}

static int fast_add(struct tap_lock_table *table, int32_t pid, struct tap_lock_tag tag, uint16_t held)
{
	struct tap_lock_entry entry = { .tag = tag, .pid = pid, .leader_pid = pid, .held = held, .fast_path = true };

	entry.tag.method = 1;
	return tap_lock_table_add(table, &entry);
}

/* A slot that is the same in both readings was not being written in between. */
static int fast_take_group(uint32_t database, int32_t pid, const struct tap_pg_fast_group *first,
			   const struct tap_pg_fast_group *second, struct tap_lock_table *table)
{
	int err = 0;

	for (size_t i = 0; i < TAP_PG_FAST_SLOTS_MAX && !err; i++) {
		uint16_t held = first->bits >> i * FAST_MODE_BITS & ((1u << FAST_MODE_BITS) - 1);
		uint16_t again = second->bits >> i * FAST_MODE_BITS & ((1u << FAST_MODE_BITS) - 1);
		struct tap_lock_tag tag = { .field1 = database,
					    .field2 = first->relations[i],
					    .type = TAP_LOCK_RELATION };

		if (held && held == again && first->relations[i] == second->relations[i] && tag.field2)
			err = fast_add(table, pid, tag, (uint16_t)(held << TAP_LOCK_MODE_ACCESS_SHARE));
	}
	return err;
}

static int fast_take(const struct fast_copy *first, const struct fast_copy *second, size_t n_groups, int32_t pid,
		     struct tap_lock_table *table)
{
	const struct tap_pg_fast_record *record = &first->record, *again = &second->record;
	struct tap_lock_tag tag = { .field1 = record->backend_id, .field2 = record->lxid, .type = TAP_LOCK_VIRTUALXID };
	int err = 0;

	if (record->database != again->database || record->backend_id != again->backend_id)
		return 0;
	for (size_t i = 0; i < n_groups && !err; i++)
		err = fast_take_group(record->database, pid, &first->groups[i], &second->groups[i], table);
	if (!err && record->lxid && record->lxid == again->lxid)
		err = fast_add(table, pid, tag, 1u << TAP_LOCK_MODE_EXCLUSIVE);
	return err;
}

/* The process anew, and the groups that lie apart. */
static int fast_read(const struct tap_pg_lock_scan *scan, size_t index, size_t n_groups, struct fast_copy *copy,
		     bool *ret_ok)
{
	const struct tap_pg_lock_layout *layout = scan->memory->layout;
	size_t slots = layout->proc_fast_slots, count = layout->fast_apart ? 3 : 1;
	struct tap_memory_read reads[] = {
		{ scan->procs[index].address, copy->proc, layout->proc_size, false },
		{ scan->fast[index].bits_at, copy->bits, n_groups * sizeof(*copy->bits), false },
		{ scan->fast[index].relations_at, copy->relations, n_groups * slots * sizeof(*copy->relations), false },
	};
	int err = tap_pg_lock_scan_read(scan, reads, count);

	*ret_ok = !err && reads[0].ok && (count == 1 || (reads[1].ok && reads[2].ok));
	if (!*ret_ok)
		return err;
	fast_decode(layout, copy->proc, &copy->record);
	if (!layout->fast_apart) {
		copy->groups[0] = copy->record.group;
		return 0;
	}
	for (size_t i = 0; i < n_groups; i++) {
		copy->groups[i].bits = copy->bits[i];
		memcpy(copy->groups[i].relations, copy->relations + i * slots, slots * sizeof(*copy->relations));
	}
	return 0;
}

static int fast_scan(const struct tap_pg_lock_scan *scan, size_t n_groups, struct fast_copy copies[2],
		     struct tap_lock_table *table)
{
	const struct tap_pg_lock_layout *layout = scan->memory->layout;
	int err = 0;

	for (size_t i = 0; i < scan->memory->n_procs && !err; i++) {
		bool ok = true;

		if (!fast_holds(&scan->fast[i]) || scan->procs[i].pid <= 0)
			continue;
		copies[0].record = scan->fast[i];
		copies[0].groups[0] = scan->fast[i].group;
		if (layout->fast_apart)
			err = fast_read(scan, i, n_groups, &copies[0], &ok);
		if (!err && ok)
			err = fast_read(scan, i, n_groups, &copies[1], &ok);
		if (!err && ok)
			err = fast_take(&copies[0], &copies[1], n_groups, scan->procs[i].pid, table);
	}
	return err;
}

int tap_pg_lock_scan_fast(struct tap_pg_lock_scan *scan, struct tap_lock_table *table)
{
	const struct tap_pg_lock_layout *layout = scan->memory->layout;
	size_t n_groups = layout->fast_apart ? scan->memory->n_fast_groups : 1;
	struct fast_copy copies[2] = { 0 };
	int err = 0;

	for (size_t i = 0; i < 2; i++) {
		copies[i].proc = calloc(1, layout->proc_size);
		copies[i].groups = calloc(n_groups, sizeof(*copies[i].groups));
		copies[i].bits = calloc(n_groups, sizeof(*copies[i].bits));
		copies[i].relations = calloc(n_groups, layout->proc_fast_slots * sizeof(*copies[i].relations));
		if (!copies[i].proc || !copies[i].groups || !copies[i].bits || !copies[i].relations)
			err = -ENOMEM;
	}
	if (!err)
		err = fast_scan(scan, n_groups, copies, table);
	for (size_t i = 0; i < 2; i++) {
		free(copies[i].proc);
		free(copies[i].groups);
		free(copies[i].bits);
		free(copies[i].relations);
	}
	return err;
}
