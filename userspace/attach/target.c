// SPDX-License-Identifier: BSD-2-Clause
/*
 * target.c - the database instances of this host, and what all of them have, whatever their engine.
 *
 * Called by every command. Goes over /proc once and lets each engine find its own (userspace/attach/engine.h).
 */
#include "userspace/attach/target.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/attach/engine.h"
#include "userspace/attach/proc.h"

static const struct tap_attach *const engines[TAP_ENGINE_COUNT] = {
#define X(id, name) [TAP_ENGINE_##id] = &tap_attach_##name,
	TAP_ENGINES(X)
#undef X
};

const struct tap_attach *tap_attach_of(enum tap_engine engine)
{
	return engines[(unsigned)engine < TAP_ENGINE_COUNT ? engine : 0];
}

/* ---- for engines ---- */

struct tap_target *tap_targets_add(struct tap_target_list *list)
{
	struct tap_target *items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return NULL;
	list->items = items;
	memset(&items[list->count], 0, sizeof(*items));
	return &items[list->count++];
}

void tap_target_refuse(struct tap_target *target, const char *format, ...)
{
	char reason[TAP_ERROR_MAX];
	struct tap_error line;
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	tap_error_set(&line, 0, "%s", reason);
	snprintf(target->refused, sizeof(target->refused), "%s", line.text);
}

static int compare_targets(const void *a, const void *b)
{
	const struct tap_target *left = a;
	const struct tap_target *right = b;

	if (left->port != right->port)
		return left->port < right->port ? -1 : 1;
	if (left->name && right->name && strcmp(left->name, right->name))
		return strcmp(left->name, right->name);
	if (left->start_ticks != right->start_ticks)
		return left->start_ticks < right->start_ticks ? -1 : 1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Servers of two products may have one port, on two addresses: their names differ anyway. */
static bool shares_name(const struct tap_target *before, const struct tap_target *target)
{
	return before->data_dir && before->port == target->port &&
	       (!before->name || !target->name || !strcmp(before->name, target->name));
}

/* The oldest instance of a port has the short name. */
void tap_targets_name(struct tap_target_list *list, size_t first, const char *stem)
{
	struct tap_target *items = list->items + first;
	size_t count = list->count - first;

	if (count)
		qsort(items, count, sizeof(*items), compare_targets);
	for (size_t i = 0; i < count; i++) {
		struct tap_target *target = &items[i];
		const char *name = target->name ? target->name : stem;

		/* A server that listens on no port has none to be called by. */
		if (!target->data_dir || !target->port)
			snprintf(target->id, sizeof(target->id), "%s-pid-%d", name, target->pid);
		else if (i && shares_name(&items[i - 1], target))
			snprintf(target->id, sizeof(target->id), "%s-%d-%d", name, target->port, target->pid);
		else
			snprintf(target->id, sizeof(target->id), "%s-%d", name, target->port);
	}
}

void tap_running_done(struct tap_running_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].text);
	free(list->items);
	*list = (struct tap_running_list){ 0 };
}

/* ---- the search ---- */

/* Process 1 always exists; a /proc that hides it (hidepid) hides servers too. */
static bool proc_is_hiding(const struct tap_target_search *search)
{
	const struct tap_proc *init = tap_proc_find(search->procs, search->n_procs, 1);

	return !init || !init->state;
}

/* While the server lives: its root goes with it. */
static void folder_identify(struct tap_target *target)
{
	struct stat folder;

	if (!target->data_dir || stat(target->data_dir, &folder))
		return;
	target->data_device = folder.st_dev;
	target->data_inode = folder.st_ino;
}

/* Why a server that ended while it was looked at could not be read is nobody's concern. */
static void ended_remove(struct tap_target_list *list, size_t first)
{
	size_t kept = first;

	for (size_t i = first; i < list->count; i++) {
		if (*list->items[i].refused && !tap_target_alive(&list->items[i]))
			tap_target_done(&list->items[i]);
		else
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

static int engines_find(const struct tap_target_search *search, struct tap_target_list *list, struct tap_error *err)
{
	int code = 0;

	if (proc_is_hiding(search))
		return tap_error_set(err, -EACCES, "%s does not show other users' processes; run dbtap as root",
				     search->proc_root);
	for (int i = 0; i < TAP_ENGINE_COUNT && !code; i++) {
		size_t first = list->count;

		code = engines[i]->find(search, list);
		for (size_t j = first; j < list->count; j++) {
			list->items[j].engine = (enum tap_engine)i;
			folder_identify(&list->items[j]);
		}
		ended_remove(list, first);
	}
	if (code)
		tap_error_set(err, code, "instances cannot be searched for: %s", strerror(-code));
	return code;
}

bool tap_target_needs_look(const struct tap_target_search *search, struct tap_target *target)
{
	const struct tap_target_scope *scope = search->scope;

	for (size_t i = 0; i < scope->n_known; i++) {
		if (scope->known[i].pid == target->pid && scope->known[i].start_ticks == target->start_ticks)
			return false;
	}
	folder_identify(target);
	return !scope->wants || scope->wants(scope->context, target);
}

int tap_targets_find(const char *proc_root, struct tap_target_list *ret, struct tap_error *err)
{
	const struct tap_target_scope everyone = { .n_known = 0 };

	return tap_targets_find_within(proc_root, &everyone, ret, err);
}

int tap_targets_find_within(const char *proc_root, const struct tap_target_scope *scope, struct tap_target_list *ret,
			    struct tap_error *err)
{
	struct tap_target_search search = { .proc_root = proc_root, .scope = scope };
	struct tap_target_list list = { 0 };
	struct tap_proc *procs;
	int code = tap_proc_list(proc_root, &procs, &search.n_procs);

	if (code)
		return tap_error_set(err, code, "%s cannot be read: %s; mount the proc file system there", proc_root,
				     strerror(-code));
	search.procs = procs;
	code = engines_find(&search, &list, err);
	free(procs);
	if (code)
		tap_targets_done(&list);
	else
		*ret = list;
	return code;
}

void tap_target_done(struct tap_target *target)
{
	if (!target)
		return;
	if (tap_attach_of(target->engine)->target_done)
		tap_attach_of(target->engine)->target_done(target);
	free(target->exe);
	free(target->data_dir);
	free(target->socket);
	free(target->listen);
	free(target->cluster_name);
	free(target->proc_root);
	*target = (struct tap_target){ 0 };
}

void tap_targets_done(struct tap_target_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		tap_target_done(&list->items[i]);
	free(list->items);
	*list = (struct tap_target_list){ 0 };
}

static const char *target_root(const struct tap_target *target)
{
	return target->proc_root ? target->proc_root : "/proc";
}

bool tap_target_alive(const struct tap_target *target)
{
	struct tap_proc proc;

	return !tap_proc_read(target_root(target), target->pid, &proc) && proc.start_ticks == target->start_ticks &&
	       proc.state != 'Z';
}

bool tap_target_is_same_place(const struct tap_target *a, const struct tap_target *b)
{
	if (a->engine != b->engine)
		return false;
	if (a->data_inode && b->data_inode)
		return a->data_device == b->data_device && a->data_inode == b->data_inode;
	return a->port == b->port && a->data_dir && b->data_dir && !strcmp(a->data_dir, b->data_dir);
}

int tap_target_processes(const struct tap_target *target, int32_t **ret, size_t *ret_count)
{
	struct tap_proc *all, *tree;
	size_t n_all, count;
	int32_t *pids;
	int err = tap_proc_list(target_root(target), &all, &n_all);

	if (err)
		return err;
	err = tap_proc_tree(all, n_all, target->pid, &tree, &count);
	free(all);
	if (err)
		return err;
	if (tree[0].start_ticks != target->start_ticks) {
		free(tree);
		return -ESRCH;
	}
	pids = calloc(count, sizeof(*pids));
	for (size_t i = 0; pids && i < count; i++)
		pids[i] = tree[i].pid;
	free(tree);
	if (!pids)
		return -ENOMEM;
	*ret = pids;
	*ret_count = count;
	return 0;
}
