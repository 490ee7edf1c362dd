// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_fingerprint.c - what must hold for every text, valid or not.
 *
 * libFuzzer calls it; the corpus runner of the tests calls the same entry. A broken rule aborts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/fingerprint.h"
#include "correlate/fingerprint.h"
#include "userspace/base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PIECE = 32, /* as the BPF side feeds it */
	TEXT_MAX = 4096,
};

static void require(int holds)
{
	if (!holds)
		abort();
}

static uint64_t id_by_pieces(const uint8_t *data, size_t size)
{
	unsigned char piece[PIECE];
	struct tap_fp fp;
	size_t i, n;

	tap_fp_init(&fp);
	for (i = 0; i < size; i += PIECE) {
		n = size - i < PIECE ? size - i : PIECE;
		memset(piece, 0, sizeof(piece));
		memcpy(piece, data + i, n);
		tap_fp_run(&fp, piece, PIECE);
	}
	return tap_fp_final(&fp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct tap_strbuf once, twice;
	uint64_t id;

	if (size > TEXT_MAX)
		return 0;
	tap_strbuf_init(&once);
	tap_strbuf_init(&twice);
	id = tap_fingerprint(text, size);
	require(id != 0);
	require(id == id_by_pieces(data, size));
	tap_fingerprint_normalise(text, size, &once);
	require(!once.failed && once.size <= 5 * size + 32);
	require(tap_fingerprint(once.data, once.size) == id);
	tap_fingerprint_normalise(once.data, once.size, &twice);
	require(twice.size == once.size && !memcmp(twice.data, once.data, once.size));
	tap_strbuf_done(&once);
	tap_strbuf_done(&twice);
	return 0;
}
