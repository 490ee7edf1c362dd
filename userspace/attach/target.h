/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h - a database instance found on this host: who it is and where its memory is.
 *
 * Found from /proc alone (executable, symbols, memory); nothing is asked of the server. Used by every command.
 */
#ifndef TAP_USERSPACE_ATTACH_TARGET_H
#define TAP_USERSPACE_ATTACH_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/engine.h"
#include "bpf/abi/pg_layout.h"
#include "userspace/base/error.h"

/* Addresses of variables that only userspace reads, in every process of a PostgreSQL instance. */
struct tap_pg_variables {
	uint64_t my_proc_pid;	     /* int MyProcPid */
	uint64_t my_database_id;     /* Oid MyDatabaseId */
	uint64_t my_start_timestamp; /* TimestampTz MyStartTimestamp */
	uint64_t my_backend_type;    /* BackendType MyBackendType */
	uint64_t exiting;	     /* bool proc_exit_inprogress */
	/* 0: not exported. */
	uint64_t proc_global;	 /* PROC_HDR *ProcGlobal */
	uint64_t prepared_procs; /* PGPROC *PreparedXactProcs */
	uint64_t max_prepared;	 /* int max_prepared_xacts */
	/* From version 18. */
	uint64_t fast_groups;	     /* int FastPathLockGroupsPerBackend */
	uint64_t aio_control;	     /* PgAioCtl *pgaio_ctl */
	uint64_t buffer_blocks;	     /* char *BufferBlocks */
	uint64_t buffer_descriptors; /* BufferDescPadded *BufferDescriptors */
	uint64_t n_buffers;	     /* int NBuffers */
};

struct tap_target {
	enum tap_engine engine;
	const char *name;	/* literal: "mariadb", "mysql": of an engine that has several products; NULL: its own */
	const char *product;	/* literal, for people; NULL: the engine's */
	char id[64];		/* "postgres-5432"; a second one of the same port gets "postgres-5432-<pid>" */
	char version[32];	/* "15.18" */
	int32_t version_number; /* 150018 */
	uint16_t machine;	/* of the ELF header */
	int32_t pid;		/* of the postmaster, as this host sees it */
	uint64_t start_ticks;	/* start time of that process (/proc/PID/stat field 22): tells a reused pid */
	char *exe;		/* path of the binary in the instance's own mount namespace */
	char *data_dir;		/* as this host sees it, through /proc/PID/root where namespaces differ */
	/* The folder itself, which stays the same over restarts where its path does not; inode 0: it cannot be seen. */
	uint64_t data_device;
	uint64_t data_inode;
	char *socket; /* its local socket, or PostgreSQL's folder of it, as this host sees it; NULL: none */
	char *listen; /* first listen address; NULL: none */
	int32_t port;
	char build_id[41];     /* hex; "" when the binary has none */
	int32_t max_backends;  /* from memory; 0 unknown */
	int32_t activity_size; /* track_activity_query_size */
	bool query_ids;	       /* compute_query_id is effectively on, as far as the postmaster knows */
	struct tap_pg_layout layout;
	struct tap_pg_addresses addresses;
	struct tap_pg_variables variables;
	int64_t start_us;		 /* when the server says it started, since the Unix epoch */
	char *cluster_name;		 /* of the process titles; NULL: none */
	uint64_t statement_end_offset;	 /* in the file, of the function that a uprobe counts statements by; 0: none */
	uint64_t statement_error_offset; /* ... and of the one that those come to which fail; 0: none */
	char *proc_root;		 /* where it was found; NULL: "/proc" */
	char layout_source[192];	 /* "table row 15 x86-64, checked against 12 processes" */
	void *own;			 /* what its engine keeps besides; freed by that */
	char refused[TAP_ERROR_MAX];	 /* not empty: found, but cannot be traced, and why and what to do */
};

struct tap_target_list {
	struct tap_target *items;
	size_t count;
};

/* A server that was found before. */
struct tap_target_known {
	int32_t pid;
	uint64_t start_ticks;
};

/*
 * All instances on this host. Instances whose layout cannot be established are in the list with `refused` set. Returns
 * 0 also when there are none; -EACCES when /proc does not show other users' processes. `proc_root` is "/proc" but for
 * tests.
 */
int tap_targets_find(const char *proc_root, struct tap_target_list *ret, struct tap_error *err);

/* Who needs no close look, which is what a search takes long for with many sessions. Zeroed: everyone gets it. */
struct tap_target_scope {
	const struct tap_target_known *known;
	size_t n_known;
	/* Whether this server is of any use to the caller: it has its name and place by then. NULL: all are. */
	bool (*wants)(const void *context, const struct tap_target *target);
	const void *context;
};

/* The same; those that get no close look have their names and places, and perhaps no layout. */
int tap_targets_find_within(const char *proc_root, const struct tap_target_scope *scope, struct tap_target_list *ret,
			    struct tap_error *err);
void tap_targets_done(struct tap_target_list *list);

/* Frees what the target owns. NULL is fine. */
void tap_target_done(struct tap_target *target);

/* Whether the process is still the one that was found. */
bool tap_target_alive(const struct tap_target *target);

/* Whether both run on the same data folder: one is the other, started again. */
bool tap_target_is_same_place(const struct tap_target *a, const struct tap_target *b);

/* Pids of all its processes: the postmaster and all its descendants. *ret is malloc'd. */
int tap_target_processes(const struct tap_target *target, int32_t **ret, size_t *ret_count);

#endif
