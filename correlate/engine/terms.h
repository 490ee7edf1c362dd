/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * terms.h - what the numbers and file names of an engine mean, in the engine's own words.
 *
 * One table per engine, all of it pure: values in, names out. correlate/model and correlate/file ask here; nothing else
 * of correlate knows which engines there are. Functions are never NULL.
 */
#ifndef TAP_CORRELATE_ENGINE_TERMS_H
#define TAP_CORRELATE_ENGINE_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/engine.h"
#include "correlate/file.h"

enum {
	TAP_WAIT_CLASS_MAX = 16,
	TAP_WAIT_NAME_MAX = 64,
};

/* What a hint (correlate/model/hints) suggests to do. */
enum tap_advice {
	TAP_ADVICE_FULL_SCAN,
	TAP_ADVICE_RANDOM_HEAP,
	TAP_ADVICE_TEMP_SPILL,
	TAP_ADVICE_MAINTENANCE_SPILL, /* of a command that reports its progress */
	TAP_ADVICE_CHECKPOINT_LATENCY,
	TAP_ADVICE_BACKEND_WRITES,
	TAP_ADVICE_COUNT
};

/* What is to be done about who blocks others. */
enum tap_lock_advice {
	TAP_LOCK_ADVICE_IDLE,	  /* a transaction left open */
	TAP_LOCK_ADVICE_PREPARED, /* one that was prepared and left */
	TAP_LOCK_ADVICE_QUEUE,	  /* a strong lock that others queue behind */
	TAP_LOCK_ADVICE_COUNT
};

struct tap_strbuf;

struct tap_terms {
	const char *name;	  /* "postgres": in views */
	const char *const *stems; /* how ids of instances begin, before "-<port>"; ends with NULL */
	const char *client_read;  /* name of the wait event of a session that waits for its client */
	const char *lock_views;	  /* what a server is asked for its locks where memory does not tell; in the plural */

	bool threads; /* sessions are threads of one process */

	/* In terms of the engine's own settings; NULL: such a hint says nothing of it, and is not given. */
	const char *advice[TAP_ADVICE_COUNT];
	const char *lock_advice[TAP_LOCK_ADVICE_COUNT]; /* never NULL */
	const char *sort_memory;			/* the setting that bounds what a sort or hash may take */

	/* Both names of a wait event, always: "unknown" and "unknown-0x0b000001" stand in for what is not known. */
	void (*wait_event)(int32_t version_number, uint32_t event, char ret_class[TAP_WAIT_CLASS_MAX],
			   char ret_name[TAP_WAIT_NAME_MAX]);
	/* Whether the wait is one for work to do, not one within a task. */
	bool (*wait_event_is_idle)(uint32_t event);

	/*
	 * What a file is that lies below one of its instance's folders; `ret` has the instance and is empty otherwise.
	 * Always fills kind and path.
	 */
	void (*file_below)(const struct tap_file_root *root, const struct tap_file_place *place,
			   struct tap_file_object *ret);
	/*
	 * What a file is whose folder is not known, when all names of the place have the shape of a data folder or of a
	 * part of one; false: they do not. `ret` as above.
	 */
	bool (*file_by_shape)(const struct tap_file_place *place, struct tap_file_object *ret);

	/* Whether a statement reports its progress where others report statements, so that none can be counted by it.
	 */
	bool (*statement_reports_progress)(const char *text);

	/* The own id of a text, the one that the kernel side makes of the same bytes; never 0. */
	uint64_t (*statement_id)(const char *text, size_t size);
	/* Appends the text with its literals taken out. */
	void (*statement_normalise)(const char *text, size_t size, struct tap_strbuf *out);
};

#define X(id, name) extern const struct tap_terms tap_terms_##name;
TAP_ENGINES(X)
#undef X

/* Never NULL: what is no engine has the first one's. */
const struct tap_terms *tap_terms_of(enum tap_engine engine);

/* The engine whose instances are called so: "postgres-5432". False: none's. */
bool tap_engine_of_id(const char *id, enum tap_engine *ret);

#endif
