/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - a view as the JSON object of the command-line contract.
 *
 * Called by the commands. Names come from part.c and correlate/figure.h; what is absent is left out, and named under
 * "absent" where there is a reason.
 */
#ifndef TAP_USERSPACE_OUTPUT_JSON_H
#define TAP_USERSPACE_OUTPUT_JSON_H

#include "correlate/view.h"
#include "userspace/base/strbuf.h"
#include "userspace/output/part.h"

/*
 * Append one pretty-printed object and a newline. The lists of the io and of the locks view come all together,
 * whichever of them is asked for. Out of memory shows in out->failed.
 */
void tap_json_render(const struct tap_view *view, enum tap_view_part part, struct tap_strbuf *out);
/* The same in one line, for outputs of many objects. */
void tap_json_render_line(const struct tap_view *view, enum tap_view_part part, struct tap_strbuf *out);

#endif
