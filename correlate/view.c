// SPDX-License-Identifier: BSD-2-Clause
/* view.c - the end of a view. */
#include "correlate/view.h"

#include <stdlib.h>

void tap_view_free(struct tap_view *view)
{
	if (!view)
		return;
	tap_arena_done(&view->memory);
	free(view);
}
