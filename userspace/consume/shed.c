// SPDX-License-Identifier: BSD-2-Clause
/*
 * shed.c - which sessions are probed when not all are: those whose pids have the least hashes, so that the choice has
 * nothing to do with what they run, and stays.
 */
#include "userspace/consume/shed.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "bpf/abi/kind.h"
#include "userspace/attach/proc.h"
#include "userspace/base/clock.h"

enum {
	REFRESH_MS = 2000,
	PIDS_MAX = 256, /* of sampled sessions: each is a link */
};

void tap_shed_init(struct tap_shed *shed, double budget_percent)
{
	*shed = (struct tap_shed){ .wall_ns = tap_clock_ns(CLOCK_MONOTONIC) };
	tap_governor_init(&shed->governor, budget_percent);
}

void tap_shed_begin(struct tap_shed *shed)
{
	shed->partial = shed->governor.level != TAP_GOVERNOR_ALL;
	shed->steps = 0;
}

const char *tap_shed_level_name(enum tap_governor_level level)
{
	static const char *const names[TAP_GOVERNOR_LEVELS] = { "all", "some", "few", "none" };

	return level < TAP_GOVERNOR_LEVELS ? names[level] : "none";
}

static uint32_t hash_of(int32_t pid)
{
	return (uint32_t)pid * 2654435761u;
}

static int by_hash(const void *a, const void *b)
{
	uint32_t left = hash_of(*(const int32_t *)a), right = hash_of(*(const int32_t *)b);

	return (left > right) - (left < right);
}

static bool is_no_client(const struct tap_snapshot *known, int32_t pid)
{
	for (size_t i = 0; i < known->n_threads; i++) {
		const struct tap_thread *thread = &known->threads[i];

		if (thread->tid == pid)
			return thread->identity.kind != TAP_KIND_CLIENT && thread->identity.kind != TAP_KIND_STARTING;
	}
	return false;
}

/* Appends the sessions of one server. */
static int sessions_add(const struct tap_proc *all, size_t n_all, int32_t server, const struct tap_snapshot *known,
			int32_t **pids, size_t *count)
{
	struct tap_proc *tree;
	int32_t *grown;
	size_t n_tree;
	int status = tap_proc_tree(all, n_all, server, &tree, &n_tree);

	if (status)
		return status == -ESRCH ? 0 : status;
	grown = reallocarray(*pids, *count + n_tree + 1, sizeof(*grown));
	if (grown)
		*pids = grown;
	for (size_t i = 1; grown && i < n_tree; i++) {
		if (!is_no_client(known, tree[i].pid))
			grown[(*count)++] = tree[i].pid;
	}
	free(tree);
	return grown ? 0 : -ENOMEM;
}

/* All sessions of the instances. *ret is malloc'd. */
static int sessions_find(const struct tap_instances *instances, const struct tap_snapshot *known, int32_t **ret,
			 size_t *ret_count)
{
	struct tap_proc *all;
	int32_t *pids = NULL;
	size_t n_all, count = 0;
	int status = tap_proc_list("/proc", &all, &n_all);

	if (status)
		return status;
	for (size_t i = 0; i < instances->count && !status; i++) {
		const struct tap_followed *followed = &instances->items[i];

		if (followed->alive && !followed->unprobed)
			status = sessions_add(all, n_all, followed->target.pid, known, &pids, &count);
	}
	free(all);
	if (status) {
		free(pids);
		return status;
	}
	*ret = pids;
	*ret_count = count;
	return 0;
}

/* Puts the probes where the level says; what it came to is the governor's share. */
static int apply(struct tap_shed *shed, struct tap_tracer *tracer, const struct tap_instances *instances,
		 const struct tap_snapshot *known)
{
	double share = tap_governor_share(shed->governor.level);
	int32_t *pids = NULL;
	size_t count = 0, chosen;
	int status;

	if (shed->governor.level == TAP_GOVERNOR_ALL || shed->governor.level == TAP_GOVERNOR_NONE) {
		shed->governor.share = share;
		return share > 0 ? tap_tracer_probe_all(tracer) : tap_tracer_probe_some(tracer, NULL, 0);
	}
	status = sessions_find(instances, known, &pids, &count);
	if (status)
		return status;
	if (count)
		qsort(pids, count, sizeof(*pids), by_hash);
	chosen = (size_t)((double)count * share);
	chosen = count && !chosen ? 1 : chosen < PIDS_MAX ? chosen : PIDS_MAX;
	status = tap_tracer_probe_some(tracer, pids, chosen);
	shed->governor.share = count ? (double)chosen / (double)count : share;
	free(pids);
	return status;
}

static void say(const struct tap_shed *shed, enum tap_governor_level before, double percent, struct tap_error *ret)
{
	static const char *const what[TAP_GOVERNOR_LEVELS] = { "all sessions are probed again",
							       "a fourth of the sessions is probed",
							       "a sixteenth of the sessions is probed",
							       "no session is probed" };

	if (shed->governor.level > before)
		tap_error_set(
			ret, 0,
			"statement depth costs %.3g %% of a core, more than its budget of %g %%: from here on %s; "
			"raise --budget to keep it",
			percent, shed->governor.budget_percent, what[shed->governor.level]);
	else
		tap_error_set(ret, 0, "statement depth is inside its budget of %g %%: from here on %s",
			      shed->governor.budget_percent, what[shed->governor.level]);
}

bool tap_shed_look(struct tap_shed *shed, struct tap_tracer *tracer, const struct tap_cost *cost,
		   const struct tap_instances *instances, const struct tap_snapshot *known, struct tap_error *ret)
{
	enum tap_governor_level before = shed->governor.level;
	int64_t now_ms = tap_clock_ms();
	double percent;

	if (now_ms < shed->look_ms)
		return false;
	shed->look_ms = now_ms + TAP_GOVERNOR_LOOK_MS;
	percent = tap_cost_trap_rate(cost, tracer, &shed->hits, &shed->wall_ns);
	if (tap_governor_look(&shed->governor, now_ms, percent) == before) {
		/* Sessions come and go. */
		if (shed->governor.level != TAP_GOVERNOR_ALL && shed->governor.level != TAP_GOVERNOR_NONE &&
		    now_ms >= shed->refresh_ms) {
			shed->refresh_ms = now_ms + REFRESH_MS;
			apply(shed, tracer, instances, known);
		}
		return false;
	}
	shed->partial = true;
	shed->steps++;
	shed->refresh_ms = now_ms + REFRESH_MS;
	/* Who cannot be probed again stays where it was. */
	if (apply(shed, tracer, instances, known) && shed->governor.level < before) {
		shed->governor.level = before;
		apply(shed, tracer, instances, known);
		return false;
	}
	say(shed, before, percent, ret);
	return true;
}
