/* SPDX-License-Identifier: Apache-2.0 */
/* A level over time on a terminal: what was measured, the line drawn through it, the limit, and the
 * interval in which they meet. Plain characters: it must survive a ticket and a mail. */
#ifndef KM_PLOT_H
#define KM_PLOT_H

#include <stdio.h>

#include "base/base.h"

#define KM_PLOT_WIDTH  64 /* with the scale on its left 80 columns are enough */
#define KM_PLOT_HEIGHT 14

struct km_plot {
	const double *t_s, *level; /* COUNT samples, oldest first; the newest is now */
	size_t count;
	double limit;                     /* < 0: none */
	double span_s;                    /* that the line was drawn through */
	double fitted, slope;             /* of the line, now and per second; no slope: none */
	double eta_lo_s, eta_s, eta_hi_s; /* from now; < 0: no forecast */
	bool bytes;
};

/* Two samples at least, else nothing is drawn. */
void km_plot_print(FILE *out, const struct km_plot *p);

#endif
