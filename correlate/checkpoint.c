// SPDX-License-Identifier: BSD-2-Clause
/* checkpoint.c - decodes CheckpointStats by version, and lays the checkpoints over a window. */
#include "correlate/checkpoint.h"

/* From 2000, where the server's times begin, to the epoch. */
#define EPOCH_US 946684800000000ll
/* Past the year 2200: no time, and far from where nanoseconds overflow. */
#define TIME_MAX_US 6400000000000000ll

enum {
	/* Places in tap_pg_checkpoint.counts; version 18 put SLRU buffers behind the first. */
	COUNT_BUFFERS = 0,
	COUNT_FILES = 4,
	COUNT_FILES_18 = 5,
	VERSION_SLRU = 180000,
	VERSION_KNOWN_END = 200000,
};

static const char *const phase_names[] = {
	[TAP_CHECKPOINT_PREPARING] = "preparing", [TAP_CHECKPOINT_WRITING] = "writing",
	[TAP_CHECKPOINT_SYNCING] = "syncing",	  [TAP_CHECKPOINT_FINISHING] = "finishing",
	[TAP_CHECKPOINT_ENDED] = "ended",	  [TAP_CHECKPOINT_FAILED] = "failed",
};

const char *tap_checkpoint_phase_name(enum tap_checkpoint_phase phase)
{
	return phase_names[phase];
}

/* -1: it has not come to that, or is no time. */
static int64_t time_ns(int64_t us)
{
	return us > 0 && us < TIME_MAX_US ? (us + EPOCH_US) * 1000 : -1;
}

static int64_t between_ns(int64_t begin_us, int64_t end_us)
{
	int64_t begin = time_ns(begin_us), end = time_ns(end_us);

	return begin >= 0 && end >= begin ? end - begin : -1;
}

static int64_t duration_ns(uint64_t us)
{
	return us < (uint64_t)TIME_MAX_US ? (int64_t)us * 1000 : -1;
}

static enum tap_checkpoint_phase phase_of(const struct tap_pg_checkpoint *stats, bool running)
{
	if (!running)
		return stats->end_us ? TAP_CHECKPOINT_ENDED : TAP_CHECKPOINT_FAILED;
	if (stats->sync_end_us)
		return TAP_CHECKPOINT_FINISHING;
	if (stats->sync_us)
		return TAP_CHECKPOINT_SYNCING;
	return stats->write_us ? TAP_CHECKPOINT_WRITING : TAP_CHECKPOINT_PREPARING;
}

int tap_checkpoint_files_place(int32_t version_number)
{
	/* A newer version may have moved it. */
	if (version_number <= 0 || version_number >= VERSION_KNOWN_END)
		return -1;
	return version_number < VERSION_SLRU ? COUNT_FILES : COUNT_FILES_18;
}

static int64_t files_of(const struct tap_pg_checkpoint *stats, int32_t version_number)
{
	int place = tap_checkpoint_files_place(version_number);

	return place < 0 ? -1 : (int64_t)stats->counts[place];
}

static void run_fill(struct tap_checkpoint_run *run, const struct tap_pg_checkpoint *stats, int32_t version_number,
		     bool running)
{
	*run = (struct tap_checkpoint_run){
		.phase = phase_of(stats, running),
		.begin_ns = time_ns(stats->start_us),
		.end_ns = time_ns(stats->end_us),
		.write_ns = between_ns(stats->write_us, stats->sync_us),
		.sync_ns = between_ns(stats->sync_us, stats->sync_end_us),
		.longest_sync_ns = -1,
		.buffers = stats->counts[COUNT_BUFFERS],
		.files = -1,
	};
	/* What the server says of its syncs it says at the end of them. */
	if (run->sync_ns >= 0) {
		run->longest_sync_ns = duration_ns(stats->longest_sync_us);
		run->files = files_of(stats, version_number);
	}
}

/* False: nothing of it lies in the window. */
static bool run_is_within(const struct tap_checkpoint_run *run, const struct tap_checkpoint_window *window)
{
	return run->begin_ns >= 0 && run->begin_ns < window->end_ns &&
	       (run->end_ns < 0 || (run->end_ns >= run->begin_ns && run->end_ns > window->begin_ns));
}

static void kept_fill(struct tap_checkpoint_run *run, const struct tap_checkpoint *kept, int32_t version_number,
		      const struct tap_checkpoint_window *window)
{
	int64_t seen_ns;

	run_fill(run, &kept->stats, version_number, false);
	if (run->end_ns >= 0)
		return;
	/* Of one that did not come to its end there is when it was seen to be over. */
	if (__builtin_add_overflow((int64_t)kept->seen_ns, window->monotonic_ns, &seen_ns) || seen_ns < run->begin_ns)
		seen_ns = run->begin_ns;
	run->end_ns = seen_ns;
}

size_t tap_checkpoint_runs(const struct tap_checkpoints *checkpoints, int32_t version_number,
			   const struct tap_checkpoint_window *window,
			   struct tap_checkpoint_run ret[TAP_CHECKPOINT_RUNS_MAX], bool *ret_cut)
{
	uint64_t ended = checkpoints->ended;
	uint64_t first = ended > TAP_CHECKPOINTS_KEPT ? ended - TAP_CHECKPOINTS_KEPT : 0;
	size_t count = 0;

	*ret_cut = false;
	for (uint64_t i = first; i < ended; i++) {
		kept_fill(&ret[count], &checkpoints->kept[i % TAP_CHECKPOINTS_KEPT], version_number, window);
		if (!run_is_within(&ret[count], window))
			continue;
		/* One before it may have lain in the window, too. */
		*ret_cut |= i == first && first && ret[count].begin_ns > window->begin_ns;
		count++;
	}
	if (!checkpoints->running)
		return count;
	run_fill(&ret[count], &checkpoints->now, version_number, true);
	ret[count].end_ns = -1;
	return run_is_within(&ret[count], window) ? count + 1 : count;
}

int64_t tap_checkpoint_covered_ns(const struct tap_checkpoint_run *runs, size_t count,
				  const struct tap_checkpoint_window *window)
{
	int64_t covered = 0, until = window->begin_ns;

	for (size_t i = 0; i < count; i++) {
		int64_t begin = runs[i].begin_ns > until ? runs[i].begin_ns : until;
		int64_t end = runs[i].end_ns < 0 || runs[i].end_ns > window->end_ns ? window->end_ns : runs[i].end_ns;

		if (end <= begin)
			continue;
		covered += end - begin;
		until = end;
	}
	return covered;
}
