// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_paired.c - the on/off schedule against a simulated host: its clock, its load's speed and what attaching costs
 * are known, so what the measurement says can be compared with the truth.
 */
#include "userspace/bench/paired.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

#define MS 1000000ull
#define RUNS 200
#define MAX_WINDOWS 20000

struct host {
	uint64_t now_ns;
	double done;	   /* work so far */
	double effect;	   /* share lost while attached */
	double noise;	   /* of each stretch of time on its own */
	double slow_noise; /* that stays for a while */
	double slow;	   /* its present value */
	double drift;	   /* growth of the speed over a minute */
	double attach_dip; /* the load stands still for so long after a toggle, ns */
	uint64_t random;
	bool attached;
	unsigned attaches;
	unsigned detaches;
	unsigned reads;
	unsigned progress;
	uint32_t progress_total;
	unsigned fail_attach; /* the n-th fails; 0: none */
	unsigned fail_detach;
	unsigned fail_read;
	int fail_code;
	uint64_t stop_ns; /* interrupted from then on; 0: never */
	bool stalled;
	bool runs_back;
	char states[MAX_WINDOWS]; /* '+' attached, '-' not, at every second read */
	unsigned windows;
};

/* Not Check's: its assertions allocate, which a test of failing allocations would count. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

static double uniform(struct host *host)
{
	host->random = host->random * 6364136223846793005ull + 1442695040888963407ull;
	return ((double)(host->random >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(struct host *host)
{
	double u = uniform(host), v = uniform(host);

	return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979 * v);
}

static uint64_t host_now(void *context)
{
	return ((struct host *)context)->now_ns;
}

static void host_sleep(void *context, uint64_t until_ns)
{
	struct host *host = context;
	double seconds, speed;

	/* A signal ends the sleep. */
	if (host->stop_ns && host->now_ns < host->stop_ns && until_ns > host->stop_ns)
		until_ns = host->stop_ns;
	seconds = (double)(until_ns - host->now_ns) / 1e9;
	host->slow = 0.95 * host->slow + sqrt(1 - 0.95 * 0.95) * normal(host) * host->slow_noise;
	speed = 10000 * (1 + host->drift * (double)host->now_ns / 60e9) * (1 + host->slow) *
		(1 + host->noise * normal(host));
	if (speed < 0 || host->stalled)
		speed = 0;
	host->done += seconds * speed * (host->attached ? 1 - host->effect : 1);
	host->now_ns = until_ns;
}

static int host_attach(void *context, struct tap_error *err)
{
	struct host *host = context;

	must(!host->attached);
	if (++host->attaches == host->fail_attach)
		return tap_error_set(err, host->fail_code, "attach: refused");
	host->now_ns += 3 * MS;
	host->attached = true;
	return 0;
}

static int host_detach(void *context, struct tap_error *err)
{
	struct host *host = context;

	must(host->attached);
	if (++host->detaches == host->fail_detach)
		return tap_error_set(err, -EBUSY, "detach: refused");
	host->now_ns += 1 * MS;
	host->attached = false;
	return 0;
}

static int host_read(void *context, uint64_t *ret, struct tap_error *err)
{
	struct host *host = context;

	if (++host->reads == host->fail_read)
		return tap_error_set(err, -EPIPE, "read: gone");
	if (host->reads % 2 == 0 && host->windows < MAX_WINDOWS)
		host->states[host->windows++] = host->attached ? '+' : '-';
	*ret = host->runs_back ? 1000000 - host->reads : (uint64_t)host->done;
	return 0;
}

static bool host_interrupted(void *context)
{
	struct host *host = context;

	return host->stop_ns && host->now_ns >= host->stop_ns;
}

static void host_progress(void *context, uint32_t done, uint32_t total)
{
	struct host *host = context;

	must(done == ++host->progress);
	host->progress_total = total;
}

static struct tap_paired_hooks hooks_of(struct host *host)
{
	return (struct tap_paired_hooks){
		.context = host,
		.attach = host_attach,
		.detach = host_detach,
		.read = host_read,
		.interrupted = host_interrupted,
		.progress = host_progress,
		.now_ns = host_now,
		.sleep_until_ns = host_sleep,
	};
}

static int run(struct host *host, uint32_t pairs, struct tap_paired_result *result, struct tap_error *err)
{
	const struct tap_paired_options options = { .pairs = pairs, .window_ms = 100, .settle_ms = 5 };
	const struct tap_paired_hooks hooks = hooks_of(host);

	return tap_paired_run(&options, &hooks, result, err);
}

static bool covers(struct tap_interval interval, double truth)
{
	return interval.low <= truth && truth <= interval.high;
}

/*
 * Of 200 intervals of 95 % about 190 should hold the truth; 182 to 198 is what binomial(200, 0.95) gives in 99.3 % of
 * all cases. Seeds are fixed, so this never fails by chance once it passed.
 */
static void check_coverage(double effect, double noise, double slow_noise, double drift)
{
	unsigned real = 0, null_run = 0, corrected = 0, median = 0;
	double sum = 0;

	for (unsigned i = 0; i < RUNS; i++) {
		struct host host = { .effect = effect,
				     .noise = noise,
				     .slow_noise = slow_noise,
				     .drift = drift,
				     .random = 1000 + i * 7919 };
		struct tap_paired_result result;

		ck_assert_int_eq(run(&host, 400, &result, NULL), 0);
		real += covers(result.real.ratio, 1 - effect);
		null_run += covers(result.null_run.ratio, 1);
		corrected += covers(result.corrected, 1 - effect);
		median += covers(result.real.median, 1 - effect);
		sum += result.real.ratio.value;
	}
	ck_assert_uint_ge(real, 182);
	ck_assert_uint_le(real, 198);
	ck_assert_uint_ge(null_run, 182);
	ck_assert_uint_le(null_run, 198);
	ck_assert_uint_ge(corrected, 182);
	ck_assert_uint_ge(median, 182);
	/* No bias: 200 runs leave a fourteenth of one run's error. */
	ck_assert_double_eq_tol(sum / RUNS, 1 - effect, 4 * noise * sqrt(2.0 / 400) / sqrt(RUNS) + 1e-4);
}

START_TEST(one_percent_in_noise_and_drift)
{
	check_coverage(0.01, 0.15, 0, 0.5);
}
END_TEST

START_TEST(no_effect_in_noise_and_drift)
{
	check_coverage(0, 0.15, 0, 0.5);
}
END_TEST

START_TEST(one_percent_in_noise_that_stays)
{
	check_coverage(0.01, 0.05, 0.15, -0.3);
}
END_TEST

/* Nothing but drift: quads take it out where a plain on/off alternation would see 0.08 %. */
START_TEST(drift_alone_cancels)
{
	struct host host = { .effect = 0.01, .drift = 1 };
	struct tap_paired_result result;

	ck_assert_int_eq(run(&host, 400, &result, NULL), 0);
	ck_assert_double_eq_tol(result.real.ratio.value, 0.99, 1e-4);
	ck_assert_double_eq_tol(result.null_run.ratio.value, 1, 1e-4);
}
END_TEST

START_TEST(order_is_abba_and_its_mirror)
{
	struct host host = { .noise = 0 };
	struct tap_paired_result result;

	ck_assert_int_eq(run(&host, 8, &result, NULL), 0);
	ck_assert_uint_eq(host.windows, 32);
	/* Two real quads, two null ones twice over (blocks too go ABBA). */
	ck_assert_str_eq(host.states, "+--+-++-"
				      "--------"
				      "--------"
				      "-++-+--+");
	ck_assert_uint_eq(host.progress, 8);
	ck_assert_uint_eq(host.progress_total, 8);
	ck_assert(!host.attached);
	ck_assert_uint_eq(host.attaches, host.detaches);
}
END_TEST

START_TEST(result_is_complete)
{
	struct host host = { .effect = 0.5 };
	struct tap_paired_result result;
	const struct tap_paired_options options = { .pairs = 400, .window_ms = 100, .settle_ms = 5 };

	ck_assert_int_eq(run(&host, 400, &result, NULL), 0);
	ck_assert(!result.partial);
	ck_assert_uint_eq(result.real_pairs, 400);
	ck_assert_uint_eq(result.null_pairs, 400);
	ck_assert_uint_eq(result.real.quads, 200);
	ck_assert_double_eq_tol(result.real.ratio.value, 0.5, 0.001);
	ck_assert_double_eq_tol(result.real.off_per_second, 10000, 50);
	ck_assert_uint_eq(result.attach_mean_ns, 3 * MS);
	ck_assert_uint_eq(result.attach_max_ns, 3 * MS);
	ck_assert_uint_eq(result.detach_mean_ns, 1 * MS);
	ck_assert_uint_eq(result.detach_max_ns, 1 * MS);
	ck_assert_uint_eq(tap_paired_planned_ms(&options), 1600 * 105);
	ck_assert_uint_ge(result.elapsed_ns, tap_paired_planned_ms(&options) * MS);
	ck_assert_uint_le(result.elapsed_ns, tap_paired_planned_ms(&options) * MS * 11 / 10);
}
END_TEST

/* A stand-still after each toggle is outside the windows when the settle time is as long. */
struct dip {
	struct host host;
	uint64_t until_ns;
};

static int dip_attach(void *context, struct tap_error *err)
{
	struct dip *dip = context;
	int code = host_attach(&dip->host, err);

	dip->until_ns = dip->host.now_ns + 5 * MS;
	return code;
}

static void dip_sleep(void *context, uint64_t until_ns)
{
	struct dip *dip = context;
	uint64_t step_ns;

	while (dip->host.now_ns < until_ns) {
		dip->host.stalled = dip->host.now_ns < dip->until_ns;
		step_ns = dip->host.stalled && dip->until_ns < until_ns ? dip->until_ns : until_ns;
		host_sleep(&dip->host, step_ns);
	}
}

static double ratio_with_dip(uint32_t settle_ms)
{
	struct dip dip = { .host = { .noise = 0 } };
	const struct tap_paired_options options = { .pairs = 40, .window_ms = 100, .settle_ms = settle_ms };
	struct tap_paired_hooks hooks = hooks_of(&dip.host);
	struct tap_paired_result result;

	hooks.context = &dip;
	hooks.attach = dip_attach;
	hooks.sleep_until_ns = dip_sleep;
	ck_assert_int_eq(tap_paired_run(&options, &hooks, &result, NULL), 0);
	return result.real.ratio.value;
}

START_TEST(settle_time_is_left_out)
{
	ck_assert_double_eq_tol(ratio_with_dip(5), 1, 1e-4);
	ck_assert_double_lt(ratio_with_dip(0), 0.98);
}
END_TEST

START_TEST(odd_pairs_become_a_quad)
{
	struct host host = { .noise = 0 };
	struct tap_paired_result result;

	ck_assert_int_eq(run(&host, 5, &result, NULL), 0);
	ck_assert_uint_eq(result.real_pairs, 6);
	ck_assert_uint_eq(result.null_pairs, 6);
}
END_TEST

START_TEST(options_out_of_range)
{
	static const struct tap_paired_options bad[] = {
		{ .pairs = 0, .window_ms = 100 },
		{ .pairs = 3, .window_ms = 100 },
		{ .pairs = 1000001, .window_ms = 100 },
		{ .pairs = UINT32_MAX, .window_ms = 100 },
		{ .pairs = 400, .window_ms = 0 },
		{ .pairs = 400, .window_ms = 60001 },
		{ .pairs = 400, .window_ms = 100, .settle_ms = 10001 },
	};
	struct host host = { .noise = 0 };
	const struct tap_paired_hooks hooks = hooks_of(&host);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tap_paired_result result = { .real_pairs = 77 };
		struct tap_error err = { "" };

		ck_assert_int_eq(tap_paired_run(&bad[i], &hooks, &result, &err), -EINVAL);
		ck_assert_str_ne(err.text, "");
		ck_assert_uint_eq(result.real_pairs, 77);
	}
	ck_assert_uint_eq(host.reads, 0);
}
END_TEST

START_TEST(failing_attach_is_reported)
{
	static const int codes[] = { -EPERM, -EINTR };

	for (unsigned nth = 1; nth <= 4; nth++) {
		struct host host = { .fail_attach = nth, .fail_code = codes[nth % 2] };
		struct tap_paired_result result = { .real_pairs = 77 };
		struct tap_error err = { "" };

		/* Its own EINTR is no wish of the user's to stop. */
		ck_assert_int_eq(run(&host, 400, &result, &err), codes[nth % 2]);
		ck_assert_str_eq(err.text, "attach: refused");
		ck_assert(!host.attached);
		ck_assert_uint_eq(host.attaches, nth);
		ck_assert_uint_eq(result.real_pairs, 77);
	}
}
END_TEST

START_TEST(failing_detach_is_reported)
{
	struct host host = { .fail_detach = 2 };
	struct tap_paired_result result = { .real_pairs = 77 };
	struct tap_error err = { "" };

	ck_assert_int_eq(run(&host, 400, &result, &err), -EBUSY);
	ck_assert_str_eq(err.text, "detach: refused");
	/* Tried once more at the end, and that one worked. */
	ck_assert_uint_eq(host.detaches, 3);
	ck_assert(!host.attached);
	ck_assert_uint_eq(result.real_pairs, 77);
}
END_TEST

START_TEST(failing_last_detach_is_reported)
{
	struct host host = { .fail_read = 2, .fail_detach = 1 };
	struct tap_paired_result result;
	struct tap_error err = { "" };

	ck_assert_int_eq(run(&host, 400, &result, &err), -EBUSY);
	ck_assert_str_eq(err.text, "detach: refused");
}
END_TEST

START_TEST(failing_read_is_reported)
{
	for (unsigned nth = 1; nth <= 20; nth++) {
		struct host host = { .fail_read = nth };
		struct tap_paired_result result;
		struct tap_error err = { "" };

		ck_assert_int_eq(run(&host, 400, &result, &err), -EPIPE);
		ck_assert_str_eq(err.text, "read: gone");
		ck_assert(!host.attached);
	}
}
END_TEST

START_TEST(interrupt_gives_what_there_is)
{
	for (uint64_t stop_ms = 1; stop_ms < 9000; stop_ms += 61) {
		struct host host = { .effect = 0.1, .stop_ns = stop_ms * MS };
		struct tap_paired_result result = { .real_pairs = 77 };
		struct tap_error err = { "" };
		int code = run(&host, 400, &result, &err);

		ck_assert(!host.attached);
		ck_assert_uint_le(host.now_ns, (stop_ms + 4) * MS);
		if (code) {
			/* Two quads of 4 * 105 ms and toggles. */
			ck_assert_int_eq(code, -EINTR);
			ck_assert_str_ne(err.text, "");
			ck_assert_uint_lt(stop_ms, 870);
			ck_assert_uint_eq(result.real_pairs, 77);
			continue;
		}
		ck_assert(result.partial);
		ck_assert_uint_ge(result.real_pairs, 4);
		ck_assert_uint_lt(result.real_pairs, 400);
		ck_assert_double_eq_tol(result.real.ratio.value, 0.9, 0.001);
		if (result.null_pairs)
			ck_assert_double_eq_tol(result.corrected.value, 0.9, 0.001);
		else
			ck_assert_uint_eq(result.null_run.quads, 0);
	}
}
END_TEST

START_TEST(load_that_stands_still)
{
	struct host host = { .stalled = true };
	struct tap_paired_result result;
	struct tap_error err = { "" };

	ck_assert_int_eq(run(&host, 400, &result, &err), -ENODATA);
	ck_assert_str_ne(err.text, "");
	ck_assert(!host.attached);
}
END_TEST

START_TEST(counter_that_falls)
{
	struct host host = { .runs_back = true };
	struct tap_paired_result result;
	struct tap_error err = { "" };

	ck_assert_int_eq(run(&host, 400, &result, &err), -EPROTO);
	ck_assert_str_ne(err.text, "");
	ck_assert(!host.attached);
}
END_TEST

START_TEST(out_of_memory)
{
	for (long nth = 1; nth <= 4; nth++) {
		struct host host = { .noise = 0 };
		struct tap_paired_result result = { .real_pairs = 77 };
		struct tap_error err = { "" };

		tap_alloc_fail_at(nth);
		ck_assert_int_eq(run(&host, 8, &result, &err), -ENOMEM);
		tap_alloc_fail_at(0);
		ck_assert_uint_eq(result.real_pairs, 77);
		ck_assert_str_ne(err.text, "");
		ck_assert(!host.attached);
	}
}
END_TEST

/* The real clock, where the work done is time itself: any state gives the same rate. */
static int clock_toggle(void *context, struct tap_error *err)
{
	(void)context;
	(void)err;
	return 0;
}

static int clock_read(void *context, uint64_t *ret, struct tap_error *err)
{
	struct timespec at;

	(void)context;
	(void)err;
	clock_gettime(CLOCK_MONOTONIC, &at);
	*ret = (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
	return 0;
}

START_TEST(real_clock)
{
	const struct tap_paired_options options = { .pairs = 8, .window_ms = 5, .settle_ms = 1, .block_quads = 1 };
	const struct tap_paired_hooks hooks = { .attach = clock_toggle, .detach = clock_toggle, .read = clock_read };
	struct tap_paired_result result;

	ck_assert_int_eq(tap_paired_run(&options, &hooks, &result, NULL), 0);
	ck_assert_uint_ge(result.elapsed_ns, tap_paired_planned_ms(&options) * MS);
	/* A busy host may put a gap between the clock's two readings. */
	ck_assert_double_eq_tol(result.real.ratio.value, 1, 0.2);
	ck_assert_double_eq_tol(result.real.off_per_second, 1e9, 2e8);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("paired");
	TCase *tcase = tcase_create("paired");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, one_percent_in_noise_and_drift);
	tcase_add_test(tcase, no_effect_in_noise_and_drift);
	tcase_add_test(tcase, one_percent_in_noise_that_stays);
	tcase_add_test(tcase, drift_alone_cancels);
	tcase_add_test(tcase, order_is_abba_and_its_mirror);
	tcase_add_test(tcase, result_is_complete);
	tcase_add_test(tcase, settle_time_is_left_out);
	tcase_add_test(tcase, odd_pairs_become_a_quad);
	tcase_add_test(tcase, options_out_of_range);
	tcase_add_test(tcase, failing_attach_is_reported);
	tcase_add_test(tcase, failing_detach_is_reported);
	tcase_add_test(tcase, failing_last_detach_is_reported);
	tcase_add_test(tcase, failing_read_is_reported);
	tcase_add_test(tcase, interrupt_gives_what_there_is);
	tcase_add_test(tcase, load_that_stands_still);
	tcase_add_test(tcase, counter_that_falls);
	tcase_add_test(tcase, out_of_memory);
	tcase_add_test(tcase, real_clock);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
