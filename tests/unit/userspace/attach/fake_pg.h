/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_pg.h - processes that look like a PostgreSQL 15 server's from outside: a fake /proc tree and a made executable
 * say who they are, forked children of the test hold the memory. No server, no root.
 *
 * Each child has its own copy of `fake_pg` (the server's variables); entries, texts and PGPROCs are in shared memory,
 * as in a server. The real server's layout is written here a second time, on purpose.
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_ATTACH_FAKE_PG_H
#define TAP_TESTS_UNIT_USERSPACE_ATTACH_FAKE_PG_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/userspace/attach/fake_elf.h"
#include "tests/unit/userspace/attach/fake_proc.h"

enum {
	FAKE_PG_SLOTS = 8,
	FAKE_PG_ACTIVITY = 128,
	FAKE_PG_PROCESSES = 16,
};

/* src/include/utils/backend_status.h of 15, on LP64 */
struct fake_pg_status {
	int32_t changecount;
	int32_t procpid;
	uint32_t type;
	uint32_t pad0;
	int64_t proc_start, xact_start, activity_start, state_start;
	uint32_t database, user;
	uint8_t client[136];
	uint64_t hostname;
	uint8_t security[32];
	uint32_t state;
	uint32_t pad1;
	uint64_t appname, activity;
	uint32_t progress, progress_target;
	int64_t progress_param[20];
	uint64_t query_id;
};
_Static_assert(sizeof(struct fake_pg_status) == 432, "PgBackendStatus of 15");

struct fake_pg_proc {
	uint8_t before[64];
	int32_t pid;
	uint8_t between[644];
	uint32_t wait_event;
	uint8_t middle[124];
	uint64_t leader;
	uint8_t after[32];
};
_Static_assert(sizeof(struct fake_pg_proc) == 880, "PGPROC of 15");

struct fake_pg_shared {
	struct fake_pg_status status[FAKE_PG_SLOTS];
	struct fake_pg_proc proc[FAKE_PG_SLOTS];
	char activity[FAKE_PG_SLOTS][FAKE_PG_ACTIVITY];
	char appname[FAKE_PG_SLOTS][64];
};

struct fake_pg_variables {
	int32_t my_proc_pid, postmaster_pid;
	uint8_t is_postmaster_environment, is_under_postmaster, query_id_enabled, exiting;
	int32_t port, parallel, activity_size, max_backends, compute_query_id;
	uint32_t my_database_id, my_backend_type;
	int64_t pg_start_time, my_start_timestamp;
	struct fake_pg_status *my_beentry;
	uint32_t *my_wait_event_info;
	struct fake_pg_proc *my_proc;
	const char *data_dir, *socket_directories, *listen_addresses, *cluster_name;
	uint32_t local_wait_event;
};

static struct fake_pg_variables fake_pg;
static struct fake_pg_shared *fake_shared;
static struct fake_proc fake_proc_tree;
static pid_t fake_pids[FAKE_PG_PROCESSES];
static int fake_count;
static char fake_exe[128], fake_data[128], fake_maps[512];

#define FAKE_PG_BASE 0x10000000ULL

/* Now, in the server's epoch. */
static inline int64_t fake_pg_now(void)
{
	return ((int64_t)time(NULL) - 946684800) * 1000000;
}

#define FAKE_PG_SYMBOL_OF(symbol, field, size) \
	{ \
		symbol, (uint64_t)(uintptr_t)&fake_pg.field - FAKE_PG_BASE, size, STT_OBJECT, false \
	}
#define FAKE_PG_SYMBOL(symbol, field) FAKE_PG_SYMBOL_OF(symbol, field, sizeof(fake_pg.field))

/* The server's executable, saying that version; `skip` names a symbol to leave out (NULL: none). */
static inline void fake_pg_write_exe(const char *path, const char *version_text, uint16_t machine, const char *skip)
{
	struct fake_symbol symbols[] = {
		FAKE_PG_SYMBOL("MyProcPid", my_proc_pid),
		FAKE_PG_SYMBOL("PostmasterPid", postmaster_pid),
		FAKE_PG_SYMBOL("IsPostmasterEnvironment", is_postmaster_environment),
		FAKE_PG_SYMBOL("IsUnderPostmaster", is_under_postmaster),
		FAKE_PG_SYMBOL("PgStartTime", pg_start_time),
		FAKE_PG_SYMBOL("DataDir", data_dir),
		FAKE_PG_SYMBOL("PostPortNumber", port),
		FAKE_PG_SYMBOL_OF("MyBEEntry", my_beentry, 8),
		FAKE_PG_SYMBOL("my_wait_event_info", my_wait_event_info),
		FAKE_PG_SYMBOL_OF("MyProc", my_proc, 8),
		FAKE_PG_SYMBOL("ParallelWorkerNumber", parallel),
		FAKE_PG_SYMBOL("query_id_enabled", query_id_enabled),
		FAKE_PG_SYMBOL("MyDatabaseId", my_database_id),
		FAKE_PG_SYMBOL("MyStartTimestamp", my_start_timestamp),
		FAKE_PG_SYMBOL("MyBackendType", my_backend_type),
		FAKE_PG_SYMBOL("pgstat_track_activity_query_size", activity_size),
		FAKE_PG_SYMBOL("proc_exit_inprogress", exiting),
		FAKE_PG_SYMBOL("MaxBackends", max_backends),
		FAKE_PG_SYMBOL("compute_query_id", compute_query_id),
		FAKE_PG_SYMBOL("Unix_socket_directories", socket_directories),
		FAKE_PG_SYMBOL("ListenAddresses", listen_addresses),
		FAKE_PG_SYMBOL("cluster_name", cluster_name),
		{ "EndCommand", FAKE_ELF_TEXT, 16, STT_FUNC, false },
	};
	size_t count = sizeof(symbols) / sizeof(*symbols);
	struct fake_elf elf = { .type = ET_DYN, .machine = machine, .symbols = symbols, .n_symbols = count };

	for (size_t i = 0; i < count; i++)
		symbols[i].undefined = skip && !strcmp(symbols[i].name, skip);
	elf.rodata = version_text;
	elf.rodata_size = strlen(version_text) + 1;
	elf.build_id = "\x12\x34\x56\x78";
	elf.build_id_size = 4;
	fake_elf_write(path, &elf);
}

static inline void fake_pg_maps(const char *exe)
{
	uint64_t shared = (uint64_t)(uintptr_t)fake_shared;

	snprintf(fake_maps, sizeof(fake_maps),
		 "%08llx-%08llx r-xp 00000000 00:00 1 %s\n%llx-%llx rw-s 00000000 00:01 5 /dev/zero (deleted)\n",
		 FAKE_PG_BASE, FAKE_PG_BASE + 0x10000, exe, (unsigned long long)shared,
		 (unsigned long long)((shared + sizeof(*fake_shared) + 4095) & ~4095ULL));
}

static inline void fake_pg_init(void)
{
	char path[256];
	FILE *file;

	fake_proc_init(&fake_proc_tree);
	fake_count = 0;
	fake_shared = mmap(NULL, sizeof(*fake_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(fake_shared, MAP_FAILED);
	snprintf(fake_exe, sizeof(fake_exe), "%s/postgres", fake_proc_tree.root);
	snprintf(fake_data, sizeof(fake_data), "%s/data", fake_proc_tree.root);
	ck_assert_int_eq(mkdir(fake_data, 0700), 0);
	snprintf(path, sizeof(path), "%s/PG_VERSION", fake_data);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs("15\n", file);
	fclose(file);
	fake_pg_write_exe(fake_exe, "PostgreSQL 15.18 (Fake) on test, compiled by hand", EM_X86_64, NULL);
	fake_pg_maps(fake_exe);
	fake_proc_add(&fake_proc_tree, &(struct fake_process){ .pid = 1, .comm = "init", .exe = "/bin/true" });
}

static inline void fake_pg_done(void)
{
	for (int i = 0; i < fake_count; i++) {
		kill(fake_pids[i], SIGKILL);
		waitpid(fake_pids[i], NULL, 0);
	}
	munmap(fake_shared, sizeof(*fake_shared));
	fake_proc_done(&fake_proc_tree);
}

/*
 * A child that holds what `fill` makes of the variables; `arg` goes to fill. It is added to the tree under `ppid` with
 * `title`. Its pid.
 */
static inline pid_t fake_pg_fork(pid_t ppid, const char *title, void (*fill)(pid_t ppid, int arg), int arg)
{
	pid_t pid;

	ck_assert_int_lt(fake_count, FAKE_PG_PROCESSES);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fill(ppid, arg);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, WUNTRACED);
	fake_pids[fake_count++] = pid;
	fake_proc_add(
		&fake_proc_tree,
		&(struct fake_process){ .pid = pid, .ppid = ppid, .exe = fake_exe, .title = title, .maps = fake_maps });
	return pid;
}

static inline void fake_pg_fill_postmaster(pid_t ppid, int port)
{
	(void)ppid;
	fake_pg.my_proc_pid = getpid();
	fake_pg.postmaster_pid = getpid();
	fake_pg.is_postmaster_environment = 1;
	fake_pg.port = port;
	fake_pg.parallel = -1;
	fake_pg.activity_size = FAKE_PG_ACTIVITY;
	fake_pg.max_backends = 122;
	fake_pg.compute_query_id = 2;
	fake_pg.pg_start_time = fake_pg_now() - 3600 * 1000000LL;
	fake_pg.data_dir = fake_data;
	if (!fake_pg.socket_directories)
		fake_pg.socket_directories = "/run/a b, /tmp";
	if (!fake_pg.listen_addresses)
		fake_pg.listen_addresses = "localhost,::1";
	if (!fake_pg.cluster_name)
		fake_pg.cluster_name = "15/my: main";
}

static inline pid_t fake_pg_postmaster(int port)
{
	return fake_pg_fork(1, "/usr/bin/postgres", fake_pg_fill_postmaster, port);
}

/* What every child has once it has started. */
static inline void fake_pg_fill_child(pid_t ppid, int type)
{
	fake_pg_fill_postmaster(ppid, 0);
	fake_pg.postmaster_pid = ppid;
	fake_pg.is_under_postmaster = 1;
	fake_pg.my_backend_type = (uint32_t)type;
	fake_pg.my_start_timestamp = fake_pg_now();
	fake_pg.my_wait_event_info = &fake_pg.local_wait_event;
}

/* A slot's entry as a running process of that type fills it. */
static inline struct fake_pg_status *fake_pg_fill_slot(int slot)
{
	struct fake_pg_status *status = &fake_shared->status[slot];
	struct fake_pg_proc *proc = &fake_shared->proc[slot];

	memset(status, 0, sizeof(*status));
	memset(proc, 0, sizeof(*proc));
	fake_pg.my_beentry = status;
	fake_pg.my_proc = proc;
	fake_pg.my_wait_event_info = &proc->wait_event;
	proc->pid = getpid();
	status->changecount = 4;
	status->procpid = getpid();
	status->type = fake_pg.my_backend_type;
	status->proc_start = fake_pg.my_start_timestamp;
	status->database = fake_pg.my_database_id;
	status->appname = (uint64_t)(uintptr_t)fake_shared->appname[slot];
	status->activity = (uint64_t)(uintptr_t)fake_shared->activity[slot];
	return status;
}

/* Slots 0 to 7, types as PostgreSQL 15 numbers them. */
static inline void fake_pg_fill_aux(pid_t ppid, int slot)
{
	static const int types[FAKE_PG_SLOTS] = { 6, 5, 10, 1, 11, 7, 8, 12 };

	fake_pg_fill_child(ppid, types[slot]);
	fake_pg_fill_slot(slot);
	fake_shared->proc[slot].wait_event = 0x05000004;
}

/* A client session in database 5 of user 10, active over a local socket. */
static inline void fake_pg_fill_client(pid_t ppid, int slot)
{
	struct fake_pg_status *status;
	struct sockaddr_un local = { .sun_family = AF_UNIX };

	fake_pg_fill_child(ppid, 3);
	fake_pg.my_database_id = 5;
	status = fake_pg_fill_slot(slot);
	status->user = 10;
	status->state = 2;
	status->query_id = 0xfffffffffffffff0ULL;
	status->xact_start = status->activity_start = status->state_start = status->proc_start + 1000;
	memcpy(status->client, &local, 2);
	snprintf(fake_shared->activity[slot], FAKE_PG_ACTIVITY, "select %d", slot);
	snprintf(fake_shared->appname[slot], 64, "app %d", slot);
	fake_shared->proc[slot].wait_event = 0x09000002;
}

#endif
