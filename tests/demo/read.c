/* SPDX-License-Identifier: Apache-2.0 */
/* Trace and journal as rows. */
#include <fcntl.h>
#include <stdio.h>

#include "base/journal.h"
#include "base/json.h"
#include "demo.h"
#include "record/trace.h"

static struct row *add_row(struct rows *rows, enum row_kind kind, uint64_t t_ns)
{
	struct row *r;

	if (rows->count == ROWS_MAX) {
		rows->full = true;
		return NULL;
	}
	r = &rows->row[rows->count++];
	*r = (struct row){ .kind = kind, .t_ns = t_ns };
	return r;
}

static void text_of(const cJSON *o, const char *key, char *out, size_t size)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

	km_copy(out, size, s ? s : "");
}

static double number_of(const cJSON *o, const char *key)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static void read_forecast(const cJSON *f, struct row *r)
{
	bool in_force = !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(f, "why"));

	text_of(f, "service", r->service, sizeof(r->service));
	text_of(f, "resource", r->what, sizeof(r->what));
	if (!r->what[0])
		text_of(f, "kind", r->what, sizeof(r->what));
	r->p = in_force ? number_of(f, "p") : 0;
	r->eta_s = number_of(f, "eta_s");
	r->lo_s = number_of(f, "eta_lo_s");
	r->hi_s = number_of(f, "eta_hi_s");
	if (!in_force)
		snprintf(r->text, sizeof(r->text), "no forecast any more");
	else
		snprintf(r->text, sizeof(r->text), "in %.0f s (%.0f to %.0f), p %.2f", r->eta_s,
		         r->lo_s, r->hi_s, r->p);
}

static void read_event(const cJSON *o, struct row *r)
{
	const cJSON *e = cJSON_GetObjectItemCaseSensitive(o, "ending");

	text_of(o, "service", r->service, sizeof(r->service));
	text_of(o, "event", r->what, sizeof(r->what));
	if (!e)
		return;
	r->pid = (uint32_t)number_of(e, "sender_pid");
	r->signal = (int)number_of(e, "signal");
	r->asked = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "asked"));
	r->oom = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "oom"));
	text_of(e, "sender", r->sender, sizeof(r->sender));
	if (r->signal)
		snprintf(r->text, sizeof(r->text), "by signal %d from %s (pid %u)%s", r->signal,
		         r->sender[0] ? r->sender : "?", r->pid, r->asked ? ", as asked" : "");
	else
		snprintf(r->text, sizeof(r->text), "with status %.0f%s",
		         number_of(e, "exit_status"), r->asked ? ", as asked" : "");
}

static void read_said(const cJSON *o, struct rows *rows)
{
	static const struct {
		const char *name;
		enum row_kind kind;
	} kinds[] = { { "forecast", ROW_FORECAST },
		      { "decision", ROW_DECISION },
		      { "verdict", ROW_VERDICT },
		      { "event", ROW_EVENT } };
	char name[32];

	text_of(o, "output", name, sizeof(name));
	for (size_t i = 0; i < KM_ARRAY_SIZE(kinds); i++) {
		const cJSON *body = cJSON_GetObjectItemCaseSensitive(o, name);
		struct row *r;

		if (strcmp(name, kinds[i].name) != 0)
			continue;
		r = add_row(rows, kinds[i].kind, (uint64_t)number_of(o, "t_ns"));
		if (!r)
			return;
		if (r->kind == ROW_EVENT) {
			read_event(o, r);
		} else if (r->kind == ROW_FORECAST) {
			read_forecast(body, r);
		} else {
			bool verdict = r->kind == ROW_VERDICT;

			r->id = (uint64_t)number_of(body, verdict ? "decision" : "id");
			text_of(body, "service", r->service, sizeof(r->service));
			text_of(body, verdict ? "verdict" : "answer", r->what, sizeof(r->what));
			text_of(body, "rule", r->rule, sizeof(r->rule));
			text_of(body, "reason", r->text, sizeof(r->text));
		}
	}
}

int demo_read_trace(const char *path, struct rows *ret)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *reader = NULL;
	km_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	const void *raw;
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	r = km_trace_reader_new(fd, &reader);
	if (r < 0)
		return r;
	while ((n = km_trace_next(reader, &raw)) > 0) {
		km_autofree(km_json_freep) struct km_json *doc = NULL;
		const struct km_raw_said *said = raw;
		struct km_error err;

		if (said->hdr.type != KM_RAW_SAID)
			continue;
		r = km_json_parse(said->text, said->len, path, &err, &doc);
		if (r < 0)
			return r;
		read_said(km_json_root(doc), ret);
	}
	return (int)n;
}

static void read_record(void *userdata, const struct km_journal_record *j)
{
	struct rows *rows = userdata;
	struct row *r;

	if (j->kind != KM_J_INTENT && j->kind != KM_J_STARTED)
		return;
	r = add_row(rows, j->kind == KM_J_INTENT ? ROW_INTENT : ROW_STARTED, j->t_ns);
	if (!r)
		return;
	r->id = j->intent_id;
	r->pid = j->tgid;
	km_copy(r->service, sizeof(r->service), j->service);
	km_copy(r->rule, sizeof(r->rule), j->rule);
	km_copy(r->text, sizeof(r->text), j->detail);
	if (j->verb < KM_VERB_MAX)
		km_copy(r->what, sizeof(r->what), km_verb_names[j->verb]);
}

int demo_read_journal(const char *dir, struct rows *ret)
{
	km_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct km_journal_report report;

	if (fd < 0)
		return -errno;
	return km_journal_verify(fd, read_record, ret, &report);
}
