/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scripted_libpq.h - a stand-in for libpq that plays a script, so that every outcome of a login and of a query is
 * tested without a server.
 *
 * A program whose name ends in _scripted is linked with scripted_libpq.o instead of -lpq; the code under test calls PQ*
 * as always. Each login and each query takes the next step of the script and must be what the step expects. The calls
 * that change the effective user are played too: no test really changes who it is. What does not fit the script ends
 * the program with a line on stderr. Not thread-safe.
 */
#ifndef TAP_TESTS_LIB_SCRIPTED_LIBPQ_H
#define TAP_TESTS_LIB_SCRIPTED_LIBPQ_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum tap_scripted_outcome {
	/* of a login */
	TAP_SCRIPTED_LOGIN,	     /* accepted */
	TAP_SCRIPTED_REFUSED,	     /* by the server, with `message` */
	TAP_SCRIPTED_WANTS_PASSWORD, /* and there is none */
	TAP_SCRIPTED_UNREACHABLE,    /* known at once */
	TAP_SCRIPTED_NO_SOCKET,	     /* no descriptor to wait for */
	TAP_SCRIPTED_NO_MEMORY,
	/* of a login or a query */
	TAP_SCRIPTED_HANG, /* after the rows, if any: no word any more */
	/* of a query; `rows` come first */
	TAP_SCRIPTED_ROWS,    /* complete */
	TAP_SCRIPTED_ERROR,   /* with `state` (NULL: none) and `message` */
	TAP_SCRIPTED_FATAL,   /* the same, and the server hangs up */
	TAP_SCRIPTED_LOST,    /* hangs up without a word */
	TAP_SCRIPTED_ENDLESS, /* the rows again and again */
	TAP_SCRIPTED_COPY,    /* not rows but a stream */
	TAP_SCRIPTED_NOTHING, /* no result at all */
	TAP_SCRIPTED_SEND_FAILS,
	TAP_SCRIPTED_FLUSH_FAILS,
	TAP_SCRIPTED_FLUSH_SLOW,  /* takes the statement in pieces, then answers with the rows */
	TAP_SCRIPTED_FLUSH_HANGS, /* never takes it */
	TAP_SCRIPTED_FLUSH_LOST,  /* hangs up before it has taken it */
};

struct tap_scripted_step {
	const char *expect; /* part of the connection string or statement; NULL: any */
	enum tap_scripted_outcome outcome;
	int version; /* of a login: PQserverVersion; 0: 150018 */
	int columns;
	int rows;
	const char *const *cells; /* rows * columns; NULL is SQL NULL */
	const int *sizes;	  /* of the cells; NULL: up to their NUL */
	unsigned type;		  /* oid of all columns; 0: text */
	bool as_text;		  /* answers in text format though binary was asked for */
	int late;		  /* arrives only after so many reads */
	const char *state;
	const char *message;
};

#define TAP_SCRIPTED_PID 4711

/* Start a script; `steps` must live until it is finished. */
void tap_scripted_play(const struct tap_scripted_step *steps, size_t count);
/* Every step was taken, every connection closed, every result cleared. */
void tap_scripted_finish(void);

/* The server hangs up on the idle connection. */
void tap_scripted_hang_up(void);

/* What the last login said for a keyword ("" is a value); NULL: nothing. Valid until the next call. */
const char *tap_scripted_conninfo(const char *keyword);
/* The last statement, and its n-th parameter (NULL: none). */
const char *tap_scripted_sql(void);
const char *tap_scripted_param(int n);

/*
 * Be this user, in groups 5 and 6, from now on; `failing` names calls that fail, as in "setgroups(71) seteuid(0)"
 * (NULL: none). There are two users: 70 "postgres" of group 71, 80 "pgadmin" of group 81.
 */
void tap_scripted_identity(uid_t uid, const char *failing);
/* The calls that changed it: "setgroups(71) setegid(71) seteuid(70) ". */
const char *tap_scripted_identity_log(void);

#endif
