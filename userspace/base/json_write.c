// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/text.h"

/* Largest magnitude below which every integer is exact in every JSON reader (RFC 8259, 6). */
#define EXACT_MAX (1ULL << 53)

void km_jw_init(struct km_json_writer *w, struct km_buf *out, bool pretty)
{
	memset(w, 0, sizeof(*w));
	w->out = out;
	w->pretty = pretty;
}

static void new_line(struct km_json_writer *w)
{
	unsigned int i;

	if (!w->pretty)
		return;
	km_buf_add(w->out, "\n", 1);
	for (i = 0; i < w->depth; i++)
		km_buf_add(w->out, "  ", 2);
}

/* What stands between the last token and the next value or key. */
static void separate(struct km_json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->comma)
		km_buf_add(w->out, ",", 1);
	if (w->depth > 0)
		new_line(w);
}

static void open_container(struct km_json_writer *w, const char *bracket)
{
	separate(w);
	km_buf_add(w->out, bracket, 1);
	w->depth++;
	w->comma = false;
}

static void close_container(struct km_json_writer *w, const char *bracket)
{
	if (w->depth > 0)
		w->depth--;
	if (w->comma)
		new_line(w);
	km_buf_add(w->out, bracket, 1);
	w->comma = true;
}

void km_jw_object(struct km_json_writer *w)
{
	open_container(w, "{");
}

void km_jw_array(struct km_json_writer *w)
{
	open_container(w, "[");
}

void km_jw_end_object(struct km_json_writer *w)
{
	close_container(w, "}");
}

void km_jw_end_array(struct km_json_writer *w)
{
	close_container(w, "]");
}

static void add_unit(struct km_buf *out, uint32_t c)
{
	static const char short_form[] = "btn_fr"; /* from 0x08; 0x0b has none */

	if (c >= 0x08 && c <= 0x0d && c != 0x0b)
		km_buf_addf(out, "\\%c", short_form[c - 0x08]);
	else
		km_buf_addf(out, "\\u%04x", c);
}

/* Bytes from S on that stand for themselves. */
static size_t plain_run(const char *s, size_t len)
{
	size_t n = 0, step;
	uint32_t c;

	while (n < len) {
		step = km_utf8_decode(s + n, len - n, &c);
		if (step == 0 || c == '"' || c == '\\' || km_utf8_controls(c))
			break;
		n += step;
	}
	return n;
}

static void add_quoted(struct km_buf *out, const char *s, size_t len)
{
	size_t n;
	uint32_t c;

	km_buf_add(out, "\"", 1);
	while (len > 0) {
		n = plain_run(s, len);
		km_buf_add(out, s, n);
		s += n;
		len -= n;
		if (len == 0)
			break;
		n = km_utf8_decode(s, len, &c);
		if (n == 0)
			km_buf_add(out, "\xef\xbf\xbd", 3);
		else if (c == '"' || c == '\\')
			km_buf_addf(out, "\\%c", (char)c);
		else
			add_unit(out, c);
		n = n ? n : 1;
		s += n;
		len -= n;
	}
	km_buf_add(out, "\"", 1);
}

void km_jw_key(struct km_json_writer *w, const char *key)
{
	separate(w);
	add_quoted(w->out, key, strlen(key));
	km_buf_add(w->out, ": ", w->pretty ? 2 : 1);
	w->after_key = true;
}

void km_jw_bytes(struct km_json_writer *w, const char *s, size_t len)
{
	separate(w);
	add_quoted(w->out, s, len);
	w->comma = true;
}

static void add_token(struct km_json_writer *w, const char *token)
{
	separate(w);
	km_buf_add(w->out, token, strlen(token));
	w->comma = true;
}

void km_jw_string(struct km_json_writer *w, const char *s)
{
	if (s)
		km_jw_bytes(w, s, strlen(s));
	else
		km_jw_null(w);
}

void km_jw_u64(struct km_json_writer *w, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), v > EXACT_MAX ? "\"%" PRIu64 "\"" : "%" PRIu64, v);
	add_token(w, text);
}

void km_jw_i64(struct km_json_writer *w, int64_t v)
{
	bool exact = v <= (int64_t)EXACT_MAX && v >= -(int64_t)EXACT_MAX;
	char text[32];

	snprintf(text, sizeof(text), exact ? "%" PRId64 : "\"%" PRId64 "\"", v);
	add_token(w, text);
}

void km_jw_double(struct km_json_writer *w, double v)
{
	char text[32];

	if (!isfinite(v)) {
		km_jw_null(w);
		return;
	}
	snprintf(text, sizeof(text), "%.9g", v == 0 ? 0.0 : v);
	add_token(w, text);
}

void km_jw_bool(struct km_json_writer *w, bool v)
{
	add_token(w, v ? "true" : "false");
}

void km_jw_null(struct km_json_writer *w)
{
	add_token(w, "null");
}

void km_jw_kstring(struct km_json_writer *w, const char *key, const char *s)
{
	km_jw_key(w, key);
	km_jw_string(w, s);
}

void km_jw_ku64(struct km_json_writer *w, const char *key, uint64_t v)
{
	km_jw_key(w, key);
	km_jw_u64(w, v);
}

void km_jw_ki64(struct km_json_writer *w, const char *key, int64_t v)
{
	km_jw_key(w, key);
	km_jw_i64(w, v);
}

void km_jw_kdouble(struct km_json_writer *w, const char *key, double v)
{
	km_jw_key(w, key);
	km_jw_double(w, v);
}

void km_jw_kbool(struct km_json_writer *w, const char *key, bool v)
{
	km_jw_key(w, key);
	km_jw_bool(w, v);
}

void km_jw_kknown(struct km_json_writer *w, const char *key, uint64_t v)
{
	km_jw_key(w, key);
	if (v == KM_UNKNOWN)
		km_jw_null(w);
	else
		km_jw_u64(w, v);
}

/* The shortest of 15 to 17 digits that reads back as the same double. */
static void add_exact(struct km_json_writer *w, double v)
{
	char text[40];
	int digits;

	for (digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	if (fabs(v) <= EXACT_MAX && v == floor(v))
		snprintf(text, sizeof(text), "%.0f", v);
	add_token(w, isfinite(v) ? text : "null");
}

static void add_children(struct km_json_writer *w, const cJSON *node)
{
	const cJSON *child;

	for (child = node->child; child; child = child->next) {
		if (cJSON_IsObject(node))
			km_jw_key(w, child->string);
		km_jw_node(w, child);
	}
}

/* Recursion is bounded by KM_JSON_DEPTH_MAX. */
void km_jw_node(struct km_json_writer *w, const cJSON *node)
{
	if (cJSON_IsObject(node)) {
		km_jw_object(w);
		add_children(w, node);
		km_jw_end_object(w);
	} else if (cJSON_IsArray(node)) {
		km_jw_array(w);
		add_children(w, node);
		km_jw_end_array(w);
	} else if (cJSON_IsString(node)) {
		km_jw_string(w, node->valuestring);
	} else if (cJSON_IsNumber(node)) {
		add_exact(w, node->valuedouble);
	} else if (cJSON_IsBool(node)) {
		km_jw_bool(w, cJSON_IsTrue(node));
	} else {
		km_jw_null(w);
	}
}
