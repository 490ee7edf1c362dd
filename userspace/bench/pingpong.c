// SPDX-License-Identifier: BSD-2-Clause
/* pingpong.c - the two processes and their shared page. Called by `dbtap bench overhead`; see pingpong.h. */
#include "userspace/bench/pingpong.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "userspace/bench/child.h"

#define START_POLLS 2000 /* of 1 ms */
#define END_WAIT_MS 2000

/* MAP_SHARED with both processes. */
struct table {
	_Atomic uint32_t turn; /* 0 or 1 */
	_Atomic uint64_t switches;
};

struct tap_pingpong {
	struct table *table;
	pid_t pids[2];
};

struct player {
	struct table *table;
	uint32_t side;
};

static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static int play(void *context)
{
	const struct player *player = context;
	struct table *table = player->table;
	uint32_t other = 1 - player->side;

	for (;;) {
		while (atomic_load_explicit(&table->turn, memory_order_acquire) != player->side)
			futex(&table->turn, FUTEX_WAIT, other);
		/* Only the side whose turn it is writes. */
		atomic_store_explicit(&table->switches,
				      atomic_load_explicit(&table->switches, memory_order_relaxed) + 1,
				      memory_order_relaxed);
		atomic_store_explicit(&table->turn, other, memory_order_release);
		futex(&table->turn, FUTEX_WAKE, 1);
	}
	return 0;
}

static int start_player(struct tap_pingpong *pingpong, uint32_t side, const cpu_set_t *cpus)
{
	const struct tap_child_options options = { .death_signal = SIGKILL, .keep_fd = -1, .name = "dbtap-pingpong" };
	struct player player = { .table = pingpong->table, .side = side };
	int err = tap_child_start(&options, play, &player, &pingpong->pids[side]);

	if (err)
		return err;
	return sched_setaffinity(pingpong->pids[side], sizeof(*cpus), cpus) ? -errno : 0;
}

static int await_switches(const struct tap_pingpong *pingpong)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < START_POLLS; i++) {
		if (tap_pingpong_switches(pingpong) >= 2)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

static int start_players(struct tap_pingpong *pingpong, unsigned cpu)
{
	cpu_set_t cpus;
	int err;

	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	err = start_player(pingpong, 0, &cpus);
	if (!err)
		err = start_player(pingpong, 1, &cpus);
	return err ? err : await_switches(pingpong);
}

static struct tap_pingpong *new_pingpong(void)
{
	struct tap_pingpong *pingpong = calloc(1, sizeof(*pingpong));

	if (!pingpong)
		return NULL;
	pingpong->table =
		mmap(NULL, sizeof(*pingpong->table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pingpong->table == MAP_FAILED) {
		free(pingpong);
		return NULL;
	}
	return pingpong;
}

int tap_pingpong_start(unsigned cpu, struct tap_pingpong **ret, struct tap_error *err)
{
	struct tap_pingpong *pingpong = new_pingpong();
	int code;

	if (!pingpong)
		return tap_error_set(err, -ENOMEM, "ping-pong: no memory; free some");
	code = start_players(pingpong, cpu);
	if (code) {
		tap_pingpong_stop(pingpong);
		return tap_error_set(err, code, "ping-pong: two processes do not run on processor %u: %s; name another",
				     cpu, strerror(-code));
	}
	*ret = pingpong;
	return 0;
}

void tap_pingpong_stop(struct tap_pingpong *pingpong)
{
	const struct tap_child_step kill_it = { .signal = SIGKILL, .wait_ms = END_WAIT_MS };

	if (!pingpong)
		return;
	for (int side = 0; side < 2; side++) {
		if (pingpong->pids[side])
			tap_child_end(pingpong->pids[side], &kill_it, 1, NULL);
	}
	munmap(pingpong->table, sizeof(*pingpong->table));
	free(pingpong);
}

void tap_pingpong_pids(const struct tap_pingpong *pingpong, pid_t ret_pids[2])
{
	memcpy(ret_pids, pingpong->pids, sizeof(pingpong->pids));
}

uint64_t tap_pingpong_switches(const struct tap_pingpong *pingpong)
{
	return atomic_load_explicit(&pingpong->table->switches, memory_order_relaxed);
}
