/* SPDX-License-Identifier: Apache-2.0 */
/* One screen: head, open questions, services (those in trouble first), last decisions. Every cell
 * is escaped, every line cut to the width. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/text.h"
#include "report/request.h"

#define WIDTH_MIN  40
#define WIDTH_MAX  512
#define HEIGHT_MIN 8
#define HEIGHT_MAX 512
/* Last decisions shown, where the screen has room for more than that. */
#define DECISIONS_SHOWN 5
#define DECISIONS_FROM  16 /* lines */
#define BPF_OBJECTS_MAX 128

struct screen {
	const struct km_view *view;
	struct km_buf *out;
	unsigned int width;
	unsigned int left; /* lines */
	unsigned int kept; /* of them for the decisions */
};

/* Length of the first COLUMNS characters of UTF-8 text; a wide character counts as one. */
static size_t cut(const char *s, unsigned int columns)
{
	size_t i = 0;

	while (s[i]) {
		if (((unsigned char)s[i] & 0xc0) != 0x80 && columns-- == 0)
			break;
		i++;
	}
	return i;
}

static void line(struct screen *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(struct screen *s, const char *fmt, ...)
{
	char text[4 * WIDTH_MAX];
	va_list ap;

	if (!s->left)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	km_buf_add(s->out, text, cut(text, s->width));
	km_buf_add(s->out, "\n", 1);
	s->left--;
}

/* Records that the rings could not take, all types. */
static uint64_t losses(const struct km_view *v)
{
	struct km_bpf_object *o = v->collect ? calloc(BPF_OBJECTS_MAX, sizeof(*o)) : NULL;
	size_t n = o ? km_collect_bpf_objects(v->collect, o, BPF_OBJECTS_MAX) : 0;
	uint64_t lost = 0;

	for (size_t i = 0; i < n; i++)
		lost += o[i].lost;
	free(o);
	return lost;
}

static void counts(struct screen *s)
{
	const struct km_view *v = s->view;
	uint64_t on = 0, all = 0, up_s = (v->now_ns - v->started_ns) / KM_NS_PER_S;

	for (const struct km_source *c = km_view_sources(v); c->name; c++, all++)
		on += c->available;
	line(s, "signals %llu of %llu  records %llu (%llu/s, refused %llu, lost %llu)  rules %zu",
	     (unsigned long long)on, (unsigned long long)all, (unsigned long long)v->records_fed,
	     (unsigned long long)(v->records_fed / (up_s ? up_s : 1)),
	     (unsigned long long)v->records_bad, (unsigned long long)losses(v),
	     v->rules ? v->rules->count : 0);
}

static void head(struct screen *s)
{
	const struct km_view *v = s->view;
	time_t t = (time_t)(v->realtime_ns / KM_NS_PER_S);
	char when[32] = "", mode[192], up[32], trouble[512];
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	line(s, "kmend  %s  up %s  mode: %s", when,
	     km_text_duration(v->now_ns - v->started_ns, up, sizeof(up)),
	     km_text_escape(v->mode, mode, sizeof(mode)));
	counts(s);
	if (v->rules_refused)
		line(s, "rules refused: %s",
		     km_text_escape(v->rules_refused, trouble, sizeof(trouble)));
	if (km_history_trouble(v->history))
		line(s, "%s",
		     km_text_escape(km_history_trouble(v->history), trouble, sizeof(trouble)));
}

static const char *level(const struct km_view *v, uint64_t id, enum km_resource r, char *out,
                         size_t size)
{
	const struct km_features *f = km_measure_features(v->measure, id, r);
	char a[32], b[32];

	if (!f || !f->measured) {
		snprintf(out, size, "-");
	} else if (r == KM_MEMORY) {
		km_text_bytes((uint64_t)f->level, a, sizeof(a));
		if (f->limit < 0)
			snprintf(out, size, "%s", a);
		else
			snprintf(out, size, "%s/%s", a,
			         km_text_bytes((uint64_t)f->limit, b, sizeof(b)));
	} else if (f->limit < 0) {
		snprintf(out, size, "%.0f", f->level);
	} else {
		snprintf(out, size, "%.0f/%.0f", f->level, f->limit);
	}
	return out;
}

static const char *span(double s, char *out, size_t size)
{
	return km_text_duration(s > 0 ? (uint64_t)(s * 1e9) : 0, out, size);
}

static const char *forecast(const struct km_forecast *f, char *out, size_t size)
{
	char a[24], lo[24], hi[24];

	if (!f)
		snprintf(out, size, "-");
	else if (f->eta_hi_s <= 0) /* it is so now */
		snprintf(out, size, "%s, p %.2f", km_forecast_kind_names[f->kind], f->p);
	else
		snprintf(out, size, "%s in %s (%s to %s)",
		         f->kind == KM_EXHAUSTION && f->resource < KM_RESOURCE_MAX
		                 ? km_resource_names[f->resource]
		                 : km_forecast_kind_names[f->kind],
		         span(f->eta_s, a, sizeof(a)), span(f->eta_lo_s, lo, sizeof(lo)),
		         span(f->eta_hi_s, hi, sizeof(hi)));
	return out;
}

static void service(struct screen *s, const struct km_service *sv, const struct km_forecast *f)
{
	char name[4 * KM_NAME_MAX], memory[48], fds[48], threads[48], ahead[160];

	km_text_escape(sv->name, name, sizeof(name));
	name[cut(name, 32)] = '\0';
	line(s, "%-32s %-8s %5u  %-23s %-15s %-13s %s", name,
	     km_decide_quarantined(s->view->decide, sv->id) ? "quarant."
	                                                    : km_service_state_names[sv->state],
	     sv->processes, level(s->view, sv->id, KM_MEMORY, memory, sizeof(memory)),
	     level(s->view, sv->id, KM_DESCRIPTORS, fds, sizeof(fds)),
	     level(s->view, sv->id, KM_THREADS, threads, sizeof(threads)),
	     forecast(f, ahead, sizeof(ahead)));
}

/* 0 first: forecast to fail; then defined ones and those that are down; then the rest. */
static int rank(const struct km_service *sv, const struct km_forecast *f)
{
	if (f)
		return 0;
	return sv->defined || sv->state == KM_SERVICE_DOWN ? 1 : 2;
}

/* What is no service only when something is forecast of it. */
static bool shown(const struct km_service *sv, const struct km_forecast *f)
{
	return f || km_service_entity(sv) == KM_ENTITY_SERVICE;
}

static void services(struct screen *s)
{
	const struct km_service *sv;
	unsigned int hidden = 0, slots = 0;

	line(s, "%-32s %-8s %5s  %-23s %-15s %-13s %s", "SERVICE", "STATE", "PROCS", "MEMORY",
	     "DESCRIPTORS", "THREADS", "FORECAST");
	for (int want = 0; want < 3; want++) {
		uint32_t slot = 0;

		while ((sv = km_attribute_next(s->view->attribute, &slot))) {
			const struct km_forecast *f = km_nearest_forecast(s->view, sv->id);

			if (!shown(sv, f))
				continue;
			slots++;
			if (rank(sv, f) != want)
				continue;
			if (s->left > s->kept + 1)
				service(s, sv, f);
			else
				hidden++;
		}
	}
	if (hidden)
		line(s, "... and %u more: kmend service list", hidden);
	if (!slots)
		line(s, "no unit, container or defined service was seen yet");
}

static void waiting(struct screen *s)
{
	const struct km_decision *d;
	char name[4 * KM_NAME_MAX], rule[4 * KM_NAME_MAX];
	uint32_t slot = 0;

	while ((d = km_decide_waiting(s->view->decide, &slot)) && s->left > HEIGHT_MIN / 2)
		line(s, "waits: %llu %s %s by %s: kmend action approve %llu",
		     (unsigned long long)d->id, km_verb_names[d->verb],
		     km_text_escape(d->service, name, sizeof(name)),
		     km_text_escape(d->rule, rule, sizeof(rule)), (unsigned long long)d->id);
}

/* The last decisions as the history has them; NULL: none, or no room. */
static struct km_json *last_decisions(const struct km_view *view, unsigned int height)
{
	const struct km_history_filter f = { .limit = DECISIONS_SHOWN };
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_json *doc = NULL;
	struct km_json_writer w;
	struct km_error err;

	if (height < DECISIONS_FROM || km_buf_new(KM_JSON_BYTES_MAX, &text) < 0)
		return NULL;
	km_jw_init(&w, text, false);
	km_history_actions(view->history, &f, &w);
	if (km_json_parse(km_buf_text(text), text->len, "history", &err, &doc) < 0)
		return NULL;
	return doc;
}

static const char *member(const cJSON *obj, const char *key, char *out, size_t size)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, key));

	return km_text_escape(s ? s : "-", out, size);
}

static void decision(struct screen *s, const cJSON *d)
{
	const double ms = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(d, "realtime_ms"));
	time_t t = ms > 0 && ms < 2.5e14 ? (time_t)(ms / 1000) : 0;
	char when[16] = "-", name[512], answer[64], verb[64], verdict[64], reason[1024];
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%T", &tm);
	member(d, "service", name, sizeof(name));
	name[cut(name, 32)] = '\0';
	line(s, "%s  %-32s %s %s (%s): %s", when, name, member(d, "answer", answer, sizeof(answer)),
	     member(d, "verb", verb, sizeof(verb)), member(d, "verdict", verdict, sizeof(verdict)),
	     member(d, "reason", reason, sizeof(reason)));
}

static void decisions(struct screen *s, const struct km_json *doc)
{
	const cJSON *d;

	if (!s->kept)
		return;
	line(s, "LAST DECISIONS");
	cJSON_ArrayForEach(d, km_json_root(doc))
	{
		decision(s, d);
	}
}

/* What is collected, and what is not and why, as far as there is room. */
static void signals(struct screen *s)
{
	const struct km_source *source =
		s->view->collect ? km_collect_sources(s->view->collect) : NULL;

	if (!source || s->left < s->kept + 3)
		return;
	line(s, "%s", "");
	line(s, "%-22s %-4s %10s  %s", "SIGNAL", "ON", "RECORDS", "MEANING, OR WHY NOT");
	for (; source->name && s->left > s->kept; source++)
		line(s, "%-22s %-4s %10llu  %s", source->name, source->available ? "yes" : "no",
		     (unsigned long long)source->records,
		     source->available ? source->what->meaning : source->reason);
	if (s->kept)
		line(s, "%s", "");
}

static unsigned int within(unsigned int v, unsigned int lo, unsigned int hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

int km_view_screen(const struct km_view *view, unsigned int width, unsigned int height,
                   struct km_buf *out)
{
	struct screen s = { view, out, within(width, WIDTH_MIN, WIDTH_MAX),
		            within(height, HEIGHT_MIN, HEIGHT_MAX), 0 };
	km_autofree(km_json_freep) struct km_json *last = last_decisions(view, s.left);

	if (last && cJSON_GetArraySize(km_json_root(last)) > 0)
		s.kept = (unsigned int)cJSON_GetArraySize(km_json_root(last)) + 1;
	head(&s);
	waiting(&s);
	services(&s);
	signals(&s);
	decisions(&s, last);
	return km_buf_error(out);
}
