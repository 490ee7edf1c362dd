// SPDX-License-Identifier: BSD-2-Clause
/* figure.c - the tables that figure.h declares. */
#include "correlate/figure.h"

#include <errno.h>
#include <string.h>

const struct tap_figure_info tap_figure_infos[TAP_FIGURE_COUNT] = {
#define X(id, figure_name, figure_unit, figure_meaning) \
	[TAP_FIGURE_##id] = { \
		.name = #figure_name, \
		.unit = TAP_UNIT_##figure_unit, \
		.meaning = figure_meaning, \
	},
	TAP_FIGURES(X)
#undef X
};

const char *const tap_reason_texts[TAP_REASON_COUNT] = {
#define X(id, text) [TAP_REASON_##id] = text,
	TAP_REASONS(X)
#undef X
};

int tap_figure_by_name(const char *name)
{
	for (int i = 0; i < TAP_FIGURE_COUNT; i++)
		if (strcmp(tap_figure_infos[i].name, name) == 0)
			return i;
	return -ENOENT;
}
