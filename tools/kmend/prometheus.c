// SPDX-License-Identifier: Apache-2.0
#include "prometheus.h"

#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "health/curl.h"

/* A heavy query on a busy server takes its time; the server's own default limit is 2 minutes. */
#define TIMEOUT_MS 150000L

struct km_prometheus {
	const char *url;
	struct km_curl curl;
	CURL *easy;
	struct curl_slist *headers;
	struct km_buf *body; /* of the answer under way */
	bool too_large;
};

struct km_prometheus *km_prometheus_free(struct km_prometheus *p)
{
	if (!p)
		return NULL;
	if (p->easy)
		p->curl.easy_cleanup(p->easy);
	if (p->headers)
		p->curl.slist_free_all(p->headers);
	km_curl_unload(&p->curl);
	km_buf_free(p->body);
	free(p);
	return NULL;
}

static size_t take_body(char *data, size_t size, size_t count, void *userdata)
{
	struct km_prometheus *p = userdata;

	p->too_large = p->body->len + size * count > KM_JSON_BYTES_MAX;
	if (p->too_large)
		return 0;
	km_buf_add(p->body, data, size * count);
	return km_buf_error(p->body) < 0 ? 0 : size * count;
}

static int set_up(struct km_prometheus *p)
{
	static const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_HTTP09_ALLOWED, 0 },
		{ CURLOPT_TIMEOUT_MS, TIMEOUT_MS },
	};
	const struct km_curl *c = &p->curl;

	for (size_t i = 0; i < KM_ARRAY_SIZE(numbers); i++)
		if (c->easy_setopt(p->easy, numbers[i].option, numbers[i].value) != CURLE_OK)
			return -EINVAL;
	return c->easy_setopt(p->easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
	                       c->easy_setopt(p->easy, CURLOPT_USERAGENT, "kmend") ||
	                       c->easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->headers) ||
	                       c->easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, take_body) ||
	                       c->easy_setopt(p->easy, CURLOPT_WRITEDATA, p)
	               ? -EINVAL
	               : 0;
}

int km_prometheus_new(const char *url, const char *token, struct km_prometheus **ret)
{
	km_autofree(km_prometheus_freep) struct km_prometheus *p = calloc(1, sizeof(*p));
	char bearer[8192];
	int r;

	if (!p)
		return -ENOMEM;
	p->url = url;
	r = km_curl_load(&p->curl);
	if (r == 0)
		r = km_buf_new(KM_JSON_BYTES_MAX, &p->body);
	if (r < 0)
		return r;
	p->easy = p->curl.easy_init();
	if (token) {
		snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", token);
		p->headers = p->curl.slist_append(NULL, bearer);
	}
	if (!p->easy || (token && !p->headers))
		return -ENOMEM;
	r = set_up(p);
	if (r == 0)
		*ret = km_take(p);
	return r;
}

static int request(struct km_prometheus *p, const char *query, size_t first, size_t points,
                   const struct km_matrix *m)
{
	km_autofree(km_buf_freep) struct km_buf *url = NULL;
	double from = (double)(m->from_ms + (int64_t)first * m->step_ms) / 1000;
	double step = (double)m->step_ms / 1000;
	char *escaped = p->curl.easy_escape(p->easy, query, 0);
	int r = escaped ? km_buf_new(KM_JSON_BYTES_MAX, &url) : -ENOMEM;

	if (r == 0) {
		km_buf_addf(url, "%s/api/v1/query_range?query=%s&start=%.3f&end=%.3f&step=%.3f",
		            p->url, escaped, from, from + (double)(points - 1) * step, step);
		r = km_buf_error(url);
	}
	if (r == 0 && p->curl.easy_setopt(p->easy, CURLOPT_URL, km_buf_text(url)) != CURLE_OK)
		r = -ENOMEM;
	p->curl.free(escaped);
	return r;
}

/* The metric's labels as one text, name{label=value,...}, escaped for a terminal; the end of one
 * that is too long is its hash. */
static void name_of(const cJSON *metric, const char *query, char out[KM_NAME_MAX])
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(metric, "__name__"), *label;
	char text[4 * KM_NAME_MAX], safe[4 * KM_NAME_MAX];
	const char *comma = "{";
	size_t len;

	km_copy(text, sizeof(text), cJSON_IsString(name) ? name->valuestring : "");
	cJSON_ArrayForEach(label, metric)
	{
		if (!cJSON_IsString(label) || label == name)
			continue;
		len = strlen(text);
		snprintf(text + len, sizeof(text) - len, "%s%s=%s", comma, label->string,
		         label->valuestring);
		comma = ",";
	}
	len = strlen(text);
	if (*comma == ',')
		snprintf(text + len, sizeof(text) - len, "}");
	km_text_escape(text[0] ? text : query, safe, sizeof(safe));
	len = strlen(safe);
	if (len >= KM_NAME_MAX)
		snprintf(safe + KM_NAME_MAX - 18, 18, "~%016llx",
		         (unsigned long long)km_hash(safe, len));
	km_copy(out, KM_NAME_MAX, safe);
}

/* "1.5", "NaN", "+Inf": numbers come as texts, or JSON would lose the last two. */
static int put_point(const struct km_matrix *m, struct km_matrix_series *s, const cJSON *point)
{
	const cJSON *t = cJSON_GetArrayItem(point, 0), *v = cJSON_GetArrayItem(point, 1);
	double level;

	if (!cJSON_IsNumber(t) || !cJSON_IsString(v))
		return -EBADMSG;
	switch (km_csv_number(v->valuestring, &level)) {
	case KM_CSV_NUMBER:
		km_matrix_put(m, s, t->valuedouble * 1000, level);
		return 0;
	case KM_CSV_INFINITE:
		km_matrix_put(m, s, t->valuedouble * 1000, INFINITY);
		return 0;
	case KM_CSV_MISSING:
		return 0;
	default:
		return -EBADMSG;
	}
}

static int take_series(struct km_matrix *m, const char *query, const struct km_json *doc,
                       const cJSON *node, struct km_error *err)
{
	const cJSON *metric = cJSON_GetObjectItemCaseSensitive(node, "metric");
	const cJSON *values = cJSON_GetObjectItemCaseSensitive(node, "values"), *point;
	struct km_matrix_series *s;
	char name[KM_NAME_MAX];
	int r;

	if (!cJSON_IsObject(metric) || !cJSON_IsArray(values))
		return km_json_fail(doc, node, err, NULL, "a series without metric or values");
	name_of(metric, query, name);
	r = km_matrix_series(m, name, &s);
	if (r < 0)
		return r;
	for (point = values->child; point; point = point->next)
		if (put_point(m, s, point) < 0)
			return km_json_fail(doc, point, err, NULL,
			                    "not a pair of a time and a number in a text");
	return 0;
}

static int take_answer(struct km_prometheus *p, const char *query, struct km_matrix *m,
                       struct km_error *err)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	const cJSON *node, *said;
	int r = km_json_parse(km_buf_text(p->body), p->body->len, p->url, err, &doc);

	if (r < 0)
		return r;
	said = cJSON_GetObjectItemCaseSensitive(km_json_root(doc), "error");
	if (cJSON_IsString(said))
		return km_json_fail(doc, said, err, NULL, "the server says: %s", said->valuestring);
	node = cJSON_GetObjectItemCaseSensitive(km_json_root(doc), "data");
	node = cJSON_GetObjectItemCaseSensitive(node, "result");
	if (!cJSON_IsArray(node))
		return km_json_fail(doc, km_json_root(doc), err,
		                    "--url is the server's, without /api/v1",
		                    "no answer of the Prometheus HTTP API");
	for (said = node->child; said && r == 0; said = said->next)
		r = take_series(m, query, doc, said, err);
	return r;
}

int km_prometheus_get(struct km_prometheus *p, const char *query, size_t first, size_t points,
                      struct km_matrix *m, struct km_error *err)
{
	int r = request(p, query, first, points, m);
	CURLcode code;

	if (r < 0)
		return r;
	km_buf_reset(p->body);
	p->too_large = false;
	code = p->curl.easy_perform(p->easy);
	if (p->too_large)
		return -EFBIG;
	if (code == CURLE_OK)
		return take_answer(p, query, m, err);
	*err = (struct km_error){ 0 };
	km_copy(err->file, sizeof(err->file), p->url);
	km_copy(err->what, sizeof(err->what), p->curl.easy_strerror(code));
	return -EIO;
}
