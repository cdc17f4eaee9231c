// SPDX-License-Identifier: Apache-2.0
#include "matrix.h"

#include <math.h>

void km_matrix_clear(struct km_matrix *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->series[i].level);
	m->count = 0;
}

int km_matrix_series(struct km_matrix *m, const char *name, struct km_matrix_series **ret)
{
	struct km_matrix_series *s;

	for (size_t i = 0; i < m->count; i++) {
		*ret = &m->series[i];
		if (strcmp(m->series[i].name, name) == 0)
			return 0;
	}
	if (m->count == KM_ARRAY_SIZE(m->series) || (m->count + 1) * m->rows > KM_MATRIX_CELLS_MAX)
		return -E2BIG;
	s = &m->series[m->count];
	s->level = calloc(m->rows, sizeof(*s->level));
	if (!s->level)
		return -ENOMEM;
	for (size_t i = 0; i < m->rows; i++)
		s->level[i] = NAN;
	km_copy(s->name, sizeof(s->name), name);
	m->count++;
	*ret = s;
	return 0;
}

void km_matrix_put(const struct km_matrix *m, struct km_matrix_series *s, double t_ms, double level)
{
	double row = floor((t_ms - (double)m->from_ms) / (double)m->step_ms + 0.5);

	if (row >= 0 && row < (double)m->rows)
		s->level[(size_t)row] = level;
}

/* A cell between quotes, each quote in it twice; a name has no line end (it is escaped). */
static void write_name(const char *name, FILE *out)
{
	fputs(",\"", out);
	for (; *name; name++) {
		if (*name == '"')
			fputc('"', out);
		fputc(*name, out);
	}
	fputc('"', out);
}

static bool row_is_empty(const struct km_matrix *m, size_t row)
{
	for (size_t i = 0; i < m->count; i++)
		if (!isnan(m->series[i].level[row]))
			return false;
	return true;
}

int km_matrix_write(const struct km_matrix *m, FILE *out)
{
	fputs("timestamp", out);
	for (size_t i = 0; i < m->count; i++)
		write_name(m->series[i].name, out);
	fputc('\n', out);
	for (size_t row = 0; row < m->rows; row++) {
		if (row_is_empty(m, row))
			continue;
		fprintf(out, "%.3f", (double)(m->from_ms + (int64_t)row * m->step_ms) / 1000);
		for (size_t i = 0; i < m->count; i++)
			if (isnan(m->series[i].level[row]))
				fputc(',', out);
			else
				fprintf(out, ",%.17g", m->series[i].level[row]);
		fputc('\n', out);
	}
	return fflush(out) == 0 && !ferror(out) ? 0 : errno ? -errno : -EIO;
}
