/* SPDX-License-Identifier: Apache-2.0 */
/* Imported history: series of numbers on one grid of times, written as a file that
 * `kmend replay --csv` reads. */
#ifndef KM_MATRIX_H
#define KM_MATRIX_H

#include <stdio.h>

#include "base/base.h"
#include "csv.h"

/* Numbers in memory, 128 MiB: two months of 16 series at 5 s. */
#define KM_MATRIX_CELLS_MAX (16U << 20)

struct km_matrix_series {
	char name[KM_NAME_MAX]; /* of the column; unique */
	double *level;          /* owned; one a row, NaN: missing */
};

struct km_matrix {
	int64_t from_ms, step_ms; /* row I is at FROM_MS + I * STEP_MS since 1970 */
	size_t rows, count;
	struct km_matrix_series series[KM_CSV_COLUMNS_MAX - 1]; /* a column is the time */
};

/* The rows are the caller's to set before. */
void km_matrix_clear(struct km_matrix *m);
/* Of that name, a new one without numbers if there is none. -E2BIG: one of the maxima; -ENOMEM. */
int km_matrix_series(struct km_matrix *m, const char *name, struct km_matrix_series **ret);
/* T_MS is rounded to the grid; what lies outside is left out. */
void km_matrix_put(const struct km_matrix *m, struct km_matrix_series *s, double t_ms,
                   double level);
/* Rows without any number are left out. 0 or negative errno. */
int km_matrix_write(const struct km_matrix *m, FILE *out);

#endif
