// SPDX-License-Identifier: Apache-2.0
#include "review/world.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>

#include "base/peer.h"
#include "pipeline/texts.h"
#include "repair/failover.h"

#define CGROUP_FIRST 1000
#define TGID_FIRST   5000
#define INIT_TGID    1
#define OTHER_TGID   4242 /* who sends signals from outside */
#define OTHER_UID    1000
#define CONTAINER_ID 64
#define INET         2
#define INET6        10
#define ESTABLISHED  1
#define SYN_SENT     2
/* Records of one signal in one pass: more is a flood, not a rate. */
#define EVENTS_EACH_MAX 10000
#define CLOSED          7
/* Of a health check's word: until the next one, in any test. */
#define BELIEVED_NS (24 * 3600 * KM_NS_PER_S)

void km_world_init(struct km_world *w, km_world_sink sink, void *userdata)
{
	*w = (struct km_world){ .sink = sink, .userdata = userdata, .last_tgid = TGID_FIRST };
}

static struct kmend_hdr header(const struct km_world *w, uint32_t type, size_t size,
                               const struct km_world_service *s)
{
	return (struct kmend_hdr){
		.type = (uint16_t)type,
		.size = (uint16_t)size,
		.ktime_ns = KM_WORLD_BEGIN_NS + w->t_ns,
		.cgroup_id = s ? s->cgroup_id : 0,
	};
}

static int put(struct km_world *w, const void *raw, size_t len)
{
	return w->sink(w->userdata, raw, len);
}

int km_world_add(struct km_world *w, const struct km_service_def *def)
{
	struct km_world_service *s;

	if (w->count == KM_WORLD_SERVICES_MAX)
		return -ENOSPC;
	s = &w->service[w->count];
	*s = (struct km_world_service){
		.kind = def->kind,
		.cgroup_id = CGROUP_FIRST + w->count,
		.fds = KM_UNKNOWN,
		.fds_limit = KM_UNKNOWN,
	};
	km_copy(s->name, sizeof(s->name), def->name);
	km_copy(s->match, sizeof(s->match), def->match);
	s->def = def;
	w->count++;
	return 0;
}

struct km_world_service *km_world_service(struct km_world *w, const char *name)
{
	for (size_t i = 0; i < w->count; i++)
		if (!strcmp(w->service[i].name, name))
			return &w->service[i];
	return NULL;
}

int km_world_text(struct km_world *w, enum km_text_kind kind, const char *file, const char *text)
{
	const struct km_text_source s = { kind, file, text, strlen(text) };

	return km_text_send(&s, KM_WORLD_BEGIN_NS + w->t_ns, w->sink, w->userdata);
}

/* The path by which phase 3 knows whose the cgroup is. */
static int tell_cgroup(struct km_world *w, const struct km_world_service *s)
{
	struct km_raw_cgroup c = { .hdr = header(w, KM_RAW_CGROUP, sizeof(c), s) };
	char id[CONTAINER_ID + 1];

	switch (s->kind) {
	case KM_BY_UNIT:
		snprintf(c.path, sizeof(c.path), "/system.slice/%.512s", s->match);
		break;
	case KM_BY_CGROUP:
		km_copy(c.path, sizeof(c.path), s->match);
		break;
	case KM_BY_CONTAINER:
		memset(id, '0', CONTAINER_ID);
		id[CONTAINER_ID] = '\0';
		memcpy(id, s->match, strnlen(s->match, CONTAINER_ID));
		snprintf(c.path, sizeof(c.path), "/system.slice/docker-%s.scope", id);
		break;
	default:
		return 0;
	}
	return put(w, &c, sizeof(c));
}

static int tell_process(struct km_world *w, const struct km_world_service *s)
{
	struct km_raw_process p = {
		.hdr = header(w, KM_RAW_PROCESS, sizeof(p), s),
		.tgid = s->tgid,
		.ppid = INIT_TGID,
		.start_ns = s->start_ns,
		.source = s->kind == KM_BY_PIDFILE ? KM_FROM_PIDFILE : KM_FROM_SCAN,
		.wait_status = -1,
	};

	km_copy(p.comm, sizeof(p.comm), s->name);
	if (s->kind == KM_BY_EXECUTABLE)
		km_copy(p.path, sizeof(p.path), s->match);
	if (s->kind == KM_BY_PIDFILE)
		km_copy(p.service, sizeof(p.service), s->name);
	return put(w, &p, sizeof(p));
}

static int tell_outcome(struct km_world *w, const struct km_world_service *s,
                        const struct km_decision *d, enum km_outcome_state state)
{
	struct km_raw_outcome o = {
		.hdr = header(w, KM_RAW_OUTCOME, sizeof(o), s),
		.intent_id = d ? d->id : 0,
		.state = state,
		.verb = d ? d->verb : KM_START,
		.tgid = s ? s->tgid : 0,
		.start_ns = s && s->tgid ? s->start_ns : 0,
	};

	km_copy(o.service, sizeof(o.service), d ? d->service : s->name);
	return put(w, &o, sizeof(o));
}

static int tell_exec(struct km_world *w, const struct km_world_service *s)
{
	struct kmend_exec e = {
		.hdr = header(w, KMEND_EXEC, sizeof(e), s),
		.tgid = s->tgid,
		.ppid = INIT_TGID,
		.start_ns = s->start_ns,
		.image = s->version,
	};

	km_copy(e.comm, sizeof(e.comm), s->name);
	if (s->kind == KM_BY_EXECUTABLE)
		km_copy(e.path, sizeof(e.path), s->match);
	else
		snprintf(e.path, sizeof(e.path), "/usr/bin/%.100s", s->name);
	return put(w, &e, sizeof(e));
}

static int new_process(struct km_world *w, struct km_world_service *s)
{
	uint64_t now = KM_WORLD_BEGIN_NS + w->t_ns;

	s->tgid = ++w->last_tgid;
	s->start_ns = now - now % KMEND_START_NS;
	s->born_ns = w->t_ns;
	return s->version ? tell_exec(w, s) : 0;
}

int km_world_deploy(struct km_world *w, struct km_world_service *s)
{
	int r = 0;

	/* what it runs so far: of a life that began before the test nobody had said it */
	if (!s->version++ && s->tgid)
		r = tell_exec(w, s);
	s->version++;
	return r;
}

static int tell_endpoint(struct km_world *w, const struct km_world_service *s, const char *name,
                         uint32_t share, uint32_t standby)
{
	struct km_raw_endpoint e = { .hdr = header(w, KM_RAW_ENDPOINT, sizeof(e), s),
		                     .share = share,
		                     .standby = share ? standby : 0 };

	km_copy(e.service, sizeof(e.service), s->name);
	km_copy(e.endpoint, sizeof(e.endpoint), name);
	return put(w, &e, sizeof(e));
}

/* What the actor says at its start. */
static int tell_endpoints(struct km_world *w, const struct km_world_service *s)
{
	int r = 0;

	for (size_t i = 0; i < s->def->endpoint_count && r == 0; i++)
		r = tell_endpoint(w, s, s->def->endpoints[i].name, 0, 0);
	return r;
}

int km_world_start(struct km_world *w, struct km_world_service *s)
{
	int r;

	if (s->tgid)
		return 0;
	r = new_process(w, s);
	if (r == 0 && !w->t_ns)
		r = tell_endpoints(w, s);
	if (r < 0)
		return r;
	if (s->kind == KM_BY_COMMAND)
		return tell_outcome(w, s, NULL, KM_OUT_ADOPTED);
	r = tell_cgroup(w, s);
	return r < 0 ? r : tell_process(w, s);
}

int km_world_end(struct km_world *w, struct km_world_service *s, uint32_t status)
{
	struct kmend_exit e = {
		.hdr = header(w, KMEND_EXIT, sizeof(e), s),
		.tgid = s->tgid,
		.ppid = INIT_TGID,
		.start_ns = s->start_ns,
		.exit_code = status,
	};

	if (!s->tgid)
		return 0;
	km_copy(e.comm, sizeof(e.comm), s->name);
	s->tgid = 0;
	return put(w, &e, sizeof(e));
}

int km_world_oom(struct km_world *w, struct km_world_service *s)
{
	struct kmend_oom o = {
		.hdr = header(w, KMEND_OOM, sizeof(o), s),
		.tgid = s->tgid,
		.trigger_tgid = s->tgid,
		.start_ns = s->start_ns,
	};

	if (!s->tgid)
		return 0;
	km_copy(o.comm, sizeof(o.comm), s->name);
	return put(w, &o, sizeof(o));
}

int km_world_signal(struct km_world *w, struct km_world_service *s, uint32_t signal, const char *by)
{
	struct kmend_signal g = {
		.hdr = header(w, KMEND_SIGNAL, sizeof(g), s),
		.signal = signal,
		.tgid = s->tgid,
		.sender_tgid = by ? OTHER_TGID : INIT_TGID,
		.start_ns = s->start_ns,
		.sender_uid = by ? OTHER_UID : 0,
	};

	if (!s->tgid)
		return 0;
	km_copy(g.comm, sizeof(g.comm), s->name);
	km_copy(g.sender_comm, sizeof(g.sender_comm), by ? by : "systemd");
	return put(w, &g, sizeof(g));
}

int km_world_level(struct km_world *w, struct km_world_service *s, enum km_resource r,
                   uint64_t level, uint64_t limit)
{
	struct km_raw_level l = {
		.hdr = header(w, KM_RAW_LEVEL, sizeof(l), s),
		.resource = r,
		.level = level,
		.limit = limit,
	};

	/* Descriptors are a process's, and come with it. */
	if (r == KM_DESCRIPTORS) {
		s->fds = level;
		s->fds_limit = limit;
		return 0;
	}
	return put(w, &l, sizeof(l));
}

static int retransmit(struct km_world *w, struct km_world_service *s, uint64_t count)
{
	struct kmend_retransmit t = { .hdr = header(w, KMEND_RETRANSMIT, sizeof(t), s),
		                      .count = count };

	return count ? put(w, &t, sizeof(t)) : 0;
}

static int tcp_state(struct km_world *w, struct km_world_service *s, uint8_t from, int error)
{
	struct kmend_tcp_state t = {
		.hdr = header(w, KMEND_TCP_STATE, sizeof(t), s),
		.family = INET,
		.rport = 5432,
		.from = from,
		.to = CLOSED,
		.error = error,
		.raddr = { 192, 0, 2, 1 },
	};

	return put(w, &t, sizeof(t));
}

static const struct km_endpoint *endpoint_of(const struct km_world_service *s, const char *name)
{
	return *name ? km_config_endpoint(s->def, name) : &s->def->endpoints[0];
}

int km_world_traffic(struct km_world *w, struct km_world_service *s, const char *endpoint,
                     enum km_traffic to)
{
	return tell_endpoint(w, s, endpoint_of(s, endpoint)->name,
	                     (uint32_t)to * KMEND_SHARE_ALL / KM_TO_STANDBY, 1);
}

int km_world_connects(struct km_world *w, struct km_world_service *s, const char *endpoint,
                      uint32_t place, bool accepted)
{
	const struct km_endpoint *e = endpoint_of(s, endpoint);
	const struct kmend_address *a = &e->place[place].address;
	bool v4 = km_peer_is_v4(a);
	struct kmend_connects c = { .hdr = header(w, KMEND_CONNECTS, sizeof(c), s),
		                    .port = ntohs((uint16_t)a->port),
		                    .family = v4 ? INET : INET6,
		                    .established = accepted,
		                    .failed = accepted ? 0 : 3 };

	memcpy(c.addr, v4 ? &a->addr[3] : a->addr, v4 ? 4 : sizeof(c.addr));
	return put(w, &c, sizeof(c));
}

int km_world_connect_failed(struct km_world *w, struct km_world_service *s, int error)
{
	return tcp_state(w, s, SYN_SENT, error);
}

/* Signals that phase 4 counts from records, and how to make one. */
static int count_events(struct km_world *w, struct km_world_service *s, enum km_sig signal,
                        uint64_t count)
{
	int r = 0;

	if (signal == KM_SIG_RETRANSMITS)
		return retransmit(w, s, count);
	for (uint64_t i = 0; i < count && i < EVENTS_EACH_MAX && r == 0; i++)
		r = signal == KM_SIG_RESETS ? tcp_state(w, s, ESTABLISHED, ECONNRESET)
		                            : km_world_connect_failed(w, s, ECONNREFUSED);
	return r;
}

static bool is_counted(enum km_sig signal)
{
	return signal == KM_SIG_RETRANSMITS || signal == KM_SIG_RESETS ||
	       signal == KM_SIG_CONNECT_FAILURES;
}

bool km_world_tells(enum km_sig signal)
{
	bool of_tasks = signal >= KM_SIG_MEMORY_ANON && signal <= KM_SIG_MEMORY_SWAP;

	return signal > KM_SIG_OOM_KILLS && signal < KM_SIG_MAX && !of_tasks;
}

int km_world_value(struct km_world *w, struct km_world_service *s, const struct km_world_value *v)
{
	enum km_shape shape = km_catalogue[v->signal].shape;
	bool rate = shape == KM_SHAPE_EVENT || shape == KM_SHAPE_COUNTER;
	double amount = rate ? v->value * (double)v->period_ns / (double)KM_NS_PER_S : v->value;
	union {
		struct km_raw_value value;
		char room[sizeof(struct km_raw_value) + KM_NAME_MAX + 8];
	} raw = { 0 };
	size_t len = strnlen(v->name, KM_NAME_MAX);

	if (is_counted(v->signal))
		return count_events(w, s, v->signal, (uint64_t)amount);
	raw.value.hdr = header(w, KM_RAW_VALUE, (sizeof(raw.value) + len + 7) / 8 * 8, s);
	raw.value.signal = v->signal;
	raw.value.entity = v->entity;
	raw.value.value = amount;
	raw.value.limit = v->limit;
	raw.value.period_ns = shape == KM_SHAPE_LEVEL ? 0 : v->period_ns;
	raw.value.window_ns = raw.value.period_ns;
	raw.value.len = (uint32_t)len;
	memcpy(raw.value.name, v->name, len);
	return put(w, &raw, raw.value.hdr.size);
}

int km_world_clock(struct km_world *w, uint64_t realtime_ns)
{
	struct km_raw_clock c = { .hdr = header(w, KM_RAW_CLOCK, sizeof(c), NULL),
		                  .realtime_ns = realtime_ns + w->t_ns };

	return put(w, &c, sizeof(c));
}

int km_world_loss(struct km_world *w)
{
	struct km_raw_loss l = {
		.hdr = header(w, KM_RAW_LOSS, sizeof(l), NULL),
		.type = KMEND_EXIT,
		.seen = ++w->lost,
		.lost = 1,
	};

	return put(w, &l, sizeof(l));
}

int km_world_health(struct km_world *w, struct km_world_service *s,
                    const struct km_service_def *def, const struct km_world_health *health)
{
	struct km_raw_health h = {
		.hdr = header(w, KM_RAW_HEALTH, sizeof(h), s),
		.health = health->health,
		.believe_ns = BELIEVED_NS,
	};
	int r = 0;

	km_copy(h.service, sizeof(h.service), s->name);
	km_copy(h.reason, sizeof(h.reason), health->reason);
	for (size_t i = 0; i < def->check_count && r == 0; i++) {
		km_copy(h.check, sizeof(h.check), def->checks[i].name);
		r = put(w, &h, sizeof(h));
	}
	return r;
}

int km_world_checked(struct km_world *w, struct km_world_service *s, const char *endpoint,
                     uint32_t place, uint64_t took_ns)
{
	struct km_raw_health h = {
		.hdr = header(w, KM_RAW_HEALTH, sizeof(h), s),
		.health = KM_HEALTHY,
		.believe_ns = BELIEVED_NS,
		.latency_ns = took_ns,
	};

	km_copy(h.service, sizeof(h.service), s->name);
	km_copy(h.check, sizeof(h.check), endpoint_of(s, endpoint)->place[place].check);
	return put(w, &h, sizeof(h));
}

int km_world_command(struct km_world *w, enum km_command command, uint64_t decision_id)
{
	struct km_raw_command c = {
		.hdr = header(w, KM_RAW_COMMAND, sizeof(c), NULL),
		.decision_id = decision_id,
		.command = command,
	};

	return put(w, &c, sizeof(c));
}

static int tell_task(struct km_world *w, struct km_world_service *s)
{
	struct kmend_task t = {
		.hdr = header(w, KMEND_TASK, sizeof(t), s),
		.tgid = s->tgid,
		.ppid = INIT_TGID,
		.start_ns = s->start_ns,
		.state = 'S',
	};

	km_copy(t.comm, sizeof(t.comm), s->name);
	if (s->fds != KM_UNKNOWN) {
		t.has = KMEND_HAS_FDS | (s->fds_limit != KM_UNKNOWN ? KMEND_HAS_LIMITS : 0);
		t.fds = s->fds > UINT32_MAX ? UINT32_MAX : (uint32_t)s->fds;
		t.fds_limit = s->fds_limit;
		s->fds = KM_UNKNOWN;
	}
	return put(w, &t, sizeof(t));
}

int km_world_tick(struct km_world *w)
{
	struct km_raw_tick t = { .hdr = header(w, KM_RAW_TICK, sizeof(t), NULL) };
	int r = 0;

	for (size_t i = 0; i < w->count && r == 0; i++)
		if (w->service[i].tgid)
			r = tell_task(w, &w->service[i]);
	return r < 0 ? r : put(w, &t, sizeof(t));
}

/* A command's new process comes with the answer, that of others before it. */
static int tell_birth(struct km_world *w, struct km_world_service *s)
{
	int r = new_process(w, s);

	if (r < 0 || s->kind == KM_BY_COMMAND)
		return r;
	r = tell_cgroup(w, s);
	return r < 0 ? r : tell_process(w, s);
}

static int perform_failover(struct km_world *w, struct km_world_service *s,
                            const struct km_decision *d)
{
	uint64_t amount = d->args.amount;

	if (d->verb == KM_FAIL_OVER)
		return tell_endpoint(w, s, d->args.object, KMEND_SHARE_ALL,
		                     (uint32_t)KM_FAILOVER_STANDBY(amount));
	return tell_endpoint(w, s, d->args.object, km_failover_share(amount), 1);
}

static int perform(struct km_world *w, struct km_world_service *s, const struct km_decision *d)
{
	bool fatal = d->verb == KM_SEND_SIGNAL && d->signal == SIGKILL;
	int r = 0;

	if (d->verb == KM_FAIL_OVER || d->verb == KM_FAIL_BACK)
		return perform_failover(w, s, d);
	if (d->verb == KM_STOP || d->verb == KM_RESTART || fatal)
		r = km_world_end(w, s, fatal ? SIGKILL : SIGTERM);
	if (r == 0 && (d->verb == KM_START || d->verb == KM_RESTART) && !s->tgid)
		r = tell_birth(w, s);
	return r;
}

int km_world_outcome(struct km_world *w, const struct km_decision *d, enum km_outcome_state state)
{
	struct km_world_service *s = km_world_service(w, d->service);
	int r = state == KM_OUT_DONE && s ? perform(w, s, d) : 0;

	return r < 0 ? r : tell_outcome(w, s, d, state);
}
