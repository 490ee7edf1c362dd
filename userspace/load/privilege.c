// SPDX-License-Identifier: BSD-2-Clause
/* privilege.c - capability sets by the system call itself: the core links no capability library. */
#include "userspace/load/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int needed[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH };

/* SETUID and SETGID: peer authentication as the server's own user; KILL: stopping a throwaway server of demo. */
static const int kept[] = { CAP_BPF,	      CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
			    CAP_DAC_OVERRIDE, CAP_SETUID,  CAP_SETGID,	   CAP_KILL };

struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static int sets_get(struct sets *sets)
{
	memset(sets, 0, sizeof(*sets));
	sets->header.version = _LINUX_CAPABILITY_VERSION_3;
	return syscall(SYS_capget, &sets->header, sets->data) ? -errno : 0;
}

static bool has(const struct sets *sets, int capability)
{
	return sets->data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool tap_privilege_suffices(void)
{
	struct sets sets;

	if (sets_get(&sets))
		return false;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		bool stands_for = (needed[i] == CAP_BPF || needed[i] == CAP_PERFMON) && has(&sets, CAP_SYS_ADMIN);

		if (!has(&sets, needed[i]) && !stands_for)
			return false;
	}
	return true;
}

/* For a uprobe the kernel asks for CAP_SYS_ADMIN, where CAP_PERFMON does for all other events. */
static bool is_kept(int capability, bool probes)
{
	if (probes && capability == CAP_SYS_ADMIN)
		return true;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (kept[i] == capability)
			return true;
	}
	return false;
}

int tap_privilege_drop(bool probes, struct tap_error *err)
{
	struct sets sets;
	int status;

	for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++) {
		if (!is_kept(capability, probes))
			prctl(PR_CAPBSET_DROP,
			      capability); /* without CAP_SETPCAP it fails, and there is less to drop */
	}
	status = sets_get(&sets);
	for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
		uint32_t mask = 0;

		for (int capability = 0; capability <= CAP_LAST_CAP; capability++) {
			if (CAP_TO_INDEX(capability) == word && is_kept(capability, probes))
				mask |= CAP_TO_MASK(capability);
		}
		sets.data[word].effective &= mask;
		sets.data[word].permitted &= mask;
		sets.data[word].inheritable = 0;
	}
	if (!status && syscall(SYS_capset, &sets.header, sets.data))
		status = -errno;
	return status ? tap_error_set(err, status, "cannot drop capabilities: %s", strerror(-status)) : 0;
}
