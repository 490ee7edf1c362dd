/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - what the bench has to know of a database engine: one table for each.
 *
 * A server of our own (throwaway.c) and a load (generator.c) ask nothing else. pg_server.c and load.c fill
 * PostgreSQL's, my_server.c and my_load.c MariaDB's.
 */
#ifndef TAP_USERSPACE_BENCH_ENGINE_H
#define TAP_USERSPACE_BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/base/error.h"
#include "userspace/bench/load.h"
#include "userspace/bench/server_program.h"

struct tap_throwaway_options;

/* Arguments of a program. The first one that finds no memory or no room sets `failed`; the rest is ignored then. */
struct tap_arguments {
	char *texts[TAP_SERVER_PROGRAM_MAX_ARGUMENTS + 1]; /* NULL-terminated */
	size_t count;
	bool failed;
};

void tap_arguments_add(struct tap_arguments *arguments, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tap_arguments_done(struct tap_arguments *arguments);

/* Where a server's programs are; malloc'd. */
struct tap_bench_programs {
	char *server_folder;
	char *installer_folder;
};

void tap_bench_programs_done(struct tap_bench_programs *programs);

/* A server that is being started, or runs. */
struct tap_bench_place {
	const char *folder;
	uint32_t port;	  /* names the socket, where the engine has it do so */
	uint32_t version; /* major, as `version` has it */
	pid_t pid;
};

struct tap_bench_engine {
	const char *name;    /* as --engine has it */
	const char *product; /* in messages */
	const char *absent;  /* what this build lacks to load it, a whole line; NULL: nothing */

	/* A server of our own. */
	const char *server;	  /* its program ... */
	const char *installer;	  /* ... and the one that makes the folder `data` */
	const char *const *users; /* root runs it as the first of these that is there; NULL-terminated */
	const char *lock;	  /* below its folder, there while it runs */
	int stop_signal;	  /* ends it in good order ... */
	int quick_signal;	  /* ... or at once; it gets this one when we end */
	/* `wanted` NULL: searched. -ENOENT, -ENOMEM. */
	int (*find)(const char *wanted, struct tap_bench_programs *ret, struct tap_error *err);
	void (*installer_arguments)(const struct tap_bench_place *place, struct tap_arguments *arguments);
	/* Of the folder `data`; 0: it is none. */
	uint32_t (*version)(const struct tap_bench_place *place);
	void (*server_arguments)(const struct tap_bench_place *place, const struct tap_throwaway_options *options,
				 struct tap_arguments *arguments);
	/* What `answers` and the load connect to, malloc'd. -ENAMETOOLONG, -ENOMEM. */
	int (*where)(const struct tap_bench_place *place, char **ret, struct tap_error *err);
	bool (*answers)(const char *where);
	/* What the instance is called in views. */
	void (*instance)(const struct tap_bench_place *place, char *text, size_t size);

	/* Its load. */
	int (*build)(const char *where, uint32_t scale, struct tap_error *err); /* as tap_schema_build */
	unsigned protocols;							/* a bit for each tap_load_protocol */
	/* The role of a load's worker `index`; NULL for a kind that it has not. */
	const struct tap_load_role *(*role_of)(enum tap_load_kind kind, uint32_t index);
	int (*connect)(const char *where, const char *application, void **ret, struct tap_error *err);
	bool (*is_lost)(void *connection);
	/* After a step that failed: takes the text of the error, and rolls back what is open. */
	void (*recover)(struct tap_load_session *session);
	void (*disconnect)(void *connection); /* NULL is fine */
};

extern const struct tap_bench_engine tap_bench_postgres;
extern const struct tap_bench_engine tap_bench_mariadb;

/* NULL: there is none of that name. */
const struct tap_bench_engine *tap_bench_engine_find(const char *name);

/* What stands for NULL in options: PostgreSQL. */
const struct tap_bench_engine *tap_bench_engine_or_default(const struct tap_bench_engine *engine);

#endif
