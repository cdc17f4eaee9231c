/* SPDX-License-Identifier: Apache-2.0 */
/* Cells, tables and lists. Every text goes through km_text_escape(): names come from processes. */
#include <time.h>

#include "base/text.h"
#include "cli.h"

#define CELL_MAX    512
#define COLUMNS_MAX 16

const cJSON *km_path(const cJSON *node, const char *path)
{
	char key[64];

	while (node && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		node = cJSON_IsObject(node) ? cJSON_GetObjectItemCaseSensitive(node, key) : NULL;
		path += n + (path[n] == '.');
	}
	return node;
}

/* Large numbers come as strings, so that no reader rounds them. */
static bool number(const cJSON *node, double *ret)
{
	char *end;

	if (cJSON_IsNumber(node)) {
		*ret = node->valuedouble;
		return true;
	}
	if (!cJSON_IsString(node) || !node->valuestring[0])
		return false;
	*ret = strtod(node->valuestring, &end);
	return *end == '\0';
}

static void plain(const cJSON *node, char *out, size_t size)
{
	if (cJSON_IsString(node))
		km_text_escape(node->valuestring, out, size);
	else if (cJSON_IsBool(node))
		snprintf(out, size, "%s", cJSON_IsTrue(node) ? "yes" : "no");
	else if (cJSON_IsNumber(node))
		snprintf(out, size, "%.15g", node->valuedouble);
	else
		snprintf(out, size, "-");
}

static void duration(double ns, char *out, size_t size)
{
	/* 2^63 ns are 292 years. */
	km_text_duration(ns > 0 && ns < 9.2e18 ? (uint64_t)ns : 0, out, size);
}

static void bytes(double v, char *out, size_t size)
{
	km_text_bytes(v > 0 && v < 1.8e19 ? (uint64_t)v : 0, out, size);
}

static void when(double ms, char *out, size_t size)
{
	time_t t = ms > 0 && ms < 2.5e14 ? (time_t)(ms / 1000) : 0;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, size, "%F %T", &tm))
		snprintf(out, size, "-");
}

static void level(const cJSON *node, char *out, size_t size)
{
	const cJSON *unit = km_path(node, "unit");
	const bool in_bytes = cJSON_IsString(unit) && strcmp(unit->valuestring, "bytes") == 0;
	char a[32], b[32] = "";
	double v;

	if (!number(km_path(node, "level"), &v)) {
		snprintf(out, size, "-");
		return;
	}
	in_bytes ? bytes(v, a, sizeof(a)) : (void)snprintf(a, sizeof(a), "%.0f", v);
	if (number(km_path(node, "limit"), &v) && v >= 0)
		in_bytes ? bytes(v, b, sizeof(b)) : (void)snprintf(b, sizeof(b), "%.0f", v);
	snprintf(out, size, "%s%s%s", a, b[0] ? "/" : "", b);
}

static void span(const cJSON *node, const char *key, char *out, size_t size)
{
	double s;

	if (number(km_path(node, key), &s))
		duration(s * 1e9, out, size);
	else
		snprintf(out, size, "?");
}

static void forecast(const cJSON *node, char *out, size_t size)
{
	const cJSON *what = km_path(node, "resource");
	char name[64], eta[32], lo[32], hi[32];

	if (!cJSON_IsObject(node)) {
		snprintf(out, size, "-");
		return;
	}
	plain(cJSON_IsString(what) ? what : km_path(node, "kind"), name, sizeof(name));
	span(node, "eta_s", eta, sizeof(eta));
	span(node, "eta_lo_s", lo, sizeof(lo));
	span(node, "eta_hi_s", hi, sizeof(hi));
	snprintf(out, size, "%s in %s (%s to %s)", name, eta, lo, hi);
}

static void list(const cJSON *node, char *out, size_t size)
{
	const cJSON *e;
	size_t n = 0;

	snprintf(out, size, "-");
	cJSON_ArrayForEach(e, node)
	{
		char one[CELL_MAX];

		plain(e, one, sizeof(one));
		if (n + strlen(one) + 3 > size)
			break;
		n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", one);
	}
}

static void by_number(double v, enum km_cell_kind kind, char *out, size_t size)
{
	switch (kind) {
	case KM_CELL_BYTES:
		bytes(v, out, size);
		break;
	case KM_CELL_SECONDS:
		duration(v * 1e9, out, size);
		break;
	case KM_CELL_NS:
		duration(v, out, size);
		break;
	case KM_CELL_TIME:
		when(v, out, size);
		break;
	default:
		snprintf(out, size, "%.0f %%", v * 100);
		break;
	}
}

const char *km_cell(const cJSON *node, const struct km_column *c, char *out, size_t size)
{
	double v;

	node = km_path(node, c->path);
	if (c->kind == KM_CELL_LEVEL)
		level(node, out, size);
	else if (c->kind == KM_CELL_FORECAST)
		forecast(node, out, size);
	else if (c->kind == KM_CELL_LIST)
		list(node, out, size);
	else if (c->kind == KM_CELL_YES)
		snprintf(out, size, "%s", cJSON_IsTrue(node) ? "yes" : "-");
	else if (c->kind == KM_CELL_PID && number(node, &v) && v == 0)
		snprintf(out, size, "-");
	else if (c->kind != KM_CELL_TEXT && c->kind != KM_CELL_PID && number(node, &v))
		by_number(v, c->kind, out, size);
	else
		plain(node, out, size);
	return out;
}

/* Columns on a terminal: characters, not bytes. */
static int width_of(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void print_cell(FILE *out, const char *text, int width, bool last)
{
	fputs(text, out);
	if (last)
		fputc('\n', out);
	else
		fprintf(out, "%*s", width - width_of(text) + 2, "");
}

void km_print_table(struct km_cli *cli, const cJSON *array, const struct km_column *columns,
                    const char *none)
{
	int width[COLUMNS_MAX] = { 0 };
	char cell[CELL_MAX];
	const cJSON *row;
	size_t n = 0;

	if (!cJSON_IsArray(array) || !array->child) {
		fprintf(cli->out, "%s\n", none ? none : "none");
		return;
	}
	for (; n < COLUMNS_MAX && columns[n].title; n++)
		width[n] = width_of(columns[n].title);
	cJSON_ArrayForEach(row, array) for (size_t i = 0; i < n; i++)
	{
		int w = width_of(km_cell(row, &columns[i], cell, sizeof(cell)));

		width[i] = w > width[i] ? w : width[i];
	}
	for (size_t i = 0; i < n; i++)
		print_cell(cli->out, columns[i].title, width[i], i + 1 == n);
	cJSON_ArrayForEach(row, array) for (size_t i = 0; i < n; i++)
		print_cell(cli->out, km_cell(row, &columns[i], cell, sizeof(cell)), width[i],
	                   i + 1 == n);
}

void km_print_list(struct km_cli *cli, const cJSON *node, const struct km_column *rows)
{
	int width = 0;
	char cell[2048];

	for (const struct km_column *c = rows; c->title; c++)
		width = width_of(c->title) > width ? width_of(c->title) : width;
	for (const struct km_column *c = rows; c->title; c++) {
		km_cell(node, c, cell, sizeof(cell));
		if (!cell[0] || strcmp(cell, "-") == 0)
			continue;
		fprintf(cli->out, "%s%*s%s\n", c->title, width - width_of(c->title) + 2, "", cell);
	}
}
