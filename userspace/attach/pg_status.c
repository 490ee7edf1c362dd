// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_status.c - fields of a PgBackendStatus, wherever a layout says they are.
 *
 * Called by pg_backend, pg_memory and pg_layout_check. Reading the bytes whole is pg_backend's work.
 */
#include "userspace/attach/pg_status.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/abi/kind.h"

#define FIELD(entry, offset, to) memcpy(&(to), (entry) + (offset), sizeof(to))

void tap_pg_status_decode(const struct tap_pg_layout *layout, const uint8_t *entry, struct tap_pg_status *ret)
{
	FIELD(entry, layout->status_changecount, ret->changecount);
	FIELD(entry, layout->status_procpid, ret->procpid);
	FIELD(entry, layout->status_backend_type, ret->backend_type);
	FIELD(entry, layout->status_proc_start, ret->proc_start);
	FIELD(entry, layout->status_xact_start, ret->xact_start);
	FIELD(entry, layout->status_activity_start, ret->activity_start);
	FIELD(entry, layout->status_state_start, ret->state_start);
	FIELD(entry, layout->status_database, ret->database);
	FIELD(entry, layout->status_user, ret->user);
	FIELD(entry, layout->status_state, ret->state);
	ret->state = ret->state < TAP_PG_BACKEND_STATES ? layout->state_of[ret->state] : TAP_PG_STATE_COUNT;
	FIELD(entry, layout->status_appname, ret->appname);
	FIELD(entry, layout->status_activity, ret->activity);
	ret->query_id = 0;
	if (layout->status_query_id != TAP_PG_ABSENT)
		FIELD(entry, layout->status_query_id, ret->query_id);
}

uint8_t tap_pg_status_kind(const struct tap_pg_layout *layout, uint32_t backend_type)
{
	return backend_type < TAP_PG_BACKEND_TYPES ? layout->kind_of_type[backend_type] : TAP_KIND_UNKNOWN;
}

void tap_pg_status_client(const struct tap_pg_layout *layout, const uint8_t *entry, char ret[TAP_PG_CLIENT_MAX],
			  uint16_t *ret_port)
{
	const uint8_t *address = entry + layout->status_client_addr;
	char host[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in6 in6;
	struct sockaddr_in in4;
	sa_family_t family;

	ret[0] = '\0';
	*ret_port = 0;
	memcpy(&family, address, sizeof(family));
	if (family == AF_UNIX) {
		snprintf(ret, TAP_PG_CLIENT_MAX, "[local]");
	} else if (family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		*ret_port = ntohs(in4.sin_port);
		inet_ntop(AF_INET, &in4.sin_addr, host, sizeof(host));
		snprintf(ret, TAP_PG_CLIENT_MAX, "%s:%u", host, *ret_port);
	} else if (family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		*ret_port = ntohs(in6.sin6_port);
		inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
		snprintf(ret, TAP_PG_CLIENT_MAX, "[%s]:%u", host, *ret_port);
	}
}

int64_t tap_pg_time_us(int64_t timestamp)
{
	const int64_t epoch_us = 946684800LL * 1000000; /* 2000-01-01 00:00:00 UTC */

	if (!timestamp || timestamp < -epoch_us || timestamp > INT64_MAX - epoch_us)
		return 0;
	return timestamp + epoch_us;
}

/* How many bytes a UTF-8 character that starts so has; 0 for a byte that starts none. */
static size_t utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t tap_pg_text_clip(const char *text, size_t length)
{
	for (size_t back = 1; back <= 3 && back <= length; back++) {
		unsigned char byte = (unsigned char)text[length - back];

		if ((byte & 0xc0) == 0x80)
			continue;
		return utf8_length(byte) > back ? length - back : length;
	}
	return length;
}
