// SPDX-License-Identifier: BSD-2-Clause
/* stats.c - the child that may switch run statistics. */
#include "userspace/load/stats.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

struct tap_stats_switch {
	int socket;
	pid_t child;
};

/* Statistics are on as long as the descriptor lives. */
static void serve(int socket)
{
	int stats_fd = -1;
	char word;

	while (read(socket, &word, 1) == 1) {
		if (word == '1' && stats_fd < 0)
			stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		else if (word == '0' && stats_fd >= 0)
			stats_fd = close(stats_fd) - 1;
		word = (word == '1') == (stats_fd >= 0) ? '+' : '-';
		if (write(socket, &word, 1) != 1)
			break;
	}
}

/* Nothing of the parent's stays open: no link may outlive it. Signals for the parent's group do not end it first. */
static void child_main(int socket, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (dup2(socket, 0) != 0 || close_range(1, ~0u, 0))
		_exit(1);
	serve(0);
	_exit(0);
}

struct tap_stats_switch *tap_stats_switch_new(void)
{
	struct tap_stats_switch *stats = calloc(1, sizeof(*stats));
	pid_t parent = getpid();
	int sockets[2];

	if (!stats)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets)) {
		free(stats);
		return NULL;
	}
	stats->socket = sockets[0];
	stats->child = fork();
	if (stats->child == 0)
		child_main(sockets[1], parent);
	close(sockets[1]);
	if (stats->child < 0) {
		close(sockets[0]);
		free(stats);
		return NULL;
	}
	return stats;
}

void tap_stats_switch_free(struct tap_stats_switch *stats)
{
	if (!stats)
		return;
	close(stats->socket);
	kill(stats->child, SIGKILL);
	while (waitpid(stats->child, NULL, 0) < 0 && errno == EINTR)
		;
	free(stats);
}

static int ask(struct tap_stats_switch *stats, char word)
{
	if (!stats)
		return -ENOTCONN;
	if (send(stats->socket, &word, 1, MSG_NOSIGNAL) != 1 || recv(stats->socket, &word, 1, 0) != 1)
		return -EPIPE;
	return word == '+' ? 0 : -EPERM;
}

int tap_stats_switch_on(struct tap_stats_switch *stats)
{
	return ask(stats, '1');
}

int tap_stats_switch_off(struct tap_stats_switch *stats)
{
	return ask(stats, '0');
}
