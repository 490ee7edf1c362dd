// SPDX-License-Identifier: BSD-2-Clause
/* paired.c - walks the on/off schedule and hands the rates to estimate.c. The reasons are in paired.h. */
#include "userspace/bench/paired.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/base/clock.h"

#define NS_PER_MS 1000000ull
#define WINDOWS_PER_QUAD 4
#define WINDOWS_PER_SIDE 2 /* on or off, in a quad */
#define DEFAULT_BLOCK_QUADS 2

/* One arm: its quads so far and where it is in the order of windows. */
struct arm {
	struct tap_quad *quads;
	uint32_t done;
	uint32_t window;
};

struct toggle {
	uint64_t total_ns;
	uint64_t max_ns;
	uint64_t last_ns;
	uint64_t count;
};

struct session {
	const struct tap_paired_options *options;
	const struct tap_paired_hooks *hooks;
	struct tap_error *err;
	struct arm real;
	struct arm null_run;
	uint32_t quads_per_arm;
	struct toggle attach;
	struct toggle detach;
	bool attached;
	bool null_on; /* what the null arm pretends */
	bool stopped; /* `interrupted` has said so once */
};

static bool is_on(uint32_t window)
{
	return !(__builtin_popcount(window) & 1);
}

static uint64_t now(const struct session *session)
{
	if (session->hooks->now_ns)
		return session->hooks->now_ns(session->hooks->context);
	return (uint64_t)tap_clock_ns(CLOCK_MONOTONIC);
}

static bool interrupted(struct session *session)
{
	if (!session->stopped && session->hooks->interrupted)
		session->stopped = session->hooks->interrupted(session->hooks->context);
	return session->stopped;
}

static void sleep_once(const struct session *session, uint64_t until_ns)
{
	struct timespec at = { .tv_sec = (time_t)(until_ns / 1000000000ull),
			       .tv_nsec = (long)(until_ns % 1000000000ull) };

	if (session->hooks->sleep_until_ns)
		session->hooks->sleep_until_ns(session->hooks->context, until_ns);
	else
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static int sleep_for(struct session *session, uint64_t span_ns)
{
	uint64_t until_ns = now(session) + span_ns;

	while (now(session) < until_ns) {
		if (interrupted(session))
			return -EINTR;
		sleep_once(session, until_ns);
	}
	return interrupted(session) ? -EINTR : 0;
}

static void note_toggle(struct toggle *toggle, uint64_t took_ns)
{
	toggle->count++;
	toggle->total_ns += took_ns;
	toggle->last_ns = took_ns;
	if (took_ns > toggle->max_ns)
		toggle->max_ns = took_ns;
}

static int set_attached(struct session *session, bool on)
{
	uint64_t begin_ns = now(session);
	int err;

	if (session->attached == on)
		return 0;
	err = on ? session->hooks->attach(session->hooks->context, session->err)
		 : session->hooks->detach(session->hooks->context, session->err);
	if (err)
		return err;
	session->attached = on;
	note_toggle(on ? &session->attach : &session->detach, now(session) - begin_ns);
	return 0;
}

static int set_state(struct session *session, bool real, bool on)
{
	bool change = session->null_on != on;
	int err;

	if (real)
		return set_attached(session, on);
	err = set_attached(session, false);
	session->null_on = on;
	if (err || !change)
		return err;
	return sleep_for(session, on ? session->attach.last_ns : session->detach.last_ns);
}

static int measure_window(struct session *session, double *ret_per_second)
{
	const struct tap_paired_hooks *hooks = session->hooks;
	uint64_t begin, end, begin_ns, end_ns;
	int err = hooks->read(hooks->context, &begin, session->err);

	if (err)
		return err;
	begin_ns = now(session);
	err = sleep_for(session, session->options->window_ms * NS_PER_MS);
	if (err)
		return err;
	err = hooks->read(hooks->context, &end, session->err);
	if (err)
		return err;
	end_ns = now(session);
	if (end < begin || end_ns <= begin_ns)
		return tap_error_set(session->err, -EPROTO,
				     "the load's counter or clock went backwards; run the bench again");
	*ret_per_second = (double)(end - begin) * 1e9 / (double)(end_ns - begin_ns);
	return 0;
}

static int run_window(struct session *session, struct arm *arm, struct tap_quad *quad)
{
	bool on = is_on(arm->window);
	double per_second = 0;
	int err;

	if (interrupted(session))
		return -EINTR;
	err = set_state(session, arm == &session->real, on);
	if (!err)
		err = sleep_for(session, session->options->settle_ms * NS_PER_MS);
	if (!err)
		err = measure_window(session, &per_second);
	if (err)
		return err;
	arm->window++;
	*(on ? &quad->on : &quad->off) += per_second / WINDOWS_PER_SIDE;
	return 0;
}

static int run_quad(struct session *session, struct arm *arm)
{
	const struct tap_paired_hooks *hooks = session->hooks;
	struct tap_quad quad = { 0 };

	for (int i = 0; i < WINDOWS_PER_QUAD; i++) {
		int err = run_window(session, arm, &quad);

		if (err)
			return err;
	}
	if (quad.off <= 0)
		return tap_error_set(
			session->err, -ENODATA,
			"the load finished nothing while nothing was attached; use longer windows or fewer workers");
	arm->quads[arm->done++] = quad;
	if (hooks->progress)
		hooks->progress(hooks->context, session->real.done + session->null_run.done,
				2 * session->quads_per_arm);
	return 0;
}

static int run_block(struct session *session, struct arm *arm)
{
	uint32_t quads = session->options->block_quads ? session->options->block_quads : DEFAULT_BLOCK_QUADS;
	int err = 0;

	for (uint32_t i = 0; !err && i < quads && arm->done < session->quads_per_arm; i++)
		err = run_quad(session, arm);
	return err;
}

/* Blocks follow the same order as windows, so each arm comes first as often as second. */
static int run_blocks(struct session *session)
{
	int err = 0;

	for (uint32_t block = 0; !err; block++) {
		if (session->real.done == session->quads_per_arm && session->null_run.done == session->quads_per_arm)
			break;
		err = run_block(session, is_on(block) ? &session->real : &session->null_run);
	}
	return err;
}

static int check_options(const struct tap_paired_options *options, struct tap_error *err)
{
	if (options->pairs < 4 || options->pairs > 1000000)
		return tap_error_set(err, -EINVAL, "pairs: %u is out of range; give 4 to 1000000", options->pairs);
	if (options->window_ms < 1 || options->window_ms > 60000)
		return tap_error_set(err, -EINVAL, "window: %u ms is out of range; give 1 to 60000",
				     options->window_ms);
	if (options->settle_ms > 10000)
		return tap_error_set(err, -EINVAL, "settle time: %u ms is out of range; give 0 to 10000",
				     options->settle_ms);
	return 0;
}

static uint32_t quads_of(const struct tap_paired_options *options)
{
	return options->pairs / 2 + options->pairs % 2;
}

uint64_t tap_paired_planned_ms(const struct tap_paired_options *options)
{
	uint64_t windows = 2ull * WINDOWS_PER_QUAD * quads_of(options);

	return windows * ((uint64_t)options->window_ms + options->settle_ms);
}

static int make_result(const struct session *session, bool partial, struct tap_paired_result *result)
{
	const struct toggle *attach = &session->attach, *detach = &session->detach;
	int err = tap_estimate_make(session->real.quads, session->real.done, &result->real);

	if (err)
		return err;
	if (session->null_run.done >= 2) {
		err = tap_estimate_make(session->null_run.quads, session->null_run.done, &result->null_run);
		if (err)
			return err;
		result->corrected = tap_estimate_correct(&result->real, &result->null_run);
		result->null_pairs = 2 * session->null_run.done;
	}
	result->partial = partial;
	result->real_pairs = 2 * session->real.done;
	result->attach_mean_ns = attach->count ? attach->total_ns / attach->count : 0;
	result->attach_max_ns = attach->max_ns;
	result->detach_mean_ns = detach->count ? detach->total_ns / detach->count : 0;
	result->detach_max_ns = detach->max_ns;
	return 0;
}

static int conclude(const struct session *session, int run_err, uint64_t elapsed_ns, struct tap_paired_result *ret)
{
	struct tap_paired_result result = { .elapsed_ns = elapsed_ns };
	int err;

	/* A hook's own EINTR, without a request to stop, is a failure like any other. */
	if (run_err && !(run_err == -EINTR && session->stopped))
		return run_err;
	if (session->real.done < 2)
		return tap_error_set(session->err, -EINTR,
				     "stopped before two quads were measured; let the bench run longer");
	err = make_result(session, run_err != 0, &result);
	if (err)
		return tap_error_set(session->err, err, "cannot evaluate the measurement: %s", strerror(-err));
	*ret = result;
	return 0;
}

static int run_session(struct session *session, struct tap_paired_result *ret)
{
	uint64_t begin_ns = now(session), elapsed_ns;
	int run_err = run_blocks(session), detach_err;

	elapsed_ns = now(session) - begin_ns;
	detach_err = set_attached(session, false);
	return detach_err ? detach_err : conclude(session, run_err, elapsed_ns, ret);
}

int tap_paired_run(const struct tap_paired_options *options, const struct tap_paired_hooks *hooks,
		   struct tap_paired_result *ret, struct tap_error *err)
{
	struct session session = { .options = options, .hooks = hooks, .err = err };
	int code = check_options(options, err);

	if (code)
		return code;
	session.quads_per_arm = quads_of(options);
	session.real.quads = calloc(session.quads_per_arm, sizeof(*session.real.quads));
	session.null_run.quads = calloc(session.quads_per_arm, sizeof(*session.null_run.quads));
	if (!session.real.quads || !session.null_run.quads)
		code = tap_error_set(err, -ENOMEM, "no memory for %u pairs; ask for fewer", options->pairs);
	else
		code = run_session(&session, ret);
	free(session.real.quads);
	free(session.null_run.quads);
	return code;
}
