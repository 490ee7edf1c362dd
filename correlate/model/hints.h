/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hints.h - what the rules of hints share: the statements of a window, what each did to each object, how a hint is
 * written down; private to correlate/model.
 */
#ifndef TAP_CORRELATE_MODEL_HINTS_H
#define TAP_CORRELATE_MODEL_HINTS_H

#include "correlate/model/io.h"
#include "userspace/base/strbuf.h"

struct tap_hint_statement_key {
	uint32_t instance;
	uint32_t database;
	uint64_t query_id;
	uint32_t source;
	uint32_t pad;
};

struct tap_hint_statement {
	struct tap_hint_statement_key key; /* first, for the index */
	int64_t executions;		   /* -1: not known */
	uint32_t owner;			   /* one of its rows, the client's if there is one: for the text */
	bool client;
	uint64_t rchar_bytes;
	uint64_t read_bytes;
	uint64_t temp_bytes;
	uint64_t relation_bytes; /* dirtied in relations' files */
};

struct tap_hint_pair_key {
	uint32_t statement;
	uint32_t object;
};

/* What a statement did to an object. */
struct tap_hint_pair {
	struct tap_hint_pair_key key; /* first, for the index */
	uint64_t read_bytes;
	uint64_t read_requests;
	uint64_t pattern_bytes[TAP_PATTERNS];
};

struct tap_hints {
	struct tap_build *build;
	struct tap_io_table statements;
	struct tap_io_table pairs;
	struct tap_io_table found; /* of struct tap_hint_found */
};

static inline struct tap_hint_statement *tap_hint_statement_at(const struct tap_hints *hints, size_t place)
{
	return &((struct tap_hint_statement *)hints->statements.items)[place];
}

static inline struct tap_hint_pair *tap_hint_pair_at(const struct tap_hints *hints, size_t place)
{
	return &((struct tap_hint_pair *)hints->pairs.items)[place];
}

static inline double tap_hint_share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static inline double tap_hint_at_most(double value, double most)
{
	return value < most ? value : most;
}

bool tap_hint_is_relation(enum tap_file_kind kind);

/* the rules (hint_statements.c, hint_instances.c) */

/* About a statement and a table, then about a statement. */
void tap_hints_of_pairs(struct tap_hints *hints);
void tap_hints_of_statements(struct tap_hints *hints);
void tap_hints_of_instances(struct tap_hints *hints);
/* Whether a rule will ask for the sizes of all files, which are not to be had for nothing. */
bool tap_hints_want_sizes(const struct tap_hints *hints);

/* writing one down (hint_write.c) */

struct tap_hint_found {
	uint32_t number; /* the key only numbers them */
	struct tap_view_hint hint;
};

/* The text of a statement; NULL: none. */
const char *tap_hint_text(const struct tap_hints *hints, const struct tap_hint_statement *statement);
/* A hint of this name about an instance or a statement; evidence, advice and confidence are the caller's. */
struct tap_view_hint tap_hint_of_instance(const struct tap_hints *hints, uint32_t number, const char *name);
struct tap_view_hint tap_hint_of(const struct tap_hints *hints, const struct tap_hint_statement *statement,
				 const char *name);
/* Hands `evidence` over to the view. Without advice the hint says nothing of its engine: it is passed over. */
void tap_hint_add(struct tap_hints *hints, const struct tap_view_hint *hint, struct tap_strbuf *evidence);

void tap_hint_put_bytes(struct tap_strbuf *out, uint64_t bytes);
void tap_hint_put_ns(struct tap_strbuf *out, int64_t ns);
void tap_hint_put_percent(struct tap_strbuf *out, double share);
/* "12 executions", or that they could not be counted. */
void tap_hint_put_executions(struct tap_strbuf *out, const struct tap_hint_statement *statement);
/* ", 1.2 MiB each"; nothing where executions are not known. */
void tap_hint_put_each(struct tap_strbuf *out, const struct tap_hint_statement *statement, uint64_t bytes);

#endif
