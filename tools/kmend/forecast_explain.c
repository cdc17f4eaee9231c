// SPDX-License-Identifier: Apache-2.0
#include "forecast_explain.h"

#include "plot.h"

/* As many as the history hands out. */
#define SAMPLES_MAX 1000

/* The column of a table is no resource: its list begins with the second row. */
static const struct km_column rows[] = {
	{ "resource", "resource", KM_CELL_TEXT },
	{ "of", "service", KM_CELL_TEXT },
	{ "kind", "kind", KM_CELL_TEXT },
	{ "why not", "why", KM_CELL_TEXT },
	{ "in", "eta_s", KM_CELL_SECONDS },
	{ "soonest", "eta_lo_s", KM_CELL_SECONDS },
	{ "latest", "eta_hi_s", KM_CELL_SECONDS },
	{ "probability", "p", KM_CELL_PERCENT },
	{ "calibrated", "calibrated", KM_CELL_TEXT },
	{ "level", "level", KM_CELL_TEXT },
	{ "limit", "limit", KM_CELL_TEXT },
	{ "process", "pid", KM_CELL_PID },
	{ "predictor", "predictor", KM_CELL_TEXT },
	{ "looked at", "evidence.span_s", KM_CELL_SECONDS },
	{ "ends", "evidence.ends", KM_CELL_TEXT },
	{ "scale", "evidence.scale_s", KM_CELL_SECONDS },
	{ "slope per second", "evidence.slope_per_s", KM_CELL_TEXT },
	{ "standard error", "evidence.slope_error", KM_CELL_TEXT },
	{ "noise", "evidence.noise", KM_CELL_TEXT },
	{ "samples", "evidence.samples", KM_CELL_TEXT },
	{ "risen for", "evidence.risen_for_s", KM_CELL_SECONDS },
	{ "highest before", "evidence.highest_before", KM_CELL_TEXT },
	{ "rises that went back", "evidence.swing", KM_CELL_TEXT },
	{ 0 },
};

static double number(const cJSON *node, const char *path, double otherwise)
{
	const cJSON *n = km_path(node, path);

	return cJSON_IsNumber(n) ? n->valuedouble : otherwise;
}

static size_t read_samples(const cJSON *array, double *t_s, double *level)
{
	const cJSON *pair;
	size_t n = 0;

	cJSON_ArrayForEach(pair, array)
	{
		const cJSON *t = cJSON_GetArrayItem(pair, 0), *x = cJSON_GetArrayItem(pair, 1);

		if (n == SAMPLES_MAX || !cJSON_IsNumber(t) || !cJSON_IsNumber(x))
			continue;
		t_s[n] = t->valuedouble / 1000;
		level[n++] = x->valuedouble;
	}
	return n;
}

static void plot(struct km_cli *cli, const cJSON *look)
{
	const cJSON *f = km_path(look, "forecast"), *unit = km_path(look, "unit");
	double t_s[SAMPLES_MAX], level[SAMPLES_MAX];
	struct km_plot p = {
		.t_s = t_s,
		.level = level,
		.count = read_samples(km_path(look, "samples"), t_s, level),
		.limit = number(f, "limit", -1),
		.span_s = number(f, "evidence.span_s", 0),
		.fitted = number(f, "evidence.line_now", 0),
		.slope = number(f, "evidence.slope_per_s", 0),
		.eta_lo_s = number(f, "eta_lo_s", -1),
		.eta_s = number(f, "eta_s", -1),
		.eta_hi_s = number(f, "eta_hi_s", -1),
		.bytes = cJSON_IsString(unit) && strcmp(unit->valuestring, "bytes") == 0,
	};

	fputc('\n', cli->out);
	km_plot_print(cli->out, &p);
}

void km_forecast_explain(struct km_cli *cli, const cJSON *doc)
{
	const cJSON *look;
	bool first = true;

	cJSON_ArrayForEach(look, km_path(doc, "looks"))
	{
		if (!first)
			fputc('\n', cli->out);
		first = false;
		km_print_list(cli, km_path(look, "forecast"),
		              km_path(doc, "row") ? rows + 1 : rows);
		if (km_path(look, "samples"))
			plot(cli, look);
	}
	if (first)
		fputs("nothing was looked at yet\n", cli->out);
}
