/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/engine.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "base/log.h"
#include "daemon/privilege.h"
#include "health/prober.h"

/* Each wake-up costs some 50 us on an idle host: no more often than the watchdog needs. */
#define ALIVE_PERIOD_NS      (4 * KM_NS_PER_S)
#define CHECKPOINT_PERIOD_NS (60 * KM_NS_PER_S)
/* What is larger is a mapping of its own: it grows without a copy, and what is freed is given back.
 * Said, or the first that is freed would raise it. */
#define MAPPED_BYTES (128 * 1024)
/* A raw record never leads to more output text than this. */
#define TEXT_MAX (256 * 1024)

uint64_t km_engine_realtime_ns(const struct km_engine *e, uint64_t t_ns)
{
	return km_pipeline_realtime_ns(e->pipeline, t_ns);
}

/* Services that kmend answers for wake it at once when they end. */
static void watch_new(struct km_engine *e, const struct km_output *o)
{
	if (o->kind == KM_OUT_EVENT && o->event == KM_EV_STARTED && o->service &&
	    o->service->cgroup_id)
		km_collect_watch(e->collect, o->service->cgroup_id, true);
}

static int put_out(struct km_engine *e)
{
	const struct km_output *o;
	int r = 0;

	while (r >= 0 && (o = km_pipeline_next(e->pipeline))) {
		watch_new(e, o);
		if (o->kind == KM_OUT_FORECAST || o->kind == KM_OUT_DECISION)
			km_collect_suspect(e->collect);
		if (o->kind == KM_OUT_EVENT && o->event == KM_EV_STARTED && o->service)
			km_engine_follow(e, o->service);
		if (o->kind == KM_OUT_EVENT && o->event == KM_EV_ENDPOINT && o->service)
			km_engine_ask_checks(e, o->service, o->t_ns);
		r = km_engine_output(e, o);
	}
	return r;
}

int km_engine_feed(struct km_engine *e, const void *raw, size_t len)
{
	int r;

	if (e->feeding)
		return -EBUSY;
	e->feeding = true;
	e->records++;
	km_engine_stream_raw(e, raw);
	km_evidence_add(e, raw, len);
	r = km_pipeline_feed(e->pipeline, raw, len);
	if (r == -EBADMSG || r == -ENOTSUP) {
		e->bad++;
		r = 0;
	}
	if (r >= 0)
		r = put_out(e);
	e->feeding = false;
	return r < 0 ? r : 0;
}

static int feed_cb(void *userdata, const void *raw, size_t len)
{
	return km_engine_feed(userdata, raw, len);
}

static void show(struct km_engine *e)
{
	km_autofree(km_buf_freep) struct km_buf *screen = NULL;
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct km_view view;

	if (!e->d->opts.foreground || e->d->opts.no_view || !isatty(STDOUT_FILENO))
		return;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	km_engine_view(e, &view);
	if (km_buf_new(1 << 20, &screen) < 0)
		return;
	km_buf_addf(screen, "\033[H\033[J");
	if (km_view_screen(&view, size.ws_col, size.ws_row, screen) < 0)
		return;
	/* A terminal that does not take it misses a picture, no more. */
	(void)!write(STDOUT_FILENO, screen->data, screen->len);
}

static void after_tick(struct km_engine *e)
{
	uint64_t now = km_pipeline_now_ns(e->pipeline);
	int r;

	km_collect_want_tick(e->collect, km_decide_due_ns(km_pipeline_decide(e->pipeline)));
	if (e->history)
		km_history_commit(e->history, now, km_engine_realtime_ns(e, now),
		                  km_pipeline_config(e->pipeline)->settings.history_days);
	km_engine_stream_flush(e);
	km_evidence_tick(e);
	if (e->dirty || now - e->checkpoint_ns >= CHECKPOINT_PERIOD_NS)
		km_checkpoint_write(e);
	r = km_lasting_write(e);
	if (r < 0)
		km_log(KM_WARNING, "what must outlive a reboot was not written: %s", strerror(-r));
	show(e);
}

/* New levels of all services into the history. */
static void keep_samples(struct km_engine *e)
{
	const struct km_attribute *a = km_pipeline_attribute(e->pipeline);
	const struct km_measure *m = km_pipeline_measure(e->pipeline);
	const struct km_service *s;
	struct km_sample x;
	uint32_t slot = 0;

	while (e->history && km_measure_next_sample(m, &slot, &x)) {
		if (x.t_ns <= e->kept_ns || !(s = km_attribute_service(a, x.service_id)))
			continue;
		km_history_sample(e->history, s->id, s->name, (enum km_resource)x.resource, x.t_ns,
		                  x.level, x.limit);
	}
	e->kept_ns = km_pipeline_now_ns(e->pipeline);
}

static int collected(void *userdata, const void *raw, size_t len)
{
	const struct kmend_hdr *hdr = raw;
	struct km_engine *e = userdata;
	int r = km_engine_feed(e, raw, len);

	if (r == 0 && hdr->type == KM_RAW_TICK) {
		keep_samples(e);
		after_tick(e);
	}
	return r;
}

/* The actor looks for itself before each act; with this nothing is asked of it meanwhile. */
static int look_for_pause(struct km_engine *e)
{
	int paused = !km_fs_absent(e->d->pause_file);
	struct km_raw_operator o = {
		.hdr = { .type = KM_RAW_OPERATOR, .size = sizeof(o), .ktime_ns = km_now_ns() },
		.operation = paused ? KM_OP_PAUSE_FILE : KM_OP_RESUME_FILE,
	};

	if (paused == e->paused)
		return 0;
	if (paused || e->paused > 0)
		km_log(KM_NOTICE, "%s: %s", e->d->pause_file,
		       paused ? "nothing is acted on while it is there" : "gone, acts go on");
	e->paused = paused;
	return km_engine_feed(e, &o, sizeof(o));
}

static int on_alive(void *userdata, int fd, uint32_t events)
{
	struct km_engine *e = userdata;
	struct km_act_plain m = {
		.hdr = { .type = KM_ACT_ALIVE, .version = KM_ACT_VERSION, .size = sizeof(m) },
		.t_ns = km_now_ns(),
		.stats = km_collect_wants_stats(e->collect),
	};
	int r;

	(void)fd;
	(void)events;
	r = km_message_send(e->actor_sock, &m, sizeof(m), -1);
	return r == -EAGAIN || r == 0 ? look_for_pause(e) : r;
}

/* Where nothing may be acted on, the policy says so too: then no decision asks for it. */
static int send_set(struct km_engine *e, struct km_texts *t)
{
	int r = e->d->observe_only ? km_setup_pause(t) : 0;

	return r < 0 ? r : km_texts_save(t, km_now_ns(), feed_cb, e);
}

/* The set in force stays if anything is wrong with the new one. */
static int reload(struct km_engine *e)
{
	km_autofree(km_texts_clear) struct km_texts t = { 0 };
	const struct km_error *refused;
	struct km_error err;
	int r = km_setup_read_texts(&e->d->opts, &t, &err);

	e->refused[0] = '\0';
	if (r == 0)
		r = send_set(e, &t);
	refused = r == 0 ? km_pipeline_refused(e->pipeline) : &err;
	if (refused) {
		km_error_format(refused, e->refused, sizeof(e->refused));
		km_log(KM_ERR, "reload refused, the old set stays in force: %s", e->refused);
	} else {
		km_log(KM_NOTICE, "reloaded: %zu rules", km_pipeline_rules(e->pipeline)->count);
		km_collect_follow(e->collect, km_pipeline_config(e->pipeline));
		if (km_prober_needed(km_pipeline_config(e->pipeline)) &&
		    !km_prober_needed(e->d->set.config))
			km_log(KM_WARNING, "there were no health checks at the start: they begin "
			                   "when kmendd is started again");
	}
	return 0;
}

static int on_signal(void *userdata, int fd, uint32_t signo)
{
	struct km_engine *e = userdata;

	(void)fd;
	if (signo == SIGHUP)
		return reload(e);
	km_loop_stop(e->loop);
	return 0;
}

static int wire(struct km_engine *e)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	int timer, r;

	r = km_loop_signals(e->loop, signals, KM_ARRAY_SIZE(signals), on_signal, e);
	if (r == 0)
		r = km_loop_add(e->loop, e->actor_sock, EPOLLIN, km_engine_actor, e);
	if (r == 0)
		r = km_loop_add(e->loop, e->front_sock, EPOLLIN, km_engine_front, e);
	if (r == 0 && km_prober_needed(e->d->set.config))
		r = km_loop_add(e->loop, e->prober_sock, EPOLLIN, km_engine_prober, e);
	if (r == 0)
		r = km_loop_timer(e->loop, ALIVE_PERIOD_NS, on_alive, e, &timer);
	return r;
}

static void set_mode(struct km_engine *e)
{
	size_t missing = 0, all = 0;

	for (const struct km_source *s = km_collect_sources(e->collect); s->name; s++, all++)
		missing += !s->available;
	if (e->d->observe_only)
		snprintf(e->mode, sizeof(e->mode), "observe only: %s", e->d->reason);
	else if (missing)
		snprintf(e->mode, sizeof(e->mode),
		         "%zu of %zu signals not available, see kmend doctor", missing, all);
	else
		snprintf(e->mode, sizeof(e->mode), "full");
}

/* As root: what loads programs and looks at everything; then the rights are given up. */
static int prepare(struct km_engine *e)
{
	struct km_daemon *d = e->d;
	struct km_collect_opts opts = {
		.config = d->set.config,
		.pin_dir = d->pin_dir[0] ? d->pin_dir : NULL,
		.no_bpf = d->opts.no_bpf || !d->root,
	};
	int r = km_collect_prepare(&opts, &e->collect);

	if (r < 0) {
		km_log(KM_ERR, "cannot collect: %s",
		       r == -EEXIST ? "an instance that is ending still holds the pins; "
		                      "start again in a moment"
		                    : strerror(-r));
		return r;
	}
	malloc_trim(0); /* libbpf's copy of the kernel's types is not needed any more */
	r = d->root ? km_privilege_drop(&d->engine, true) : 0;
	if (r < 0)
		km_log(KM_ERR, "cannot become user %s: %s", d->engine.name, strerror(-r));
	return r;
}

/* Ids of earlier runs are never given out again, whatever state was lost. */
static int skip_used_ids(struct km_engine *e, uint64_t used)
{
	struct km_raw_command c = {
		.hdr = { .type = KM_RAW_COMMAND, .size = sizeof(c), .ktime_ns = km_now_ns() },
		.command = KM_CMD_IDS_USED,
		.decision_id = used,
	};

	return km_engine_feed(e, &c, sizeof(c));
}

static void observe_only(struct km_daemon *d, const char *what, const char *why)
{
	d->observe_only = true;
	snprintf(d->reason, sizeof(d->reason), "%s: %s", what, why);
	km_log(KM_ERR, "observe only, nothing is acted on: %s", d->reason);
}

/* Takes over what was known before the restart. Where that is damaged, budgets, back-off and
 * quarantines are not known: nothing is acted on until people have looked. */
static int take_over(struct km_engine *e)
{
	int r = km_checkpoint_read(e);

	if (r == -ENOTSUP)
		km_log(KM_NOTICE, "state of before the restart is of another version of kmendd: "
		                  "only what keeps it from acting is taken over");
	if (r == -ENOENT || r == -ENOTSUP) {
		r = km_lasting_read(e);
		if (r >= 0 || r == -ENOENT)
			km_learnt_read(e);
	}
	if (r > 0)
		km_log(KM_NOTICE, "state of before the restart taken over: %d rows", r);
	if (r >= 0 || r == -ENOENT)
		return 0;
	km_checkpoint_set_aside(e);
	km_lasting_set_aside(e);
	observe_only(e->d,
	             "the state of before the restart is damaged and was set aside as "
	             "engine/checkpoint.*.bad until kmendd is started again",
	             strerror(-r));
	e->pipeline = km_pipeline_free(e->pipeline);
	return km_pipeline_new(&e->pipeline);
}

static int begin(struct km_engine *e)
{
	struct timespec ts;
	struct km_raw_clock clock = {
		.hdr = { .type = KM_RAW_CLOCK, .size = sizeof(clock) },
	};
	int r = take_over(e);

	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &ts);
	clock.hdr.ktime_ns = km_now_ns();
	clock.realtime_ns = (uint64_t)ts.tv_sec * KM_NS_PER_S + (uint64_t)ts.tv_nsec;
	r = km_engine_feed(e, &clock, sizeof(clock));
	if (r == 0)
		r = send_set(e, &e->d->texts);
	if (r == 0 && e->history)
		r = skip_used_ids(e, km_history_last_id(e->history));
	if (r == 0)
		r = km_evidence_begin(e);
	if (r == 0)
		r = km_collect_start(e->collect, e->loop, collected, e);
	return r < 0 ? r : on_alive(e, -1, 0);
}

static int engine_new(struct km_daemon *d, struct km_engine *e)
{
	int r = km_pipeline_new(&e->pipeline);

	if (r == 0)
		r = km_loop_new(&e->loop);
	e->request = malloc(KM_MESSAGE_MAX);
	if (!e->request)
		return -ENOMEM;
	if (r == 0)
		r = km_clients_new(e->loop, &e->clients);
	if (r == 0)
		r = km_buf_new(TEXT_MAX, &e->text);
	if (r == 0 && d->engine_fd >= 0) {
		r = km_history_open_at(d->engine_fd, &e->history);
		if (r < 0)
			km_log(KM_ERR, "no history: %s: %s", d->engine_dir, strerror(-r));
		r = km_recording_open(d->engine_fd, &e->recording);
		if (r < 0)
			km_log(KM_WARNING, "no recording: %s: %s", d->engine_dir, strerror(-r));
		r = 0;
	}
	if (r == 0 && km_history_trouble(e->history))
		observe_only(d, "history", km_history_trouble(e->history));
	return r;
}

static void engine_end(struct km_engine *e)
{
	if (e->clients)
		km_engine_stream_end(e);
	km_clients_free(e->clients);
	if (e->pipeline && e->collect) {
		km_evidence_record(e);
		km_checkpoint_write(e);
		km_lasting_write(e);
		km_learnt_write(e);
	}
	km_recording_close(e->recording);
	km_history_close(e->history);
	km_collect_stop(e->collect, false); /* the process that kept root unpins */
	km_pipeline_free(e->pipeline);
	free(e->request);
	km_buf_free(e->base);
	km_buf_free(e->recent);
	km_buf_free(e->rows);
	km_buf_free(e->lasting);
	for (size_t i = 0; i < KM_ARRAY_SIZE(e->slot_fd); i++)
		if (e->slot_fd[i] > 0)
			close(e->slot_fd[i]);
	km_buf_free(e->text);
	km_loop_free(e->loop);
}

int km_engine_run(struct km_daemon *d, int actor_sock, int front_sock, int prober_sock)
{
	struct km_engine e = { .d = d,
		               .paused = -1,
		               .actor_sock = actor_sock,
		               .front_sock = front_sock,
		               .prober_sock = prober_sock };
	int r;

	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	km_loop_short_turns(); /* what ended is heard of soon, also where all CPUs are busy */
	r = prepare(&e);
	if (r == 0)
		r = engine_new(d, &e);
	if (r == 0)
		r = wire(&e);
	if (r == 0)
		r = begin(&e);
	if (r == 0) {
		set_mode(&e);
		r = km_loop_run(e.loop);
	}
	if (r < 0 && r != -EPIPE)
		km_log(KM_ERR, "engine ends: %s", strerror(-r));
	engine_end(&e);
	return r < 0;
}
