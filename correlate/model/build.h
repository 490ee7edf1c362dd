/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * build.h - shared by the parts of a view under construction; private to correlate/model.
 */
#ifndef TAP_CORRELATE_MODEL_BUILD_H
#define TAP_CORRELATE_MODEL_BUILD_H

#include "correlate/engine/terms.h"
#include "correlate/model/alias.h"
#include "correlate/model/window.h"
#include "correlate/row.h"

struct tap_io_model;

struct tap_build {
	const struct tap_window_input *input;
	struct tap_view *view;
	struct tap_arena *arena;
	struct tap_row_set rows;	     /* the window: end - begin, of the wanted instance and database */
	struct tap_statement_set statements; /* the window, of all rows; empty at ambient depth */
	struct tap_aliases aliases;
	struct tap_io_model *io; /* NULL: block requests were not traced */
};

/* What is known of an instance; NULL when the index means nothing here. */
const struct tap_window_instance *tap_build_instance(const struct tap_build *build, uint32_t index);
/* Whether --instance and --database ask for it. */
bool tap_build_row_is_wanted(const struct tap_build *build, const struct tap_row_key *key);
/* The name of an oid, or its digits; NULL for oid 0. In the arena. */
const char *tap_build_name(struct tap_build *build, uint32_t instance, enum tap_name_kind kind, uint32_t oid);
/* The engine's notation of a query id; NULL without one. */
const char *tap_build_query_id(struct tap_build *build, uint8_t source, uint64_t query_id);
const char *tap_build_source(uint8_t source);
/* The text to show: normalised unless literals were asked for; NULL when none was seen. */
const char *tap_build_text(struct tap_build *build, uint32_t instance, uint8_t source, uint64_t query_id);
/* The same of a text at hand. */
const char *tap_build_redact(struct tap_build *build, uint32_t instance, const char *raw);
/* What a session's statement is called, and its text; an own id where the engine has none. */
struct tap_build_statement {
	const char *query_id;
	const char *query_id_source;
	const char *query;
};
struct tap_build_statement tap_build_session_statement(struct tap_build *build, uint32_t instance,
						       const struct tap_session *session);
/* The name the session brings, else the oid's. */
const char *tap_build_name_or_oid(struct tap_build *build, uint32_t instance, enum tap_name_kind kind, const char *name,
				  uint32_t oid);
const char *tap_build_kind(uint8_t kind);
/* The words of an instance's engine. */
const struct tap_terms *tap_build_terms(const struct tap_build *build, uint32_t instance);
/* Whether a text is of a command that reports its progress: what the engine writes then says nothing of statements. */
bool tap_build_reports_progress(const struct tap_build *build, uint32_t instance, const char *text);
void tap_build_event(struct tap_build *build, uint32_t instance, uint32_t event, const char **ret_class,
		     const char **ret_name);

/* Time, bytes and counts of an account and its waits; calls and running are the caller's. */
void tap_build_figures(struct tap_figures *ret, const struct tap_account *account, int64_t wait_ns, uint64_t sleeps);
void tap_build_absent(struct tap_figures *figures, enum tap_figure figure, enum tap_reason reason);
void tap_build_figures_add(struct tap_figures *to, const struct tap_figures *from);

/* Whether the sessions a row's statements ran in had so many unseen ones that calls cannot be told. See unseen.c. */
struct tap_unseen;
struct tap_unseen *tap_unseen_new(struct tap_build *build);
void tap_unseen_free(struct tap_unseen *unseen);
bool tap_unseen_spoils(const struct tap_unseen *unseen, const struct tap_row *row);

/* What statement depth knows of a row: latencies and errors. statements.c. */
void tap_build_statement_figures(struct tap_build *build, struct tap_view_query *query, const struct tap_row *row);

/* A field of a row beside the figures that could not be had. queries.c. */
void tap_build_query_absent(struct tap_build *build, struct tap_view_query *query, const char *field,
			    const char *reason);

/* The lists; each sorts and limits its own. */
int tap_build_queries(struct tap_build *build);
int tap_build_sessions(struct tap_build *build);
int tap_build_events(struct tap_build *build);
/* After the queries, and only when the view is one of I/O. */
int tap_build_disks(struct tap_build *build);	    /* of the lists of block I/O, the devices */
int tap_build_io(struct tap_build *build);	    /* the others */
int tap_build_checkpoints(struct tap_build *build); /* also where block requests are not traced; before the hints */
int tap_build_hints(struct tap_build *build);
/* After the sessions, and only where memory was read. */
int tap_build_memory(struct tap_build *build);
/* Only when the view is one of locks. */
int tap_build_locks(struct tap_build *build);
/* Only when statements were told of one by one. slow.c. */
int tap_build_statements(struct tap_build *build);

#endif
