// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_digest.c - own ids and normal forms of MariaDB statements; for the live test that compares them with the server's.
 *
 * Statements come on standard input, each ended by a NUL. For each three texts go out, ended so too: its id in hex, its
 * normal form, and the id it is compared with digest texts by. With -d it is digest texts that come, and the last is
 * theirs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/mysql/digest.h"
#include "userspace/base/strbuf.h"

int main(int argc, char **argv)
{
	bool digests = argc > 1 && !strcmp(argv[1], "-d");
	char *line = NULL;
	size_t room = 0;

	while (getdelim(&line, &room, '\0', stdin) > 0) {
		size_t length = strlen(line);
		uint64_t id = tap_my_statement_id(line, length);
		uint64_t compared = digests ? tap_my_digest_text_id(line, length) : tap_my_canonical_id(line, length);
		struct tap_strbuf normal;

		tap_strbuf_init(&normal);
		tap_my_statement_normalise(line, length, &normal);
		printf("%016" PRIx64 "%c%s%c%016" PRIx64 "%c", id, 0, normal.data, 0, compared, 0);
		tap_strbuf_done(&normal);
	}
	free(line);
	return 0;
}
