// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_names_preload.c - loaded into an installed server's binary by test_wait_events: prints the names that binary
 * itself has for every wait event number and exits before the server's main. One "NUMBER CLASS EVENT" line each.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The server's own functions, resolved from the executable this object is loaded into. */
extern const char *pgstat_get_wait_event(unsigned int number);
extern const char *pgstat_get_wait_event_type(unsigned int number);

enum {
	EVENTS_PER_CLASS = 200,
	CLASS_BUFFER_PIN = 4, /* has one event until 18; before 17 any number has its name */
	CLASS_EXTENSION = 7,  /* from 17 on names past the first are in shared memory, which is not there */
};

static sigjmp_buf nowhere;

static void jump(int number)
{
	(void)number;
	siglongjmp(nowhere, 1);
}

/* From 19 on names of extensions' tranches are looked up in shared memory, which is not there; before, they had one. */
static const char *event_name_of(unsigned int number)
{
	if (sigsetjmp(nowhere, 1))
		return "extension";
	return pgstat_get_wait_event(number);
}

static void print_class(unsigned int class_number)
{
	unsigned int count = EVENTS_PER_CLASS;
	const char *pin = pgstat_get_wait_event_type(CLASS_BUFFER_PIN << 24);

	if ((class_number == CLASS_BUFFER_PIN && pin && !strcmp(pin, "BufferPin")) || class_number == CLASS_EXTENSION)
		count = 1;
	for (unsigned int i = 0; i < count; i++) {
		unsigned int number = class_number << 24 | i;
		const char *class_name = pgstat_get_wait_event_type(number);
		const char *event_name = event_name_of(number);

		printf("%u\t%s\t%s\n", number, class_name ? class_name : "", event_name ? event_name : "");
	}
}

__attribute__((constructor)) static void print_all(void)
{
	static const unsigned int classes[] = { 1, 3, 4, 5, 6, 7, 8, 9, 10 };

	signal(SIGSEGV, jump);
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		print_class(classes[i]);
	fflush(stdout);
	_Exit(0);
}
