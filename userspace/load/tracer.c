// SPDX-License-Identifier: BSD-2-Clause
/* tracer.c - owns the skeleton, its links and the ticks. */
#include "userspace/load/tracer.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/abi/fingerprint.h"
#include "bpf/abi/io.h"
#include "bpf/abi/kind.h"
#include "bpf/abi/loss.h"
#include "bpf/abi/stall.h"
#include "userspace/load/block.h"
#include "userspace/load/checkpoint.h"
#include "userspace/load/features.h"
#include "userspace/load/iterator.h"
#include "userspace/load/lock_tell.h"
#include "userspace/load/parts.h"
#include "userspace/load/probes.h"
#include "userspace/load/reclaim.h"
#include "userspace/load/stats.h"

#include "tracer.skel.h" /* names the types above */

enum {
	DEFAULT_ROWS = 32768,
	DEFAULT_WAITS = 65536,
	DEFAULT_TICK_HZ = 49, /* not a divisor of the kernel's own tick: the two do not beat */
	DEFAULT_STATEMENTS = 8192,
};

struct tap_tracer {
	struct tap_parts parts;
	struct tracer_bpf *skeleton; /* the part of threads, once it is loaded */
	struct bpf_link *sched_switch;
	struct bpf_link *fork;
	struct bpf_link *exec;
	struct bpf_link *sends; /* while a server with a thread pool is followed */
	struct tap_stats_switch *stats;
	struct bpf_link *empty;
	struct bpf_link *trap;
	struct bpf_link **ticks;
	int n_cpus;
	struct tap_probes probes;
	bool statements;
	struct bpf_link *adopt_iterator;
	struct bpf_link *snapshot_iterator;
	struct tap_block block;
	struct tap_reclaim reclaim;
	struct tap_lock_tell locks;
	uint32_t tick_hz;
};

static void link_drop(struct bpf_link **link)
{
	bpf_link__destroy(*link);
	*link = NULL;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static void programs_choose(struct tracer_bpf *skeleton, bool statements)
{
	struct bpf_program *programs[] = {
		skeleton->progs.on_sched_switch,
		skeleton->progs.on_sched_process_fork,
		skeleton->progs.on_sched_process_exec,
		skeleton->progs.on_tick,
		skeleton->progs.adopt,
		skeleton->progs.snapshot,
		skeleton->progs.tell_locks,
		skeleton->progs.empty_sched_switch,
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		bpf_program__set_autoload(programs[i], true);
	bpf_program__set_autoload(skeleton->progs.on_end_command, statements);
	bpf_program__set_autoload(skeleton->progs.on_error_cleanup, statements);
	bpf_program__set_autoload(skeleton->progs.on_sock_send_length, tap_feature_has(TAP_FEATURE_SENDS));
	tap_reclaim_choose(skeleton);
}

static void maps_size(struct tracer_bpf *maps, const struct tap_tracer_options *options)
{
	uint32_t rows = options->rows_max ? options->rows_max : DEFAULT_ROWS;
	uint32_t waits = options->waits_max ? options->waits_max : DEFAULT_WAITS;
	uint32_t statements = options->rows_max ? options->rows_max : DEFAULT_STATEMENTS;

	bpf_map__set_max_entries(maps->maps.row_to_account, rows);
	bpf_map__set_max_entries(maps->maps.row_to_wait, waits);
	/* At ambient depth nobody looks at them. */
	if (!options->statements)
		statements = 1;
	bpf_map__set_max_entries(maps->maps.statement_totals, statements + TAP_INSTANCES_MAX);
	bpf_map__set_max_entries(maps->maps.row_to_statements, statements + TAP_INSTANCES_MAX);
	bpf_map__set_max_entries(maps->maps.row_to_peak, rows);
	bpf_map__set_max_entries(maps->maps.text_sent, rows < 4096 ? 4096 : rows);
	tap_block_size(maps, options->io_max, options->dirty_max, options->files_max);
}

static void block_drop(struct tap_tracer *tracer, const char *reason)
{
	tracer_bpf__destroy(tracer->parts.block);
	tracer->parts.block = NULL;
	tap_block_give_up(&tracer->block, reason);
}

static int load_parts(struct tap_tracer *tracer, const struct tap_tracer_options *options)
{
	struct tap_parts *parts = &tracer->parts;
	int block = 0, status = tap_parts_open(parts);

	if (status)
		return status;
	maps_size(parts->maps, options);
	while (1l << parts->maps->rodata->page_shift < sysconf(_SC_PAGESIZE))
		parts->maps->rodata->page_shift++;
	parts->maps->rodata->has_bpf_loop = tap_feature_has(TAP_FEATURE_BPF_LOOP);
	parts->maps->rodata->statement_depth = options->statements;
	programs_choose(parts->thread, options->statements);
	if (options->without_io)
		block_drop(tracer, "it was not asked for");
	else if (!tap_feature_has(TAP_FEATURE_BLOCK))
		block_drop(tracer, tap_feature_infos[TAP_FEATURE_BLOCK].without);
	else
		tap_block_prepare(&tracer->block, parts->maps, parts->block);
	status = tap_parts_load(parts, &block);
	if (status)
		return status;
	tracer->skeleton = parts->thread;
	if (parts->block && !block)
		block = tap_block_complete(&tracer->block);
	if (parts->block && block)
		block_drop(tracer, "the kernel refused the programs of block requests");
	return 0;
}

static int load(struct tap_tracer *tracer, const struct tap_tracer_options *options, struct tap_error *err)
{
	int status = load_parts(tracer, options);

	if (!status)
		return 0;
	if (status == -EPERM)
		return tap_error_set(
			err, status,
			"the kernel refused to load the BPF programs (Operation not permitted): run dbtap as root");
	return tap_error_set(err, status,
			     "the kernel refused to load the BPF programs (%s): `dbtap doctor` tells what it lacks",
			     strerror(-status));
}

int tap_tracer_open(const struct tap_tracer_options *options, struct tap_tracer **ret, struct tap_error *err)
{
	struct tap_tracer *tracer;
	int status;

	libbpf_set_print(quiet);
	tracer = calloc(1, sizeof(*tracer));
	if (!tracer)
		return tap_error_set(err, -ENOMEM, "out of memory");
	tap_parts_init(&tracer->parts);
	/* First: the child has none of our descriptors yet. */
	tracer->stats = tap_stats_switch_new();
	tracer->statements = options->statements;
	tracer->tick_hz = options->tick_hz ? options->tick_hz : DEFAULT_TICK_HZ;
	tracer->n_cpus = libbpf_num_possible_cpus();
	status = tracer->n_cpus > 0 ? load(tracer, options, err) : tap_error_set(err, -EIO, "cannot count the CPUs");
	if (status) {
		tap_tracer_free(tracer);
		return status;
	}
	tracer->locks.skeleton = tracer->skeleton;
	*ret = tracer;
	return 0;
}

void tap_tracer_free(struct tap_tracer *tracer)
{
	if (!tracer)
		return;
	tap_tracer_detach_calls(tracer);
	tap_tracer_detach_empty(tracer);
	tap_tracer_detach_trap(tracer);
	tap_tracer_detach(tracer);
	bpf_link__destroy(tracer->adopt_iterator);
	bpf_link__destroy(tracer->snapshot_iterator);
	tap_lock_tell_done(&tracer->locks);
	tap_parts_done(&tracer->parts);
	tap_stats_switch_free(tracer->stats);
	free(tracer);
}

static int link_program(struct bpf_program *program, struct bpf_link **ret, struct tap_error *err)
{
	*ret = bpf_program__attach(program);
	if (!*ret)
		return tap_error_set(err, -errno, "cannot attach %s: %s", bpf_program__name(program), strerror(errno));
	return 0;
}

/* A timer per CPU. CPUs that are offline are passed over. */
static int ticks_attach(struct tap_tracer *tracer, struct tap_error *err)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = tracer->tick_hz,
	};

	tracer->ticks = calloc((size_t)tracer->n_cpus, sizeof(struct bpf_link *));
	if (!tracer->ticks)
		return tap_error_set(err, -ENOMEM, "out of memory");
	for (int cpu = 0; cpu < tracer->n_cpus; cpu++) {
		int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 && errno == ENODEV)
			continue;
		if (fd < 0)
			return tap_error_set(err, -errno, "cannot start a timer on CPU %d: %s", cpu, strerror(errno));
		tracer->ticks[cpu] = bpf_program__attach_perf_event(tracer->skeleton->progs.on_tick, fd);
		if (!tracer->ticks[cpu]) {
			int code = -errno;

			close(fd);
			return tap_error_set(err, code, "cannot attach the timer of CPU %d: %s", cpu, strerror(-code));
		}
	}
	return 0;
}

int tap_tracer_attach(struct tap_tracer *tracer, struct tap_error *err)
{
	int status = link_program(tracer->skeleton->progs.on_sched_process_fork, &tracer->fork, err);

	if (!status)
		status = link_program(tracer->skeleton->progs.on_sched_process_exec, &tracer->exec, err);
	if (!status)
		status = link_program(tracer->skeleton->progs.on_sched_switch, &tracer->sched_switch, err);
	if (!status)
		status = ticks_attach(tracer, err);
	if (!status)
		status = tap_reclaim_attach(&tracer->reclaim, tracer->skeleton, err);
	if (!status)
		status = tap_block_attach(&tracer->block, err);
	if (status)
		tap_tracer_detach(tracer);
	return status;
}

void tap_tracer_detach(struct tap_tracer *tracer)
{
	tap_block_detach(&tracer->block);
	tap_reclaim_detach(&tracer->reclaim);
	link_drop(&tracer->sched_switch);
	link_drop(&tracer->fork);
	link_drop(&tracer->exec);
	link_drop(&tracer->sends);
	for (int cpu = 0; tracer->ticks && cpu < tracer->n_cpus; cpu++)
		bpf_link__destroy(tracer->ticks[cpu]);
	free(tracer->ticks);
	tracer->ticks = NULL;
}

void tap_tracer_set_gate(struct tap_tracer *tracer, bool open)
{
	__atomic_store_n(&tracer->skeleton->bss->gate_open, open, __ATOMIC_RELEASE);
}

/* The row into which a full map spills, for both parities. */
static int rest_rows_add(struct tap_tracer *tracer, uint32_t index)
{
	struct tap_account account = { 0 };
	struct tap_wait_total total = { 0 };
	int rows = bpf_map__fd(tracer->skeleton->maps.row_to_account);
	int waits = bpf_map__fd(tracer->skeleton->maps.row_to_wait);

	for (uint8_t parity = 0; parity < 2; parity++) {
		struct tap_row_key key = { .instance = index, .kind = TAP_KIND_REST, .parity = parity };
		struct tap_wait_key wait = { .row = key, .event = TAP_EVENT_ANY };

		if (bpf_map_update_elem(rows, &key, &account, BPF_ANY) ||
		    bpf_map_update_elem(waits, &wait, &total, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* ... of statements: an entry of the array of its own. */
static int rest_statements_add(struct tap_tracer *tracer, uint32_t index)
{
	struct tap_statement_total total = { .key = { .instance = index, .kind = TAP_KIND_REST } };
	int map = bpf_map__fd(tracer->skeleton->maps.row_to_statements);
	uint32_t place;

	if (!tracer->statements || !bpf_map_lookup_elem(map, &total.key, &place))
		return 0;
	place = __atomic_fetch_add(&tracer->skeleton->bss->statement_totals_used, 1, __ATOMIC_SEQ_CST);
	if (bpf_map_update_elem(bpf_map__fd(tracer->skeleton->maps.statement_totals), &place, &total, BPF_ANY) ||
	    bpf_map_update_elem(map, &total.key, &place, BPF_ANY))
		return -errno;
	return 0;
}

int tap_tracer_set_instance(struct tap_tracer *tracer, uint32_t index, const struct tap_instance *instance,
			    struct tap_error *err)
{
	int status;

	if (index >= TAP_INSTANCES_MAX)
		return tap_error_set(err, -E2BIG, "more than %d instances on one host: name one with --instance",
				     TAP_INSTANCES_MAX);
	status = rest_rows_add(tracer, index);
	if (!status)
		status = rest_statements_add(tracer, index);
	if (!status && bpf_map_update_elem(bpf_map__fd(tracer->skeleton->maps.instances), &index, instance, BPF_ANY))
		status = -errno;
	if (status)
		return tap_error_set(err, status, "cannot tell the kernel side of an instance: %s", strerror(-status));
	if (instance->engine == TAP_ENGINE_MYSQL && instance->my.pooled && tap_feature_has(TAP_FEATURE_SENDS) &&
	    !tracer->sends)
		return link_program(tracer->skeleton->progs.on_sock_send_length, &tracer->sends, err);
	return 0;
}

int tap_tracer_stage(struct tap_tracer *tracer, uint32_t tid, const struct tap_adoption *adoption)
{
	return bpf_map_update_elem(bpf_map__fd(tracer->skeleton->maps.adopted), &tid, adoption, BPF_ANY) ? -errno : 0;
}

static int iterator_of(struct bpf_program *program, struct bpf_link **link)
{
	if (!*link)
		*link = bpf_program__attach_iter(program, NULL);
	return *link ? 0 : -errno;
}

static void staged_clear(struct tap_tracer *tracer)
{
	int fd = bpf_map__fd(tracer->skeleton->maps.adopted);
	uint32_t tid;

	while (!bpf_map_get_next_key(fd, NULL, &tid))
		bpf_map_delete_elem(fd, &tid);
}

int tap_tracer_adopt(struct tap_tracer *tracer, struct tap_error *err)
{
	int status = iterator_of(tracer->skeleton->progs.adopt, &tracer->adopt_iterator);

	if (!status)
		status = tap_iterator_run(tracer->adopt_iterator);
	staged_clear(tracer);
	if (status)
		return tap_error_set(err, status, "cannot iterate over the host's threads: %s", strerror(-status));
	return 0;
}

bool tap_tracer_has_io(const struct tap_tracer *tracer)
{
	return !tracer->block.missing;
}

const char *tap_tracer_io_missing(const struct tap_tracer *tracer)
{
	return tracer->block.missing;
}

int tap_tracer_watch_disk(struct tap_tracer *tracer, uint32_t disk, struct tap_error *err)
{
	return tap_block_watch_disk(&tracer->block, disk, err);
}

int tap_tracer_watch_device(struct tap_tracer *tracer, uint32_t device, struct tap_error *err)
{
	return tap_block_watch_device(&tracer->block, device, err);
}

void tap_tracer_disk_holds(struct tap_tracer *tracer, uint32_t disk, uint32_t instance)
{
	tap_block_disk_holds(&tracer->block, disk, instance);
}

int tap_tracer_begin_checkpoints(struct tap_tracer *tracer, uint32_t instance, int32_t pid,
				 const struct tap_checkpoints *checkpoints)
{
	return tap_checkpoint_begin(tracer->skeleton, instance, pid, checkpoints);
}

int tap_tracer_checkpoints(const struct tap_tracer *tracer, uint32_t instance, struct tap_checkpoints *ret)
{
	return tap_checkpoint_read(tracer->skeleton, instance, ret);
}

int tap_tracer_sync_clock(struct tap_tracer *tracer, struct tap_error *err)
{
	struct tap_adoption self = { .role = TAP_ROLE_CLOCK };
	uint32_t tid = (uint32_t)syscall(SYS_gettid);
	int status = 0;

	if (!tracer->skeleton->bss->clock_pair.monotonic_ns) {
		status = tap_tracer_stage(tracer, tid, &self);
		if (!status)
			status = tap_tracer_adopt(tracer, err);
	}
	/* Two switches: the first one knows no earlier one to measure its run from. */
	for (int i = 0; i < 2; i++)
		usleep(50);
	if (status || !tracer->skeleton->bss->clock_pair.monotonic_ns)
		return tap_error_set(
			err, status ? status : -EIO,
			"the context switch program does not run: is another tracer holding the tracepoint?");
	return 0;
}

/* Written by this thread's own switch alone: never half. */
void tap_tracer_clock(const struct tap_tracer *tracer, struct tap_clock_pair *ret)
{
	*ret = tracer->skeleton->bss->clock_pair;
}

struct tap_lock_tell *tap_tracer_locks(struct tap_tracer *tracer)
{
	return &tracer->locks;
}

int tap_tracer_attach_calls(struct tap_tracer *tracer, enum tap_tracer_point point, const char *binary, uint64_t offset,
			    struct tap_error *err)
{
	const struct bpf_program *programs[] = {
		[TAP_POINT_END] = tracer->skeleton->progs.on_end_command,
		[TAP_POINT_ERROR] = tracer->skeleton->progs.on_error_cleanup,
	};

	return tap_probes_add(&tracer->probes, programs[point], binary, offset, err);
}

void tap_tracer_detach_calls(struct tap_tracer *tracer)
{
	tap_probes_done(&tracer->probes);
}

int tap_tracer_probe_all(struct tap_tracer *tracer)
{
	return tap_probes_all(&tracer->probes);
}

int tap_tracer_probe_some(struct tap_tracer *tracer, const int32_t *pids, size_t count)
{
	return tap_probes_some(&tracer->probes, pids, count);
}

/* In this process alone, which is no traced thread: the program returns at once. */
int tap_tracer_attach_trap(struct tap_tracer *tracer, const char *binary, uint64_t offset)
{
	tracer->trap = bpf_program__attach_uprobe(tracer->skeleton->progs.on_end_command, false, 0, binary, offset);
	return tracer->trap ? 0 : -errno;
}

void tap_tracer_detach_trap(struct tap_tracer *tracer)
{
	link_drop(&tracer->trap);
}

bool tap_tracer_has_calls(const struct tap_tracer *tracer)
{
	return tap_probes_are_on(&tracer->probes);
}

int tap_tracer_map_fd(const struct tap_tracer *tracer, enum tap_tracer_map map)
{
	switch (map) {
	case TAP_MAP_ROWS:
		return bpf_map__fd(tracer->skeleton->maps.row_to_account);
	case TAP_MAP_WAITS:
		return bpf_map__fd(tracer->skeleton->maps.row_to_wait);
	case TAP_MAP_STATEMENTS:
		return bpf_map__fd(tracer->skeleton->maps.statement_totals);
	case TAP_MAP_ERRORS:
		return bpf_map__fd(tracer->skeleton->maps.statement_errors);
	case TAP_MAP_PEAKS:
		return bpf_map__fd(tracer->skeleton->maps.row_to_peak);
	case TAP_MAP_STALLS:
		return bpf_map__fd(tracer->skeleton->maps.row_to_stall);
	case TAP_MAP_EVENTS:
		return bpf_map__fd(tracer->skeleton->maps.events);
	case TAP_MAP_REQUESTS:
		return bpf_map__fd(tracer->skeleton->maps.io_totals);
	case TAP_MAP_DIRTY:
		return bpf_map__fd(tracer->skeleton->maps.dirty_totals);
	case TAP_MAP_FILES:
		return bpf_map__fd(tracer->skeleton->maps.files);
	case TAP_MAP_STREAMS:
		return bpf_map__fd(tracer->skeleton->maps.stream_places);
	case TAP_MAP_LOCK_SUMS:
		return bpf_map__fd(tracer->skeleton->maps.lock_sums);
	}
	return -EINVAL;
}

uint32_t tap_tracer_requests_used(const struct tap_tracer *tracer)
{
	return __atomic_load_n(&tracer->skeleton->bss->io_totals_used, __ATOMIC_ACQUIRE);
}

uint32_t tap_tracer_statements_used(const struct tap_tracer *tracer)
{
	return __atomic_load_n(&tracer->skeleton->bss->statement_totals_used, __ATOMIC_ACQUIRE);
}

void tap_tracer_set_wall(struct tap_tracer *tracer, int64_t ahead_ns)
{
	__atomic_store_n(&tracer->skeleton->bss->wall_ahead_ns, ahead_ns, __ATOMIC_RELAXED);
}

void tap_tracer_tell_statements(struct tap_tracer *tracer, uint64_t slow_ns, uint32_t slowest, uint32_t round)
{
	struct tracer_bpf__bss *bss = tracer->skeleton->bss;

	if (slowest > TAP_STATEMENT_SLOWEST)
		slowest = TAP_STATEMENT_SLOWEST;
	__atomic_store_n(&bss->statement_round, round, __ATOMIC_RELAXED);
	__atomic_store_n(&bss->statement_slowest, slowest, __ATOMIC_RELAXED);
	__atomic_store_n(&bss->statement_slow_ns, slow_ns, __ATOMIC_RELEASE);
}

int tap_tracer_end_unseen(struct tap_tracer *tracer)
{
	return tap_block_end_unseen(&tracer->block);
}

int tap_tracer_snapshot_fd(struct tap_tracer *tracer, uint32_t epoch)
{
	int status = iterator_of(tracer->skeleton->progs.snapshot, &tracer->snapshot_iterator);
	int fd;

	if (status)
		return status;
	__atomic_store_n(&tracer->skeleton->bss->snapshot_epoch, epoch, __ATOMIC_SEQ_CST);
	fd = bpf_iter_create(bpf_link__fd(tracer->snapshot_iterator));
	return fd < 0 ? -errno : fd;
}

uint32_t tap_tracer_epoch(const struct tap_tracer *tracer)
{
	return tracer->skeleton->bss->snapshot_epoch;
}

int tap_tracer_stats_on(struct tap_tracer *tracer)
{
	return tap_stats_switch_on(tracer->stats);
}

int tap_tracer_stats_off(struct tap_tracer *tracer)
{
	return tap_stats_switch_off(tracer->stats);
}

static int program_stats(const struct bpf_program *program, struct tap_tracer_program *ret)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return -errno;
	*ret = (struct tap_tracer_program){
		.name = bpf_program__name(program),
		.runs = info.run_cnt,
		.ns = info.run_time_ns,
		.misses = info.recursion_misses,
	};
	return 0;
}

/* What the kernel itself counts. */
static uint64_t block_misses(const struct tap_tracer *tracer)
{
	const struct bpf_program *program;
	struct tap_tracer_program stats;
	uint64_t misses = 0;

	for (size_t i = 0; (program = tap_block_program(&tracer->block, i)); i++) {
		if (!program_stats(program, &stats))
			misses += stats.misses;
	}
	return misses;
}

void tap_tracer_counters(const struct tap_tracer *tracer, struct tap_tracer_counters *ret)
{
	struct tracer_bpf__bss *bss = tracer->skeleton->bss;

	bss->losses[TAP_LOSS_REQUESTS_MISSED] = block_misses(tracer);
	*ret = (struct tap_tracer_counters){
		.losses = (const uint64_t *)bss->losses,
		.fingerprint_ns = __atomic_load_n(&bss->fingerprint_ns, __ATOMIC_RELAXED),
		.fingerprints = __atomic_load_n(&bss->fingerprint_count, __ATOMIC_RELAXED),
		.statement_hits = __atomic_load_n(&bss->statement_hits, __ATOMIC_RELAXED),
	};
}

int tap_tracer_program_stats(const struct tap_tracer *tracer, size_t index, struct tap_tracer_program *ret)
{
	const struct tracer_bpf *skeleton = tracer->skeleton;
	const struct bpf_program *programs[] = {
		skeleton->progs.on_sched_switch,
		skeleton->progs.on_sched_process_fork,
		skeleton->progs.on_sched_process_exec,
		skeleton->progs.on_tick,
		/* Those from here on are not always loaded. */
		skeleton->progs.on_end_command,
		skeleton->progs.on_error_cleanup,
		skeleton->progs.on_sock_send_length,
		skeleton->progs.on_reclaim_begin,
		skeleton->progs.on_compaction_begin,
		skeleton->progs.on_stall_end,
		skeleton->progs.on_mark_victim,
	};
	const size_t always = 4, count = sizeof(programs) / sizeof(programs[0]);
	const struct bpf_program *program;

	for (size_t i = 0; i < count; i++) {
		if ((i < always || bpf_program__fd(programs[i]) >= 0) && !index--)
			return program_stats(programs[i], ret);
	}
	program = tap_block_program(&tracer->block, index);
	return program ? program_stats(program, ret) : -ENOENT;
}

int tap_tracer_stats(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns)
{
	struct tap_tracer_program program;
	uint64_t runs = 0, ns = 0;
	int status;

	for (size_t i = 0; !(status = tap_tracer_program_stats(tracer, i, &program)); i++) {
		runs += program.runs;
		ns += program.ns;
	}
	if (status != -ENOENT)
		return status;
	*ret_runs = runs;
	*ret_ns = ns;
	return 0;
}

static int stats_of(const struct bpf_program *program, uint64_t *ret_runs, uint64_t *ret_ns)
{
	struct tap_tracer_program stats;
	int status = program_stats(program, &stats);

	if (status)
		return status;
	*ret_runs = stats.runs;
	*ret_ns = stats.ns;
	return 0;
}

int tap_tracer_stats_switch(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns)
{
	return stats_of(tracer->skeleton->progs.on_sched_switch, ret_runs, ret_ns);
}

int tap_tracer_stats_calls(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns)
{
	return tracer->statements ? stats_of(tracer->skeleton->progs.on_end_command, ret_runs, ret_ns) : -ENOENT;
}

int tap_tracer_stats_empty(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns)
{
	return stats_of(tracer->skeleton->progs.empty_sched_switch, ret_runs, ret_ns);
}

int tap_tracer_attach_empty(struct tap_tracer *tracer, struct tap_error *err)
{
	return link_program(tracer->skeleton->progs.empty_sched_switch, &tracer->empty, err);
}

void tap_tracer_detach_empty(struct tap_tracer *tracer)
{
	link_drop(&tracer->empty);
}
