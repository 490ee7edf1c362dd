/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * throwaway.h - a database server of our own for a few seconds; which engine's, engine.h says.
 *
 * For `dbtap demo`, `dbtap bench overhead`, and tests. Owns a temporary folder (data, socket, log),
 * the server process as a direct child, and a keeper: a small process that removes the folder if dbtap is killed. It
 * listens on a socket in that folder only, which nobody but the server's user and root can enter, so it trusts who gets
 * there.
 *
 * As root the server runs as the engine's user, else nobody, because servers refuse root; otherwise as the caller.
 * The server ends with the thread that started it. What it is asked (load.h, generator.h) belongs elsewhere.
 */
#ifndef TAP_USERSPACE_BENCH_THROWAWAY_H
#define TAP_USERSPACE_BENCH_THROWAWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/base/error.h"

struct tap_bench_engine;

#define TAP_THROWAWAY_MAX_SETTINGS 32

struct tap_throwaway_options {
	const struct tap_bench_engine *engine; /* NULL: PostgreSQL */
	const char *bin_folder;		       /* of server and installer; NULL: searched, see server_binaries.h */
	const char *parent_folder;	       /* where the temporary folder goes; NULL: $TMPDIR or /tmp */
	const char *preload;		       /* libraries or plugins; NULL: none */
	/* More settings as "name=value", NULL-terminated; later ones win, also over our own. NULL: none. */
	const char *const *settings;
	uint32_t shared_buffers_mb; /* 0: 64 */
	uint32_t max_connections;   /* 0: 100 */
	uint32_t port;		    /* only names the socket; 0: 5432 */
	uint32_t timeout_ms;	    /* for the installer and for the start, each; 0: 60,000 */
	bool fsync;		    /* default off: nothing here has to survive a power cut */
	bool keep; /* let server and folder outlive us: no death signal, no keeper, `stop` only frees */
	bool (*interrupted)(void *context); /* asked every few ms while starting; NULL: never */
	void *context;
};

struct tap_throwaway;

/*
 * Returns when the server accepts connections. After a failure nothing is left, neither process nor folder. -ENOENT: no
 * server programs or no user to run as; -EINTR: interrupted; -ETIMEDOUT; -EIO: the installer or the server failed, its
 * own last words are in the error.
 */
int tap_throwaway_start(const struct tap_throwaway_options *options, struct tap_throwaway **ret, struct tap_error *err);

/*
 * Stops the server (fast, then immediate, then by force), removes the folder, frees; NULL is fine. With `keep` it only
 * frees. -EIO when something could not be removed.
 */
int tap_throwaway_stop(struct tap_throwaway *throwaway, struct tap_error *err);

/* For the engine's `connect`; PostgreSQL: libpq's, superuser postgres, database postgres. Valid until stop. */
const char *tap_throwaway_conninfo(const struct tap_throwaway *throwaway);
const char *tap_throwaway_folder(const struct tap_throwaway *throwaway);
const char *tap_throwaway_bin_folder(const struct tap_throwaway *throwaway);
uint32_t tap_throwaway_port(const struct tap_throwaway *throwaway);
pid_t tap_throwaway_pid(const struct tap_throwaway *throwaway);
/* What views call the instance. */
void tap_throwaway_instance(const struct tap_throwaway *throwaway, char *text, size_t size);
uint32_t tap_throwaway_version(const struct tap_throwaway *throwaway); /* major: 15; 0: not known */

#endif
