// SPDX-License-Identifier: BSD-2-Clause
/* lookout.c - one thread, one search. */
#include "userspace/consume/lookout.h"

#include <pthread.h>
#include <stdlib.h>

struct tap_search_ahead {
	pthread_t thread;
	const char *proc_root;
	struct tap_target_scope scope;
	struct tap_target_list list;
	struct tap_error err;
	int status;
};

static void *search_run(void *argument)
{
	struct tap_search_ahead *search = argument;

	search->status = tap_targets_find_within(search->proc_root, &search->scope, &search->list, &search->err);
	return NULL;
}

void tap_lookout_begin(struct tap_lookout *lookout, const char *proc_root, const struct tap_target_scope *scope)
{
	struct tap_search_ahead *search = calloc(1, sizeof(*search));

	if (!search)
		return;
	search->proc_root = proc_root;
	search->scope = *scope;
	if (pthread_create(&search->thread, NULL, search_run, search))
		free(search);
	else
		lookout->search = search;
}

int tap_lookout_take(struct tap_lookout *lookout, const char *proc_root, const struct tap_target_scope *scope,
		     struct tap_target_list *ret, struct tap_error *err)
{
	struct tap_search_ahead *search = lookout->search;
	int status;

	if (!search)
		return tap_targets_find_within(proc_root, scope, ret, err);
	lookout->search = NULL;
	pthread_join(search->thread, NULL);
	status = search->status;
	if (status)
		tap_error_set(err, status, "%s", search->err.text);
	else
		*ret = search->list;
	free(search);
	return status;
}

void tap_lookout_done(struct tap_lookout *lookout)
{
	struct tap_target_list list = { 0 };

	if (lookout->search && !tap_lookout_take(lookout, "", NULL, &list, NULL))
		tap_targets_done(&list);
}
