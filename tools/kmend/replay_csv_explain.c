// SPDX-License-Identifier: Apache-2.0
/* kmend forecast explain --csv: what is forecast of each limited column at one row, and why. */
#include <math.h>

#include "forecast_explain.h"
#include "replay_csv.h"

/* Every STEP-th sample is kept; when there is no more room every second one goes and STEP doubles,
 * so that the whole past is in the plot, however long it is. */
int km_csv_keep_row(struct km_csv_run *run)
{
	for (size_t i = 0; i < run->columns; i++) {
		struct km_csv_kept *k = run->column[i].kept;

		if (!run->column[i].series || isnan(run->value[i]))
			continue;
		if (!k)
			k = run->column[i].kept = calloc(1, sizeof(*k));
		if (!k)
			return -ENOMEM;
		k->step = k->step ? k->step : 1;
		if (k->seen++ % k->step)
			continue;
		if (k->count == KM_CSV_KEPT) {
			for (size_t n = 0; n < KM_CSV_KEPT / 2; n++)
				k->sample[n] = k->sample[2 * n];
			k->count = KM_CSV_KEPT / 2;
			k->step *= 2;
		}
		k->sample[k->count].t_ns = run->t_ns;
		k->sample[k->count++].level = run->value[i];
	}
	return 0;
}

static void write_look(const struct km_csv_run *run, size_t i, struct km_json_writer *w)
{
	const struct km_csv_kept *k = run->column[i].kept;
	const struct km_forecast *f = km_predict_get(run->predict, i + 1, KM_EXHAUSTION, KM_MEMORY);

	if (!f || !k)
		return;
	km_jw_object(w);
	km_jw_key(w, "forecast");
	km_forecast_write(f, run->column[i].name, w);
	km_jw_kstring(w, "unit", "count");
	km_jw_key(w, "samples");
	km_jw_array(w);
	for (size_t n = 0; n < k->count; n++) {
		km_jw_array(w);
		km_jw_u64(w, k->sample[n].t_ns / KM_NS_PER_MS);
		km_jw_double(w, k->sample[n].level);
		km_jw_end_array(w);
	}
	km_jw_end_array(w);
	km_jw_end_object(w);
}

int km_csv_explain(struct km_csv_run *run)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_json_writer w;
	struct km_error err;

	if (km_buf_new(KM_JSON_BYTES_MAX, &text) < 0)
		return km_say(run->cli, KM_EXIT_FAILED, NULL, "out of memory");
	km_jw_init(&w, text, false);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_ku64(&w, "row", run->rows ? run->rows - 1 : 0);
	km_jw_key(&w, "looks");
	km_jw_array(&w);
	for (size_t i = 0; i < run->columns; i++)
		if (run->column[i].series)
			write_look(run, i, &w);
	km_jw_end_array(&w);
	km_jw_end_object(&w);
	if (km_json_parse(km_buf_text(text), text->len, "answer", &err, &doc) < 0)
		return km_say(run->cli, KM_EXIT_FAILED, "name fewer columns with --limit",
		              "too much to explain at once");
	if (run->cli->format != KM_PLAIN)
		return km_print_json(run->cli, km_json_root(doc));
	km_forecast_explain(run->cli, km_json_root(doc));
	return KM_EXIT_DONE;
}
