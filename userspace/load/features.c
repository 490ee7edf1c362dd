// SPDX-License-Identifier: BSD-2-Clause
/* features.c - the table of kernel features and their probes. */
#include "userspace/load/features.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "userspace/load/privilege.h"
#include "userspace/load/symbols.h"

enum {
	FLOOR_MAJOR = 5,
	FLOOR_MINOR = 15,
};

static bool probe_kernel(void)
{
	struct utsname name;
	int major, minor;

	if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return false;
	return major > FLOOR_MAJOR || (major == FLOOR_MAJOR && minor >= FLOOR_MINOR);
}

static bool probe_btf(void)
{
	const char *path = getenv("DBTAP_TEST_BTF"); /* lets a test take the file away */

	return !access(path ? path : "/sys/kernel/btf/vmlinux", R_OK);
}

/* The programs see the host's pids. The first pid namespace has a fixed inode number (PROC_PID_INIT_INO). */
static bool probe_pid_namespace(void)
{
	char name[64] = "";
	ssize_t size = readlink("/proc/self/ns/pid", name, sizeof(name) - 1);

	return size < 0 || !strcmp(name, "pid:[4026531836]");
}

static bool probe_task_storage(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, NULL) == 1;
}

static bool probe_ringbuf(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
}

static bool probe_bpf_loop(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 1;
}

static bool file_has(const char *path, const char *word)
{
	char text[256] = "";
	FILE *file = fopen(path, "re");
	bool found;

	if (!file)
		return false;
	found = fgets(text, sizeof(text), file) && strstr(text, word);
	fclose(file);
	return found;
}

/* The scheduler's clock must not differ between CPUs: on x86-64 that is the TSC kept as clock source. */
static bool probe_clock(void)
{
	static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

	return file_has(path, "tsc") || file_has(path, "arch_sys_counter") || file_has(path, "kvm-clock");
}

static bool probe_uprobe(void)
{
	return !access("/sys/bus/event_source/devices/uprobe/type", R_OK);
}

static bool probe_stats(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static bool probe_task_io(void)
{
	return !access("/proc/self/io", R_OK);
}

/* Those that are asked for. */
static const char *const tracepoints[] = {
	"block_rq_issue",
	"block_rq_complete",
	"block_rq_requeue",
	"block_rq_merge",
	"block_bio_backmerge",
	"block_bio_frontmerge",
	"block_getrq",
	"block_io_start",
	"writeback_dirty_folio",
	"sock_send_length",
	"mm_vmscan_direct_reclaim_begin",
	"mm_vmscan_direct_reclaim_end",
	"mm_vmscan_memcg_reclaim_begin",
	"mm_vmscan_memcg_reclaim_end",
	"mm_compaction_begin",
	"mm_compaction_end",
	"mark_victim",
};

enum {
	TRACEPOINTS = sizeof(tracepoints) / sizeof(tracepoints[0]),
};

/* The kernel's types hold a "btf_trace_NAME" for each: one pass over them, which take longer to read than to search. */
/* How many arguments the program of a tracepoint has; its type is a pointer to a function that has one more. */
static int tracepoint_arguments(const struct btf *types, const struct btf_type *type)
{
	const struct btf_type *pointer = btf__type_by_id(types, type->type);
	const struct btf_type *function = pointer && btf_is_ptr(pointer) ? btf__type_by_id(types, pointer->type) : NULL;

	return function && btf_is_func_proto(function) ? btf_vlen(function) - 1 : 0;
}

static void tracepoints_find(int found[TRACEPOINTS])
{
	static const char prefix[] = "btf_trace_";
	const size_t length = sizeof(prefix) - 1;
	struct btf *types = btf__load_vmlinux_btf();

	for (uint32_t id = 1; types && id < btf__type_cnt(types); id++) {
		const struct btf_type *type = btf__type_by_id(types, id);
		const char *name = btf_is_typedef(type) ? btf__name_by_offset(types, type->name_off) : NULL;

		if (!name || strncmp(name, prefix, length) != 0)
			continue;
		for (size_t i = 0; i < TRACEPOINTS; i++) {
			if (!strcmp(name + length, tracepoints[i]))
				found[i] = 1 + tracepoint_arguments(types, type);
		}
	}
	btf__free(types);
}

/* 0: there is none; else one more than it has arguments. */
static int has_tracepoint(const char *name)
{
	static int found[TRACEPOINTS]; /* a cache, as below */
	static bool searched;

	if (!searched)
		tracepoints_find(found);
	searched = true;
	for (size_t i = 0; i < TRACEPOINTS; i++) {
		if (!strcmp(name, tracepoints[i]))
			return found[i];
	}
	return 0;
}

/* The floor has them all; a kernel without a block layer has none. */
static bool probe_block(void)
{
	return has_tracepoint("block_rq_issue") && has_tracepoint("block_rq_complete") &&
	       has_tracepoint("block_rq_requeue") && has_tracepoint("block_rq_merge") &&
	       has_tracepoint("block_bio_backmerge") && has_tracepoint("block_bio_frontmerge") &&
	       has_tracepoint("block_getrq");
}

static bool probe_block_io_start(void)
{
	/* Lets a test run what older kernels run. */
	return !getenv("DBTAP_TEST_NO_BLOCK_IO_START") && has_tracepoint("block_io_start");
}

static bool probe_dirty_folio(void)
{
	return has_tracepoint("writeback_dirty_folio");
}

static bool probe_sends(void)
{
	return has_tracepoint("sock_send_length");
}

static bool probe_reclaim(void)
{
	return has_tracepoint("mm_vmscan_direct_reclaim_begin") && has_tracepoint("mm_vmscan_direct_reclaim_end") &&
	       has_tracepoint("mm_vmscan_memcg_reclaim_begin") && has_tracepoint("mm_vmscan_memcg_reclaim_end") &&
	       has_tracepoint("mm_compaction_begin") && has_tracepoint("mm_compaction_end");
}

/* Before 6.9 it has a number alone. */
static bool probe_victim(void)
{
	return has_tracepoint("mark_victim") == 1 + 2;
}

static bool probe_direct_io(void)
{
	struct tap_symbol symbol = { .name = "iomap_dio_bio_end_io" };

	tap_symbols_find(&symbol, 1, NULL);
	return symbol.address != 0;
}

const struct tap_feature_info tap_feature_infos[TAP_FEATURE_COUNT] = {
	[TAP_FEATURE_KERNEL] = { "kernel 5.15 or newer", "everything", "boot a newer kernel", true, probe_kernel },
	[TAP_FEATURE_BTF] = { "kernel type information (/sys/kernel/btf/vmlinux)", "everything",
			      "boot a kernel built with CONFIG_DEBUG_INFO_BTF (every distribution's is)", true,
			      probe_btf },
	[TAP_FEATURE_PRIVILEGE] = { "root, or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
				    "everything", "run dbtap as root", true, tap_privilege_suffices },
	[TAP_FEATURE_PID_NAMESPACE] = { "the host's pid namespace", "everything",
					"run dbtap on the host, or its container with --pid=host", true,
					probe_pid_namespace },
	[TAP_FEATURE_TASK_STORAGE] = { "BPF task storage", "everything",
				       "boot a kernel from 5.13 on with CONFIG_BPF_SYSCALL", true, probe_task_storage },
	[TAP_FEATURE_RINGBUF] = { "BPF ring buffer", "query texts", "boot a kernel from 5.8 on", true, probe_ringbuf },
	[TAP_FEATURE_CLOCK] = { "a scheduler clock that all CPUs share", "off-CPU times",
				"times of threads that move between CPUs may be off; boot with a stable clock source",
				false, probe_clock },
	[TAP_FEATURE_BPF_LOOP] = { "bpf_loop (5.17)", "own fingerprints",
				   "queries without an engine id are one row a user; set compute_query_id = on", false,
				   probe_bpf_loop },
	[TAP_FEATURE_UPROBE] = { "uprobes", "--depth statement", "only --depth ambient works", false, probe_uprobe },
	[TAP_FEATURE_STATS] = { "BPF run statistics", "the overhead figures",
				"the cost of the BPF programs is not shown", false, probe_stats },
	[TAP_FEATURE_TASKSTATS_IO] = { "task I/O accounting", "rchar, read and dirtied bytes",
				       "boot a kernel with CONFIG_TASK_IO_ACCOUNTING", false, probe_task_io },
	[TAP_FEATURE_BLOCK] = { "tracepoints of block requests", "dbtap io",
				"the kernel has no tracepoints of block requests; boot one with CONFIG_BLOCK", false,
				probe_block },
	[TAP_FEATURE_BLOCK_IO_START] = { "tracepoint block_io_start (6.5)", "the owner of a block request",
					 "nothing is lost: block_getrq stands in, at some cost", false,
					 probe_block_io_start },
	[TAP_FEATURE_DIRTY_FOLIO] = { "tracepoint writeback_dirty_folio (5.18)", "who dirtied what is written later",
				      "nothing is lost: writeback_dirty_page stands in", false, probe_dirty_folio },
	[TAP_FEATURE_DIRECT_IO] = { "the address of iomap_dio_bio_end_io", "files of direct I/O",
				    "direct requests have no file; dbtap needs CAP_SYSLOG and kernel.kptr_restrict "
				    "below 2 to read /proc/kallsyms",
				    false, probe_direct_io },
	[TAP_FEATURE_SENDS] = { "tracepoint sock_send_length (6.3)", "short statements of a MariaDB with a thread pool",
				"with thread_handling=pool-of-threads only statements that sleep are told apart", false,
				probe_sends },
	[TAP_FEATURE_RECLAIM] = { "tracepoints of reclaim and compaction", "waits for memory by query",
				  "what a query waits for memory to be freed is not told apart; boot a kernel with "
				  "CONFIG_MEMCG and CONFIG_COMPACTION",
				  false, probe_reclaim },
	[TAP_FEATURE_VICTIM] = { "tracepoint mark_victim with a task (6.9)", "who is killed for want of memory",
				 "the query of a process that the kernel kills is not known; the control group counts "
				 "kills",
				 false, probe_victim },
};

bool tap_feature_has(enum tap_feature feature)
{
	static signed char known[TAP_FEATURE_COUNT]; /* 0: not probed yet; a cache, the answer never changes */

	if (!known[feature])
		known[feature] = tap_feature_infos[feature].probe() ? 1 : -1;
	return known[feature] > 0;
}

int tap_features_require(struct tap_error *err)
{
	/* Rights first: without them the other probes fail for the wrong reason. */
	if (!tap_privilege_suffices())
		return tap_error_set(err, -EPERM, "dbtap needs %s: %s", tap_feature_infos[TAP_FEATURE_PRIVILEGE].name,
				     tap_feature_infos[TAP_FEATURE_PRIVILEGE].without);
	for (int i = 0; i < TAP_FEATURE_COUNT; i++) {
		if (tap_feature_infos[i].required && !tap_feature_has(i))
			return tap_error_set(err, -EOPNOTSUPP, "this host lacks %s: %s", tap_feature_infos[i].name,
					     tap_feature_infos[i].without);
	}
	return 0;
}
