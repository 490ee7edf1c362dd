/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io.h - the block I/O of one window, summed by owner, by object, by both, by disk; private to correlate/model.
 *
 * Built once per view (io.c) from the difference of two struct tap_io_set; the query rows (io_queries.c), the lists of
 * the io view (io_lists.c) and the hints (hints.c) read it. Without tracing there is none.
 */
#ifndef TAP_CORRELATE_MODEL_IO_H
#define TAP_CORRELATE_MODEL_IO_H

#include "correlate/model/build.h"

enum {
	TAP_IO_RELATIONS_MAX = 20, /* shown of one query */
};

#define TAP_IO_NONE UINT32_MAX

struct tap_io_sum {
	struct tap_io read;
	struct tap_io write; /* by who submitted */
	uint64_t flushes;
	uint64_t discard_bytes;
	uint64_t dirtied_bytes;
	uint64_t charged_bytes;
};

/* A file of the window: which object it is, decoded when it is first asked for. */
struct tap_io_file {
	struct tap_file_key key; /* first, for the index */
	uint32_t entry;		 /* in the files of the end; NONE: its place was not recorded */
	uint32_t hint;		 /* an instance that used it, TAP_INSTANCE_NONE */
	uint32_t object;	 /* NONE: not decoded yet */
};

/* What segments, forks and, where the catalog tells, the files before and after a rewrite have in common. */
struct tap_io_object_key {
	uint32_t instance; /* TAP_INSTANCE_NONE: of no watched one */
	uint32_t database;
	uint32_t oid; /* 0: not known, `path` tells */
	char path[sizeof(((struct tap_file_object *)0)->path)];
};

struct tap_io_object {
	struct tap_io_object_key key; /* first, for the index; every byte is set */
	enum tap_file_kind kind;
	const struct tap_object *known; /* by the catalog; NULL: not */
	uint64_t size_bytes;		/* of its main fork's files when they were first seen; after tap_io_sizes */
	bool wanted;			/* by --instance and --database */
	struct tap_io_sum *sum;		/* NULL: nothing in the window */
};

/* Whose requests. Kind NONE: of what was written, the part whose dirtier nobody saw. */
struct tap_io_owner {
	struct tap_row_key row; /* first, for the index */
	bool wanted;
	struct tap_io_sum *sum;
	uint64_t temp_bytes;	   /* dirtied in temporary files */
	uint64_t brought_in_bytes; /* read from a device of files, not of the file system's own */
	int64_t calls;		   /* statements of a client's row, ended or running; -1: not known */
	const char *text;	   /* once asked for; in the view's memory */
	bool text_asked;
	uint32_t first_cell; /* its cells, most bytes first */
	uint32_t n_cells;
};

struct tap_io_cell_key {
	uint32_t owner;
	uint32_t object;
};

/* What one owner did to one object. */
struct tap_io_cell {
	struct tap_io_cell_key key; /* first, for the index */
	uint64_t read_bytes;
	uint64_t read_requests;
	uint64_t read_pattern_bytes[TAP_PATTERNS];
	uint64_t submitted_bytes;
	uint64_t charged_bytes;
	uint64_t dirtied_bytes;
};

struct tap_io_charge_key {
	uint32_t object;
	uint32_t dirtier; /* owner */
	uint32_t writer_kind;
};

struct tap_io_charge {
	struct tap_io_charge_key key; /* first, for the index */
	uint64_t bytes;
};

/* The rows of a statement: its sessions' and those of their parallel workers. */
struct tap_io_group_key {
	uint32_t instance;
	uint32_t database;
	uint32_t user;
	uint32_t source;
	uint64_t query_id;
};

/* What they asked of read system calls together, and what was read from a device for them. */
struct tap_io_group {
	struct tap_io_group_key key; /* first, for the index */
	uint64_t rchar_bytes;
	uint64_t brought_in_bytes;
};

/* Requests of those whom a checkpoint may slow down. */
struct tap_io_others {
	struct tap_io read;
	struct tap_io write;
	struct tap_io flush;
};

struct tap_io_disk {
	uint32_t disk;
	struct tap_io_sum *sum;
	/* Of everybody but checkpointers and the kernel's threads: outside of checkpoints, during them; NULL: none. */
	struct tap_io_others *others[2];
};

/* A list that grows, with an index by the beginning of its items. */
struct tap_io_table {
	void *items;
	size_t count;
	size_t capacity;
	size_t item_size;
	struct tap_hash index;
};

struct tap_io_model {
	struct tap_build *build;
	struct tap_arena memory; /* of the sums */
	struct tap_io_set window;
	struct tap_io_table files;
	struct tap_io_table objects;
	struct tap_io_table owners;
	struct tap_io_table cells;
	struct tap_io_table charges;
	struct tap_io_table groups;
	struct tap_io_disk disks[TAP_DISKS_MAX];
	size_t n_disks;
};

/* *ret is NULL when the window was not traced. 0 or -ENOMEM. */
int tap_io_model_new(struct tap_build *build, struct tap_io_model **ret);
/* NULL is fine. */
void tap_io_model_free(struct tap_io_model *model);

static inline struct tap_io_object *tap_io_object_at(const struct tap_io_model *model, size_t place)
{
	return &((struct tap_io_object *)model->objects.items)[place];
}

static inline struct tap_io_owner *tap_io_owner_at(const struct tap_io_model *model, size_t place)
{
	return &((struct tap_io_owner *)model->owners.items)[place];
}

static inline struct tap_io_cell *tap_io_cell_at(const struct tap_io_model *model, size_t place)
{
	return &((struct tap_io_cell *)model->cells.items)[place];
}

/* The owner of a row; NULL: no I/O. */
const struct tap_io_owner *tap_io_owner_find(const struct tap_io_model *model, const struct tap_row_key *row);

/* Says how many statements a row had. */
void tap_io_owner_calls(struct tap_io_model *model, const struct tap_row_key *row, int64_t calls);

/* The text of an owner's statement, made once: it is the same in all lists. NULL: none. In the view's memory. */
const char *tap_io_owner_text(struct tap_io_model *model, uint32_t owner);

/* "public.accounts", "base/5/16384", "pg_wal"; in the view's memory. */
const char *tap_io_object_name(const struct tap_io_model *model, const struct tap_io_object *object);
/* Of an index or a TOAST table; NULL: none. In the view's memory. */
const char *tap_io_object_parent(const struct tap_io_model *model, const struct tap_io_object *object);
/* The id of the instance that owns it; NULL: none. Borrowed from the input. */
const char *tap_io_object_instance(const struct tap_io_model *model, const struct tap_io_object *object);

/* files (io_files.c) */

void tap_io_table_init(struct tap_io_table *table, size_t item_size, size_t key_size);
void tap_io_table_done(struct tap_io_table *table);
/* The place of a key; NONE: not there. */
uint32_t tap_io_table_find(const struct tap_io_table *table, const void *key);
/* The same, made (the rest of the item zeroed) when missing; NONE: out of memory. Items may move. */
uint32_t tap_io_table_get(struct tap_io_table *table, const void *key);

/* Every file of the window with the instance that uses it. 0 or -ENOMEM. */
int tap_io_files_fill(struct tap_io_model *model);
/* The object that a file is of; NONE: out of memory. */
uint32_t tap_io_file_object(struct tap_io_model *model, const struct tap_file_key *key);
/* Decodes all files and sums up the objects' sizes: once, and only where they are needed. 0 or -ENOMEM. */
int tap_io_sizes(struct tap_io_model *model);

/* sums (io.c) */

void tap_io_sum_u64(uint64_t *to, uint64_t bytes); /* stays at its largest instead of wrapping */
int64_t tap_io_signed(uint64_t value);		   /* the same for what a view keeps signed */
struct tap_view_latency tap_io_latency(const struct tap_io *io);

/* What others than checkpointers asked of a disk; NULL: nothing. */
const struct tap_io_others *tap_io_disk_others(const struct tap_io_model *model, uint32_t disk, bool during);

/* Orders cells by their bytes, most first. */
uint64_t tap_io_cell_bytes(const struct tap_io_cell *cell);

/* figures of query rows (io_queries.c) */

/* Sums up the statements' rows. 0 or -ENOMEM. */
int tap_io_groups_fill(struct tap_io_model *model);

void tap_io_figures_fill(const struct tap_build *build, const struct tap_row *row, const char *text,
			 struct tap_figures *figures);
/* The latencies and relations of a query's row; false: there are none, because of *ret_reason. */
bool tap_io_query_fill(struct tap_build *build, const struct tap_row_key *row, struct tap_view_query *query,
		       enum tap_reason *ret_reason);
/* All I/O figures, for one reason. */
void tap_io_figures_absent(struct tap_figures *figures, enum tap_reason reason);

#endif
