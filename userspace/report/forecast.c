/* SPDX-License-Identifier: Apache-2.0 */
#include "report/request.h"

/* Of each series that is explained: more than a terminal has columns. */
#define SAMPLES_EXPLAINED 240

static const char *name_of(const struct km_view *v, uint64_t service_id)
{
	const struct km_service *s = km_attribute_service(v->attribute, service_id);

	return s ? s->name : "(gone)";
}

static int list(struct km_request *rq)
{
	const struct km_view *v = rq->view;
	const struct km_forecast *f;
	uint64_t n = 0, more = 0;
	uint32_t slot = 0;

	km_jw_key(rq->w, "forecasts");
	km_jw_array(rq->w);
	while ((f = km_predict_next(v->predict, &slot)))
		if ((rq->args.all || f->why == KM_WHY_NONE) && km_request_page(rq, &n, &more))
			km_forecast_write(f, name_of(v, f->service_id), rq->w);
	km_jw_end_array(rq->w);
	km_jw_ku64(rq->w, "more", more);
	return 0;
}

typedef void (*write_fn)(struct km_request *rq, const struct km_service *s,
                         const struct km_forecast *f);

/* As the array KEY all that was looked at of the service that was named. */
static int each(struct km_request *rq, const char *key, write_fn fn)
{
	const struct km_service *s = km_request_service(rq, rq->args.name);
	const struct km_forecast *f;
	uint32_t slot = 0;

	if (!s)
		return -ENOENT;
	km_jw_kstring(rq->w, "service", s->name);
	km_jw_key(rq->w, key);
	km_jw_array(rq->w);
	while ((f = km_predict_next(rq->view->predict, &slot)))
		if (f->service_id == s->id)
			fn(rq, s, f);
	km_jw_end_array(rq->w);
	return 0;
}

/* Also what was looked at without a forecast: "why" says why there is none. */
static void write_forecast(struct km_request *rq, const struct km_service *s,
                           const struct km_forecast *f)
{
	km_forecast_write(f, s->name, rq->w);
}

static int show(struct km_request *rq)
{
	return each(rq, "forecasts", write_forecast);
}

/* With the level's history; of a crash loop there is none. */
static void write_look(struct km_request *rq, const struct km_service *s,
                       const struct km_forecast *f)
{
	if (f->limit <= 0 && f->why != KM_WHY_NONE)
		return;
	km_jw_object(rq->w);
	km_jw_key(rq->w, "forecast");
	km_forecast_write(f, s->name, rq->w);
	if (f->resource < KM_RESOURCE_MAX) {
		km_jw_kstring(rq->w, "unit", km_resource_unit(f->resource));
		km_jw_key(rq->w, "samples");
		km_history_samples(rq->view->history, s->id, f->resource, SAMPLES_EXPLAINED, rq->w);
	}
	km_jw_end_object(rq->w);
}

static int explain(struct km_request *rq)
{
	return each(rq, "looks", write_look);
}

static const struct km_json_field list_args[] = {
	{ "limit", KM_JSON_COUNT, false, offsetof(struct km_args, limit), 0, 1, KM_ROWS_MAX, NULL },
	{ "offset", KM_JSON_COUNT, false, offsetof(struct km_args, offset), 0, 0, 1000000, NULL },
	{ "all", KM_JSON_BOOL, false, offsetof(struct km_args, all), 0, 0, 0, NULL },
	{ 0 },
};

const struct km_control_command km_forecast_commands[] = {
	{ "forecast", "list", list_args, false, list },
	{ "forecast", "show", km_args_name, false, show },
	{ "forecast", "explain", km_args_name, false, explain },
	{ "forecast", "forget", km_args_none, true, km_operator_forget },
	{ 0 },
};
