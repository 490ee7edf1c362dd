/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view.h - the immutable result of one window, the only thing a renderer reads.
 *
 * correlate/model fills it, userspace/output prints it. No renderer computes: what it shows is here. Every string is
 * raw bytes from the host, the database or a client and hostile until the renderer has escaped it; NULL is "absent".
 * All memory belongs to the view and goes with tap_view_free.
 */
#ifndef TAP_CORRELATE_VIEW_H
#define TAP_CORRELATE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/io.h"
#include "correlate/figure.h"
#include "correlate/lock.h"
#include "correlate/memory.h"
#include "userspace/base/arena.h"

/* A field outside the figures that could not be had, and why. */
struct tap_absence {
	const char *field;
	const char *reason;
};

struct tap_view_wait {
	const char *class_name; /* "Lock" */
	const char *event_name; /* "transactionid" */
	uint64_t count;		/* sleeps */
	int64_t ns;
};

/* Percentiles of a latency histogram, within 6.3 %; all -1: nothing was counted. */
struct tap_view_latency {
	int64_t p50;
	int64_t p95;
	int64_t p99;
	int64_t max;
};

/* Block requests of one direction. */
struct tap_view_requests {
	uint64_t requests;
	uint64_t bytes;
	uint64_t pattern_bytes[TAP_PATTERNS]; /* they add up to `bytes` */
	uint64_t asked_bytes; /* what the submitter's own system call had asked for; the rest was read ahead */
	uint64_t failed;
	uint64_t queue_ns;
	uint64_t device_ns;
	struct tap_view_latency latency;	/* submitted to completed */
	struct tap_view_latency device_latency; /* issued to completed */
	uint64_t sizes[TAP_SIZE_BUCKETS];
	uint64_t octaves[TAP_LATENCY_OCTAVES]; /* the latency histogram by powers of two from 1 us */
};

/*
 * One row of the io view: a query, a relation (or other object), a device or a stream. What a list has no use for is
 * NULL, 0 or -1.
 */
struct tap_view_io {
	const char *instance; /* NULL: of no watched instance */
	const char *database;
	const char *user;
	/* Of the owner: "client", "checkpointer", "kernel", "other"; "unseen": who dirtied was not seen; NULL: several.
	 */
	const char *kind;
	const char *query_id;
	const char *query_id_source;
	const char *query;
	const char *relation;	     /* "public.accounts"; without a catalog "base/5/16384"; "pg_wal" */
	const char *relation_kind;   /* tap_file_kind_name */
	const char *relation_parent; /* the table of an index or a TOAST table; NULL: none, or not known */
	const char *device;	     /* "vda" */
	int64_t pid;		     /* a stream's session; 0: kernel threads, or several */
	const char *pattern;	     /* a stream's: "sequential", "near", "random" by most bytes */
	struct tap_view_requests read;
	struct tap_view_requests write; /* by who submitted */
	uint64_t charged_write_bytes;	/* written by whomever, charged to who dirtied; of a device: 0 */
	uint64_t dirtied_bytes;
	uint64_t flushes; /* asked for; the device may do more (for journals) and fewer (for several at once) */
	uint64_t discard_bytes;
	/* A query's: asked of read system calls, and what of it the page cache gave; rchar_bytes 0: neither is known.
	 */
	int64_t rchar_bytes;
	int64_t cache_read_bytes;
	/* A device's own counters in the window, and what of them no row has; -1: not a device. */
	int64_t counted_read_bytes;
	int64_t counted_write_bytes;
	int64_t counted_flushes; /* that the device did */
	int64_t residual_read_bytes;
	int64_t residual_write_bytes;
};

/* A checkpoint or restartpoint of which a part lies in the window; what is not known (yet) is -1. */
struct tap_view_checkpoint_run {
	const char *phase; /* "preparing", "writing", "syncing", "finishing": it runs; "ended", "failed" */
	int64_t begin_ns;  /* since the epoch */
	int64_t end_ns;
	int64_t write_ns;
	int64_t sync_ns;
	int64_t longest_sync_ns;
	int64_t buffers;
	int64_t files; /* synced */
};

/* Requests of one direction in a part of the window; -1: there was no such part. */
struct tap_view_span {
	int64_t requests;
	struct tap_view_latency latency;
};

/* The checkpoints of one instance, and what they did to the others that use its devices. */
struct tap_view_checkpoints {
	const char *instance;
	const char *devices; /* "vda, vdb"; NULL: none that are traced */
	int64_t count;	     /* that ran in the window, or a part of it; -1: not known, as all the rest */
	int64_t running_ns;  /* how much of the window */
	double running_percent;
	int64_t running_since_ns; /* since the epoch; -1: none runs at the end of the window */
	bool cut;		  /* there may have been more */
	/* Charged to the checkpointer in the window, and submitted by it; -1: not known. */
	int64_t write_bytes;
	int64_t submitted_write_bytes;
	/* Of everybody but checkpointers and the kernel's threads. */
	struct tap_view_span read_during;
	struct tap_view_span read_outside;
	struct tap_view_span write_during;
	struct tap_view_span write_outside;
	struct tap_view_span flush_during; /* what a commit waits for last */
	struct tap_view_span flush_outside;
	struct tap_view_checkpoint_run *runs; /* oldest first */
	size_t n_runs;
	struct tap_absence *absent;
	size_t n_absent;
};

/* Bytes written to devices of what one owner dirtied, by who submitted them. */
struct tap_view_blame {
	const char *instance;
	const char *relation;
	const char *relation_kind;
	/* Kind: "client", "checkpointer"; "unseen": before the attach, or the file system's own. */
	const char *dirtied_by;
	const char *query_id; /* of who dirtied; NULL: none */
	const char *query;
	const char *written_by; /* kind of who submitted: "kernel", "checkpointer", "client" */
	uint64_t bytes;
};

/* Something worth doing, with what it rests on. */
struct tap_view_hint {
	const char *hint; /* "full_scan", "random_heap", "temp_spill", "checkpoint_latency", "backend_writes" */
	const char *instance;
	const char *database;
	const char *relation;
	const char *query_id;
	const char *query;
	double confidence; /* 0 to 1 */
	const char *evidence;
	const char *advice;
};

/* A relation (or other object) a query read or wrote. */
struct tap_view_relation {
	const char *name;
	const char *kind;
	const char *parent; /* the table of an index or a TOAST table; NULL: none, or not known */
	uint64_t read_bytes;
	uint64_t read_requests;
	uint64_t read_pattern_bytes[TAP_PATTERNS];
	uint64_t write_bytes; /* charged to who dirtied */
	uint64_t dirtied_bytes;
};

/* Errors of one code. */
struct tap_view_error {
	const char *sqlstate; /* "23505"; NULL: not known */
	uint64_t count;
};

/* One query, auxiliary process kind or idle state. */
struct tap_view_query {
	const char *instance;
	const char *database;	     /* NULL: none */
	const char *user;	     /* NULL: none */
	const char *kind;	     /* never NULL */
	const char *query_id;	     /* the engine's own notation; NULL: none */
	const char *query_id_source; /* "engine" or "own"; NULL with query_id */
	const char *digest;	     /* the server's own name of a statement with an own id; NULL: none, or not asked */
	const char *query;	     /* NULL: none or unknown */
	struct tap_figures figures;
	struct tap_view_wait *waits; /* largest first */
	size_t n_waits;
	struct tap_view_latency latency_ns; /* of its statements; all -1: not known, or none ended */
	struct tap_view_error *errors;	    /* most frequent first; of `figures`, by their codes */
	size_t n_errors;
	struct tap_view_latency io_latency_ns; /* of its requests */
	struct tap_view_relation *relations;   /* most bytes first */
	size_t n_relations;
	struct tap_absence *absent; /* fields of this row, beside figures.absent */
	size_t n_absent;
};

/* One statement, as it ended; the times add up to its duration. */
struct tap_view_statement {
	const char *instance;
	const char *database;
	const char *user;
	int64_t pid;
	const char *query_id;
	const char *query_id_source;
	const char *query;
	bool cut;	  /* the text went on */
	int64_t ended_ns; /* since the epoch */
	int64_t duration_ns;
	int64_t cpu_ns;
	int64_t runq_ns;
	int64_t wait_ns;
	int64_t unknown_ns;
	struct tap_view_wait *waits; /* largest first */
	size_t n_waits;
	uint64_t minor_faults;
	uint64_t major_faults;
	uint64_t rchar_bytes;
	uint64_t wchar_bytes;
	uint64_t read_bytes;
	uint64_t dirtied_bytes;
	bool slow; /* as long as was asked for; otherwise one of its query's slowest */
	bool failed;
	const char *sqlstate; /* NULL: it did not fail, or not known */
};

struct tap_view_session {
	const char *instance;
	int64_t pid;
	int64_t tid;
	int64_t connection_id; /* 0: absent */
	int64_t leader_pid;    /* 0: absent */
	int64_t client_pid;    /* 0: absent */
	const char *kind;
	const char *database;
	const char *user;
	const char *application;
	const char *client; /* "[local]", "10.0.0.7:41234"; NULL: a background process */
	const char *state;  /* PostgreSQL's words: active, idle, idle in transaction, ...; NULL: a background process */
	int64_t state_since_ns;	      /* age of the state at the end of the window, -1: absent */
	int64_t transaction_since_ns; /* age of the open transaction, -1: none or absent */
	const char *wait_class;	      /* NULL: not waiting */
	const char *wait_event;
	const char *query_id;
	const char *query_id_source;
	const char *query;
	struct tap_figures figures;
	struct tap_absence *absent;
	size_t n_absent;
};

/* One wait event of one instance. */
struct tap_view_event {
	const char *instance;
	const char *class_name;
	const char *event_name;
	uint64_t count;
	int64_t ns;
	double percent;		  /* of the waits of the instance's rows that are not idle */
	uint64_t sessions;	  /* threads in it at the end of the window */
	const char *top_query_id; /* the row that lost most to it; NULL: it has no query id */
	const char *top_query;
	const char *top_kind;
	int64_t top_ns;
	bool idle; /* a wait for work (class Activity, ClientRead of an idle session), not of a query */
};

/* One process; figures that could not be had are TAP_MEMORY_NONE. */
struct tap_view_process {
	const char *instance;
	int64_t pid;
	const char *kind; /* NULL: a session of it is not known */
	const char *database;
	const char *user;
	const char *state;
	const char *query_id;
	const char *query;
	struct tap_process_memory memory;
	int64_t anon_growth; /* since the window began, or the process, if that was later */
};

struct tap_view_memory_group {
	const char *instance;
	const char *path;
	struct tap_memory_group memory; /* its path is not the view's */
	int64_t oom_kills;		/* in the window */
};

/* A process that was killed for want of memory. */
struct tap_view_kill {
	const char *instance;
	int64_t at_ns; /* since the epoch */
	int64_t pid;
	const char *kind;
	const char *database;
	const char *user;
	const char *query_id;
	const char *query;
	int64_t anon;
};

struct tap_view_host_memory {
	struct tap_host_memory memory;
	int64_t some_stall_ns; /* in the window */
	int64_t full_stall_ns;
};

struct tap_view_instance {
	const char *id;	     /* "postgres-5432" */
	const char *engine;  /* "postgres" */
	const char *version; /* "15.18" */
	int64_t pid;
	int64_t port; /* 0: none */
	const char *data_dir;
	const char *build_id; /* hex; NULL: the binary carries none */
	const char *layout;   /* how its memory layout was found: "table 15 x86-64, checked against 12 processes" */
	bool connected;
	const char *not_connected_why; /* NULL when connected */
	const char *lock_source;       /* "shared memory", or the engine's lock_views; NULL: not read */
	uint64_t processes;	       /* at the end of the window */
	struct tap_figures figures;    /* of all its rows */
};

struct tap_view_loss {
	const char *reason;
	const char *meaning;
	uint64_t count;
};

struct tap_view {
	const char *tool_version;
	const char *depth; /* "ambient" */
	const char *host_name;
	const char *kernel;
	int64_t cpus;
	int64_t start_realtime_ns; /* since the epoch */
	int64_t end_realtime_ns;
	double seconds;

	struct tap_view_instance *instances;
	size_t n_instances;
	struct tap_view_loss *losses; /* all reasons, also those that are 0 */
	size_t n_losses;

	double bpf_cpu_percent; /* of one core; negative: absent */
	double trap_cpu_percent;
	double fingerprint_cpu_percent; /* part of bpf_cpu_percent spent on own fingerprints */
	double tool_cpu_percent;
	int64_t tool_rss_bytes;
	double budget_percent; /* of one core; 0: none */
	const char *probed;    /* at statement depth, which sessions: "all", "some", "few", "none"; NULL: ambient */
	bool over_budget;      /* what is left in the kernel and the servers takes more than that */

	struct tap_figures totals; /* of all rows */
	double attributed_percent; /* of the thread time of all rows, what is not unknown */

	struct tap_absence *absent; /* figures no row can have in this run */
	size_t n_absent;

	struct tap_view_query *queries; /* sorted and limited as asked */
	size_t n_queries;
	size_t n_queries_all; /* before the limit */
	struct tap_view_session *sessions;
	size_t n_sessions;
	size_t n_sessions_all;
	struct tap_view_event *events;
	size_t n_events;
	size_t n_events_all;

	/* The io view's lists, most bytes first; limited as asked. */
	struct tap_view_io *io_queries;
	size_t n_io_queries;
	struct tap_view_io *io_relations;
	size_t n_io_relations;
	struct tap_view_io *io_devices;
	size_t n_io_devices;
	struct tap_view_io *io_streams;
	size_t n_io_streams;
	struct tap_view_blame *io_blame;
	size_t n_io_blame;
	struct tap_view_checkpoints *checkpoints; /* in the order of the instances, or as asked */
	size_t n_checkpoints;
	struct tap_view_hint *hints; /* most confident first */
	size_t n_hints;

	/* The memory view's lists: largest first. */
	struct tap_view_process *processes;
	size_t n_processes;
	size_t n_processes_all; /* before the limit */
	struct tap_view_memory_group *memory_groups;
	size_t n_memory_groups;
	struct tap_view_kill *kills; /* in the order in which they were */
	size_t n_kills;
	struct tap_view_host_memory *host_memory;
	size_t n_host_memory; /* 1 where the view is one of memory */

	struct tap_lock_view locks;

	struct tap_view_statement *statements; /* longest first, or as they ended */
	size_t n_statements;
	size_t n_statements_all;

	struct tap_arena memory; /* of everything above */
};

/* NULL is fine. */
void tap_view_free(struct tap_view *view);

#endif
