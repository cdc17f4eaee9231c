/* SPDX-License-Identifier: Apache-2.0 */
/* What led to a decision: a checkpoint in memory and every record since, kept as a trace that
 * replays to the same decision, and as lines for people. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/sparse.h"
#include "base/text.h"
#include "collect/capture.h"
#include "daemon/engine.h"

/* Ticks that one checkpoint in memory serves: what an incident's evidence reaches back, at least.
 * Making it costs what there is on the host, keeping it what happens: a calm host's serves until as
 * much has happened as it takes itself. */
#define TICKS_MIN 12
#define TICKS_MAX 60
/* A full host's checkpoint, and what comes in so many ticks. */
#define RECENT_MAX (64 * 1024 * 1024)
/* Kept traces of decisions; older ones go. */
#define EVIDENCE_MAX 200
/* Lines of evidence in the history for one decision. */
#define LINES_MAX 32

static int add_cb(void *userdata, const void *raw, size_t len)
{
	km_sparse_add(userdata, raw, (uint32_t)len);
	return km_buf_error(userdata);
}

/* 0 once all of it is written. */
static int write_all(int fd, const void *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data = (const char *)data + n;
		len -= (size_t)n;
	}
	return 0;
}

/* A reader sees the old file or the new one, never half of one. */
static int replace(int dir_fd, const char *name, const struct km_span *piece, size_t count)
{
	char temporary[72];
	km_autoclose int fd = -1;
	int r = 0;

	snprintf(temporary, sizeof(temporary), "%s.new", name);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < count && r == 0; i++)
		r = write_all(fd, piece[i].data, piece[i].len);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir_fd, temporary, 0);
	return r;
}

void km_evidence_add(struct km_engine *e, const void *raw, size_t len)
{
	if (e->recent)
		km_buf_add(e->recent, raw, len);
}

void km_evidence_tick(struct km_engine *e)
{
	bool enough = !e->recent || e->recent->len >= e->base->len || e->recent_ticks >= TICKS_MAX;

	if (++e->recent_ticks >= TICKS_MIN && enough)
		km_evidence_begin(e);
}

typedef int (*record_cb)(void *userdata, const struct kmend_hdr *raw);

/* CB gets each raw record of the checkpoint. */
static int each_base(const struct km_engine *e, record_cb cb, void *userdata)
{
	km_autofree_char char *raw = malloc(KM_RAW_MAX);
	size_t at = 0;
	int len, r = raw ? 0 : -ENOMEM;

	while (r == 0 && (len = km_sparse_next(e->base, &at, raw, KM_RAW_MAX)) != 0)
		r = len < 0 ? len : cb(userdata, (const void *)raw);
	return r;
}

/* CB gets each raw record since. */
static int each_recent(const struct km_engine *e, record_cb cb, void *userdata)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && at + KMEND_HDR_SIZE <= e->recent->len) {
		const struct kmend_hdr *hdr = (const void *)(e->recent->data + at);

		r = cb(userdata, hdr);
		at += hdr->size;
	}
	return r;
}

static int checkpoint(const void *userdata, record_cb add, void *writer)
{
	return each_base(userdata, add, writer);
}

void km_evidence_record(struct km_engine *e)
{
	struct km_recorded what = { .checkpoint = checkpoint, .userdata = e };
	int r;

	if (!e->recent || !e->base)
		return;
	what.records = e->recent->data;
	what.len = e->recent->len;
	r = km_buf_error(e->recent) < 0 ? km_buf_error(e->recent) : km_buf_error(e->base);
	if (r == 0)
		r = km_recording_add(e->recording, &what,
		                     km_pipeline_config(e->pipeline)->settings.recording_bytes);
	else
		km_recording_gap(e->recording);
	if (r < 0 && !e->unrecorded)
		km_log(KM_WARNING, "the recording has a gap: %s", strerror(-r));
	e->unrecorded = r < 0;
}

int km_evidence_begin(struct km_engine *e)
{
	int r = 0;

	km_evidence_record(e);
	e->recent_ticks = 0;
	e->recent_count++;
	/* What a busy time took is given back: the start alone tells of every process. */
	e->recent = km_buf_free(e->recent);
	if (!e->base)
		r = km_buf_new(RECENT_MAX, &e->base);
	if (r == 0)
		r = km_buf_new(RECENT_MAX, &e->recent);
	if (r < 0)
		return r;
	km_buf_reset(e->base);
	return km_pipeline_save(e->pipeline, add_cb, e->base);
}

static int trace_cb(void *userdata, const struct kmend_hdr *raw)
{
	return km_trace_add(userdata, raw);
}

struct lines {
	struct km_engine *e;
	const struct km_decision *d;
	const struct km_service *service;
	struct km_evidence_kept *kept; /* of this incident */
	size_t at;                     /* records behind the checkpoint that were looked at */
	size_t skip; /* that many of the service's signals come before the last LINES_MAX */
	size_t seen;
	struct km_buf *text;
};

static uint32_t process_of(const struct km_signal *s)
{
	switch (s->type) {
	case KMEND_EXIT:
		return s->exit.tgid;
	case KMEND_SIGNAL:
		return s->signal.tgid;
	case KMEND_OOM:
		return s->oom.tgid;
	case KMEND_EXEC:
		return s->exec.tgid;
	case KMEND_TASK:
		return s->task.tgid;
	default:
		return 0;
	}
}

static bool concerns(const struct lines *l, const struct km_signal *s)
{
	uint32_t tgid = process_of(s);

	if (s->type == KM_RAW_STATE || s->type == KM_RAW_TEXT || s->type == KM_RAW_SAID)
		return false;
	if (l->service->cgroup_id && s->cgroup_id == l->service->cgroup_id)
		return true;
	return tgid && (tgid == l->d->tgid || tgid == l->d->ending.tgid);
}

static int line_cb(void *userdata, const struct kmend_hdr *raw)
{
	struct lines *l = userdata;
	struct km_json_writer w;
	struct km_signal s;

	if (l->at++ < l->kept->records || km_decode(raw, raw->size, &s) < 0 || !concerns(l, &s) ||
	    l->seen++ < l->skip || !l->text)
		return 0;
	km_buf_reset(l->text);
	km_jw_init(&w, l->text, false);
	km_jw_object(&w);
	km_signal_write(&s, &w);
	km_jw_end_object(&w);
	return km_history_evidence(l->e->history, l->d->incident_id, s.t_ns, km_buf_text(l->text));
}

/* How far this incident's lines are kept already: its next decision goes on from there. */
static struct km_evidence_kept *kept_of(struct km_engine *e, uint64_t incident_id)
{
	struct km_evidence_kept *k = &e->kept[incident_id % KM_EVIDENCE_KEPT];

	if (k->incident_id != incident_id || k->checkpoint != e->recent_count)
		*k = (struct km_evidence_kept){ incident_id, e->recent_count, 0 };
	return k;
}

/* The service's last signals, as lines for people. */
static int keep_lines(struct km_engine *e, const struct km_decision *d)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct lines l = { .e = e, .d = d, .kept = kept_of(e, d->incident_id) };
	int r;

	l.service = km_attribute_service(km_pipeline_attribute(e->pipeline), d->service_id);
	if (!e->history || !l.service)
		return 0;
	l.skip = SIZE_MAX;
	r = each_recent(e, line_cb, &l);
	l.skip = l.seen > LINES_MAX ? l.seen - LINES_MAX : 0;
	l.seen = l.at = 0;
	if (r == 0)
		r = km_buf_new(64 * 1024, &text);
	l.text = text;
	if (r == 0)
		r = each_recent(e, line_cb, &l);
	l.kept->records = l.at;
	return r;
}

/* Kept traces are named INCIDENT-DECISION.trace; FN gets each one, in no order. */
static void each_kept(int dir_fd, void (*fn)(void *userdata, uint64_t incident, uint64_t decision),
                      void *userdata)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;

	if (km_fs_list(dir_fd, ".trace", 4 * EVIDENCE_MAX, &names) < 0)
		return;
	for (size_t i = 0; names[i]; i++) {
		const char *p = names[i];
		uint64_t incident, decision;

		if (km_text_u64(&p, &incident) == 0 && *p++ == '-' &&
		    km_text_u64(&p, &decision) == 0 && strcmp(p, ".trace") == 0)
			fn(userdata, incident, decision);
	}
}

static int evidence_dir(const struct km_engine *e)
{
	int fd;

	if (mkdirat(e->d->engine_fd, "evidence", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(e->d->engine_fd, "evidence", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static void trace_name(uint64_t incident, uint64_t decision, char ret[static 64])
{
	snprintf(ret, 64, "%llu-%llu.trace", (unsigned long long)incident,
	         (unsigned long long)decision);
}

struct pruning {
	int dir_fd;
	uint64_t newest;
};

static void prune(void *userdata, uint64_t incident, uint64_t decision)
{
	const struct pruning *p = userdata;
	char name[64];

	if (decision + EVIDENCE_MAX > p->newest)
		return;
	trace_name(incident, decision, name);
	unlinkat(p->dir_fd, name, 0);
}

/* The checkpoint and all records since, as a trace. */
static int pack_recent(const struct km_engine *e, struct km_buf *out)
{
	km_autofree(km_trace_writer_freep) struct km_trace_writer *w = NULL;
	int r = km_trace_writer_new(out, &w);

	if (r == 0)
		r = each_base(e, trace_cb, w);
	if (r == 0)
		r = each_recent(e, trace_cb, w);
	return r < 0 ? r : km_trace_flush(w);
}

static int keep_trace(struct km_engine *e, const struct km_decision *d)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	km_autoclose int dir = evidence_dir(e);
	struct pruning p = { dir, d->id };
	struct km_span whole;
	char name[64];
	int r;

	if (dir < 0)
		return dir;
	r = km_buf_new(RECENT_MAX, &out);
	if (r == 0)
		r = pack_recent(e, out);
	if (r < 0)
		return r;
	each_kept(dir, prune, &p);
	trace_name(d->incident_id, d->id, name);
	whole = (struct km_span){ out->data, out->len };
	return replace(dir, name, &whole, 1);
}

int km_evidence_keep(struct km_engine *e, const struct km_decision *d)
{
	int r;

	if (!e->recent || e->d->engine_fd < 0)
		return -EBADF;
	r = keep_trace(e, d);
	return r < 0 ? r : keep_lines(e, d);
}

struct capturing {
	struct km_engine *e;
	const struct km_decision *d;
};

/* A line of the incident, as a signal is one. */
static void capture_cb(void *userdata, const char *file, const char *text)
{
	const struct capturing *c = userdata;
	km_autofree(km_buf_freep) struct km_buf *line = NULL;
	struct km_json_writer w;

	if (km_buf_new(16 * KM_CAPTURE_BYTES, &line) < 0)
		return;
	km_jw_init(&w, line, false);
	km_jw_object(&w);
	km_jw_kstring(&w, "type", "captured");
	km_jw_ku64(&w, "t_ns", c->d->t_ns);
	km_jw_kstring(&w, "file", file);
	km_jw_kstring(&w, "text", text);
	km_jw_end_object(&w);
	if (km_buf_error(line) == 0)
		km_history_evidence(c->e->history, c->d->incident_id, c->d->t_ns,
		                    km_buf_text(line));
}

void km_evidence_capture(struct km_engine *e, const struct km_decision *d)
{
	const struct km_rule *rule = km_rules_get(km_pipeline_rules(e->pipeline), d->rule_key);
	struct capturing c = { e, d };

	if (e->history && rule && d->step < rule->steps)
		km_capture(rule->plan[d->step].evidence, d->tgid, capture_cb, &c);
}

struct finding {
	uint64_t incident, decision, found;
};

static void find(void *userdata, uint64_t incident, uint64_t decision)
{
	struct finding *f = userdata;

	if (incident == f->incident && (!f->decision || decision == f->decision) &&
	    (!f->found || decision < f->found))
		f->found = decision;
}

int km_evidence_open(const struct km_engine *e, uint64_t incident_id, uint64_t decision_id)
{
	struct finding f = { .incident = incident_id, .decision = decision_id };
	km_autoclose int dir = e->d->engine_fd < 0 ? -EBADF : evidence_dir(e);
	char name[64];
	int fd;

	if (dir < 0)
		return dir;
	each_kept(dir, find, &f);
	if (!f.found)
		return -ENOENT;
	trace_name(incident_id, f.found, name);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}
