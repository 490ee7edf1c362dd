/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * svg.h - who waits for whom as a picture of its own: no font, style sheet, script or image from elsewhere.
 *
 * Blockers stand left, who waits for them right of them, an arrow from each waiter to whom it waits for. What a box
 * had to cut stands in its tooltip.
 */
#ifndef TAP_USERSPACE_OUTPUT_SVG_H
#define TAP_USERSPACE_OUTPUT_SVG_H

#include "correlate/view.h"
#include "userspace/base/strbuf.h"

/* Append one document. Out of memory shows in out->failed. */
void tap_svg_render(const struct tap_view *view, struct tap_strbuf *out);

#endif
