// SPDX-License-Identifier: Apache-2.0
/* The loop of the prober: what is due begins, what lasts too long ends, what came out is told. */
#include "health/prober.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "health/internal.h"

/* What is due this soon begins with what is due now: one wake-up for both. */
#define EARLY_NS (10 * KM_NS_PER_MS)

const struct km_probe_kind km_probe_kinds[KM_CHECK_KIND_MAX] = {
	[KM_CHECK_TCP] = { km_socket_begin, km_socket_end },
	[KM_CHECK_UDP] = { km_socket_begin, km_socket_end },
	[KM_CHECK_UNIX] = { km_socket_begin, km_socket_end },
	[KM_CHECK_HTTP] = { km_http_begin, km_http_end },
	[KM_CHECK_EXEC] = { km_exec_begin, km_exec_end },
	[KM_CHECK_WATCHDOG] = { km_watchdog_begin, NULL },
	[KM_CHECK_REDIS] = { km_socket_begin, km_socket_end },
	[KM_CHECK_POSTGRES] = { km_socket_begin, km_socket_end },
	[KM_CHECK_DNS] = { km_socket_begin, km_socket_end },
	[KM_CHECK_FILE] = { km_file_begin, NULL },
};

bool km_prober_needed(const struct km_config *c)
{
	for (size_t i = 0; i < c->service_count; i++)
		if (c->services[i].check_count)
			return true;
	return false;
}

/* Once after all that is served in one go. */
static void set_timer(struct km_prober *p)
{
	uint64_t at = p->heap_count ? p->heap[0]->at_ns : 0;

	if (p->waiting_first && p->running < KM_PROBES_MAX)
		at = 1; /* long ago: at once */
	if (p->serving || at == p->timer_ns)
		return;
	p->timer_ns = at;
	km_loop_timer_set(p->loop, p->timer_fd, at, 0);
}

static void tell(struct km_prober *p, struct km_check *c, uint64_t now_ns)
{
	struct km_prober_result m = {
		.hdr = { KM_PROBER_RESULT, KM_PROBER_VERSION, sizeof(m) },
		.raw = { .hdr = { .type = KM_RAW_HEALTH,
		                  .size = sizeof(m.raw),
		                  .ktime_ns = now_ns },
		         .health = c->state.health,
		         .latency_ns = c->latency_ns,
		         .used_s = c->last.used_s,
		         .life_s = c->last.life_s },
	};

	/* Three misses of what comes again, and of the check itself. */
	m.raw.believe_ns = 3 * (c->def->every_ns + c->def->timeout_ns) + 3 * KM_TELL_AGAIN_NS;
	km_copy(m.raw.service, sizeof(m.raw.service), c->service->name);
	km_copy(m.raw.check, sizeof(m.raw.check), c->def->name);
	km_copy(m.raw.reason, sizeof(m.raw.reason), c->last.reason);
	/* A full socket: told with the next result. */
	c->told_ns = km_message_send(p->opts->engine_sock, &m, sizeof(m), -1) == 0 ? now_ns : 0;
}

static void begin(struct km_prober *p, struct km_check *c, uint64_t now_ns)
{
	c->phase = KM_CHECK_RUNNING;
	c->begun_ns = now_ns;
	c->at_ns = now_ns + c->def->timeout_ns;
	p->running++;
	km_heap_put(p, c);
	km_probe_kinds[c->def->kind].begin(p, c);
}

static void wait_for_place(struct km_prober *p, struct km_check *c)
{
	c->phase = KM_CHECK_WAITING;
	c->next = NULL;
	if (p->waiting_last)
		p->waiting_last->next = c;
	else
		p->waiting_first = c;
	p->waiting_last = c;
}

static void begin_waiting(struct km_prober *p, uint64_t now_ns)
{
	while (p->waiting_first && p->running < KM_PROBES_MAX) {
		struct km_check *c = p->waiting_first;

		p->waiting_first = c->next;
		if (!p->waiting_first)
			p->waiting_last = NULL;
		begin(p, c, now_ns);
	}
}

static void give_back(struct km_prober *p, struct km_check *c)
{
	if (km_probe_kinds[c->def->kind].end)
		km_probe_kinds[c->def->kind].end(p, c);
}

void km_check_done(struct km_prober *p, struct km_check *c, enum km_probe_end end, const char *fmt,
                   ...)
{
	uint64_t now = km_now_ns();
	va_list args;
	bool changed;

	c->last.end = end;
	va_start(args, fmt);
	vsnprintf(c->last.reason, sizeof(c->last.reason), fmt, args);
	va_end(args);
	c->latency_ns = now - c->begun_ns;
	give_back(p, c);
	if (c->asked && end == KM_PROBE_BAD && c->state.health != KM_UNHEALTHY)
		c->state.streak = (uint32_t)c->def->fall - 1;
	changed = km_probe_count(&c->state, end, c->def);
	/* Of endpoints each latency counts. */
	if (changed || c->asked || c->def->aside || !c->told_ns ||
	    now - c->told_ns >= KM_TELL_AGAIN_NS)
		tell(p, c, now);
	c->asked = false;
	p->running--;
	c->phase = KM_CHECK_IDLE;
	c->start_ns = km_probe_next_ns(c->start_ns, c->def->every_ns, now);
	c->at_ns = c->start_ns;
	km_heap_move(p, c);
	set_timer(p);
}

static void serve(struct km_prober *p, struct km_check *c, uint64_t now_ns)
{
	if (c->phase == KM_CHECK_RUNNING) {
		km_check_done(p, c, KM_PROBE_BAD, "no answer within %llu ms",
		              (unsigned long long)(c->def->timeout_ns / KM_NS_PER_MS));
		return;
	}
	km_heap_drop(p, c);
	memset(&c->last, 0, sizeof(c->last));
	if (p->running < KM_PROBES_MAX)
		begin(p, c, now_ns);
	else
		wait_for_place(p, c);
}

static int on_timer(void *userdata, int fd, uint32_t events)
{
	struct km_prober *p = userdata;
	uint64_t now = km_now_ns();

	(void)fd;
	(void)events;
	p->timer_ns = 0;
	p->serving = true;
	while (p->heap_count && p->heap[0]->at_ns <= now + EARLY_NS)
		serve(p, p->heap[0], now);
	begin_waiting(p, km_now_ns());
	p->serving = false;
	set_timer(p);
	return 0;
}

/* One that is at work or waits for its turn is soon enough. */
static void look_now(struct km_prober *p, const struct km_prober_ask *m)
{
	for (size_t i = 0; i < p->check_count; i++) {
		struct km_check *c = &p->checks[i];

		if (strcmp(c->service->name, m->service) != 0 ||
		    strcmp(c->def->name, m->check) != 0)
			continue;
		c->asked = true;
		if (c->phase == KM_CHECK_IDLE) {
			c->at_ns = km_now_ns();
			km_heap_move(p, c);
			set_timer(p);
		}
		return;
	}
}

static int on_engine(void *userdata, int fd, uint32_t events)
{
	struct km_prober *p = userdata;
	struct km_prober_ask m;
	ssize_t n = km_message_recv(fd, &m, sizeof(m), NULL);

	(void)events;
	if (n == sizeof(m) && m.hdr.type == KM_PROBER_ASK && m.hdr.version == KM_PROBER_VERSION &&
	    memchr(m.service, 0, sizeof(m.service)) && memchr(m.check, 0, sizeof(m.check)))
		look_now(p, &m);
	else if (n != -EAGAIN)
		km_loop_stop(p->loop); /* its end, or not the engine any more */
	return 0;
}

static int make_checks(struct km_prober *p)
{
	const struct km_config *config = p->config;
	uint64_t now = km_now_ns();

	for (size_t i = 0; i < config->service_count; i++)
		p->check_count += config->services[i].check_count;
	p->checks = calloc(p->check_count + 1, sizeof(*p->checks));
	p->heap = calloc(p->check_count + 1, sizeof(struct km_check *));
	if (!p->checks || !p->heap)
		return -ENOMEM;
	p->check_count = 0;
	for (size_t i = 0; i < config->service_count; i++)
		for (size_t k = 0; k < config->services[i].check_count; k++) {
			struct km_check *c = &p->checks[p->check_count++];

			c->service = &config->services[i];
			c->def = &c->service->checks[k];
			c->start_ns = km_probe_first_ns(c->service->name, c->def->name,
			                                c->def->every_ns, now);
			c->at_ns = c->start_ns;
			c->beat_ns = now;
			c->leftover_fd = -1;
			km_heap_put(p, c);
		}
	return 0;
}

static void drop_checks(struct km_prober *p)
{
	p->serving = true; /* nothing new is begun */
	for (size_t i = 0; i < p->check_count; i++) {
		if (p->checks[i].phase == KM_CHECK_RUNNING)
			give_back(p, &p->checks[i]);
		km_close(&p->checks[i].leftover_fd);
	}
	free(p->checks);
	free(p->heap);
	p->checks = NULL;
	p->heap = NULL;
	p->check_count = p->heap_count = p->running = 0;
	p->waiting_first = p->waiting_last = NULL;
	p->serving = false;
}

/* All checks begin anew; what a wrong file says is the engine's to tell. */
static int reload(struct km_prober *p)
{
	struct km_config *config = NULL;
	int r;

	if (!p->opts->read_config || p->opts->read_config(p->opts->userdata, &config) < 0)
		return 0;
	drop_checks(p);
	km_config_free(p->own);
	p->config = p->own = config;
	r = make_checks(p);
	if (r == 0)
		set_timer(p);
	return r;
}

static int on_signal(void *userdata, int fd, uint32_t signo)
{
	struct km_prober *p = userdata;

	(void)fd;
	if (signo == SIGHUP)
		return reload(p);
	km_loop_stop(p->loop);
	return 0;
}

static int wire(struct km_prober *p)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
	int r;

	r = km_loop_signals(p->loop, ends, KM_ARRAY_SIZE(ends), on_signal, p);
	if (r == 0)
		r = km_loop_add(p->loop, p->opts->engine_sock, EPOLLIN, on_engine, p);
	if (r == 0)
		r = km_watchdog_listen(p);
	if (r == 0)
		r = km_loop_timer(p->loop, 0, on_timer, p, &p->timer_fd);
	return r;
}

static void close_all(struct km_prober *p)
{
	drop_checks(p);
	km_http_free(p);
	km_loop_free(p->loop);
	km_config_free(p->own);
}

int km_prober_run(const struct km_prober_opts *opts)
{
	struct km_prober p = { .opts = opts, .config = opts->config };
	int r = km_loop_new(&p.loop);

	if (r == 0)
		r = make_checks(&p);
	if (r == 0)
		r = wire(&p);
	if (r == 0) {
		set_timer(&p);
		r = km_loop_run(p.loop);
	}
	close_all(&p);
	return r;
}
