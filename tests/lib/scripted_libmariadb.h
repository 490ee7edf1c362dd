/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scripted_libmariadb.h - a stand-in for libmariadb that plays a script, so that every outcome of a login and of a
 * query is tested without a server.
 *
 * A program whose name ends in _scripted is linked with it instead of -lmariadb; who we are is played by
 * scripted_libpq.h. Each login and each query takes the next step of the script and must be what the step expects. What
 * would wait for the server, and what does not fit the script, ends the program with a line on stderr. Not thread-safe.
 */
#ifndef TAP_TESTS_LIB_SCRIPTED_LIBMARIADB_H
#define TAP_TESTS_LIB_SCRIPTED_LIBMARIADB_H

#include <stdbool.h>
#include <stddef.h>

enum tap_scripted_my_outcome {
	/* of a login */
	TAP_SCRIPTED_MY_LOGIN,	   /* accepted */
	TAP_SCRIPTED_MY_DEAF,	   /* accepted; takes no farewell when it is closed */
	TAP_SCRIPTED_MY_REFUSED,   /* with `number` and `message` */
	TAP_SCRIPTED_MY_NO_SOCKET, /* no descriptor to wait for, ever */
	TAP_SCRIPTED_MY_NO_MEMORY,
	/* of a login or a query */
	TAP_SCRIPTED_MY_HANG, /* after the rows, if any: no word any more */
	/* of a query; `rows` come first */
	TAP_SCRIPTED_MY_ROWS,	     /* complete; with 0 columns: no rows at all */
	TAP_SCRIPTED_MY_ERROR,	     /* with `number` and `message`, in the place of rows */
	TAP_SCRIPTED_MY_ERROR_AFTER, /* the same, behind the rows */
	TAP_SCRIPTED_MY_LOST,	     /* hangs up behind the rows, if any */
	TAP_SCRIPTED_MY_ENDLESS,     /* the rows again and again */
	TAP_SCRIPTED_MY_TWICE,	     /* another result behind this one */
	TAP_SCRIPTED_MY_NO_RESULT,   /* no memory for the result */
	TAP_SCRIPTED_MY_NO_LENGTHS,
};

struct tap_scripted_my_step {
	/* Part of a login as tap_scripted_my_login has it, or of a statement; NULL: any. */
	const char *expect;
	enum tap_scripted_my_outcome outcome;
	const char *version; /* of a login; NULL: "10.11.19-MariaDB" */
	unsigned columns;
	unsigned rows;
	const char *const *cells;   /* rows * columns; NULL is SQL NULL */
	const unsigned long *sizes; /* of the cells; NULL: up to their NUL */
	int late;		    /* done only after so many waits */
	unsigned number;
	const char *message;
};

#define TAP_SCRIPTED_MY_ID 4711

/* Start a script; `steps` must live until it is finished. */
void tap_scripted_my_play(const struct tap_scripted_my_step *steps, size_t count);
/* Every step was taken, every connection closed, every result freed. */
void tap_scripted_my_finish(void);

/* The server hangs up on the idle connection. */
void tap_scripted_my_hang_up(void);
/* The connection was shut down before it was closed: no farewell. */
bool tap_scripted_my_was_cut_off(void);

/* The last login: "user=... host=... port=... socket=... database=... password=...", and its options, a line each. */
const char *tap_scripted_my_login(void);
const char *tap_scripted_my_options(void);
/* The last statement. */
const char *tap_scripted_my_sql(void);

#endif
