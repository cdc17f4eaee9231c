// SPDX-License-Identifier: Apache-2.0
/* Counts that the kernel side keeps, as values: how much each grew since it was read before. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>

#include "base/fs.h"
#include "collect/internal.h"

#define EVERY 2  /* passes: a batch looks at every bucket, 20 us for an empty map */
#define BATCH 64 /* at a time */
/* A share of fewer segments is chance: of 200 a share of 8 % is 2 % at least, by three standard
 * errors. What did not come to so many in this time is too old to be added to. */
#define SEGMENTS_MIN 200
#define SEGMENTS_NS  (30 * KM_NS_PER_S)

struct told_sum {
	struct kmend_sum_key key;
	struct kmend_sum before;
	uint64_t t_ns;
	uint64_t grew; /* the last time: zero is said once, then silence */
};

struct told_peer {
	struct kmend_peer_key key;
	struct kmend_peer before;
	uint64_t t_ns;
};

int km_sums_open(struct km_collect *c)
{
	static const struct km_table_opts sums = { .name = "sums told",
		                                   .rows_max = KMEND_SUMS_MAX,
		                                   .row_size = sizeof(struct told_sum),
		                                   .key_size = sizeof(struct kmend_sum_key) };
	static const struct km_table_opts peers = { .name = "peers told",
		                                    .rows_max = KMEND_PEERS_MAX,
		                                    .row_size = sizeof(struct told_peer),
		                                    .key_size = sizeof(struct kmend_peer_key) };
	int r = km_table_new(&sums, &c->sums);

	return r < 0 ? r : km_table_new(&peers, &c->peers);
}

/* A row of TABLE for KEY; one that is full forgets all: counting begins anew. */
static int row_of(struct km_table *table, const void *key, void *ret)
{
	int r = km_table_put(table, key, ret);

	if (r != -ENOSPC)
		return r;
	km_table_clear(table);
	return km_table_put(table, key, ret);
}

/* A key may have made room for another and come back. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

/* "vda": the kernel's name for a device number. */
static bool device_name(uint64_t id, char *out, size_t size)
{
	char file[64], text[1024], *name;

	snprintf(file, sizeof(file), "/sys/dev/block/%u:%u/uevent", (uint32_t)(id >> 32),
	         (uint32_t)id);
	if (km_fs_read_small(AT_FDCWD, file, text, sizeof(text)) < 0)
		return false;
	name = strstr(text, "DEVNAME=");
	if (!name)
		return false;
	name += strlen("DEVNAME=");
	name[strcspn(name, "\n")] = '\0';
	return km_copy(out, size, name);
}

static const struct summed {
	enum km_sig sig;
	enum km_entity entity;
	double per;  /* of an amount; 0: the count is told */
	bool window; /* counted in windows only */
	bool failed; /* no such call or request on a host that is well */
} summed[KMEND_SUM_MAX] = {
	[KMEND_SUM_RECLAIM] = { KM_SIG_RECLAIM, KM_ENTITY_SERVICE, 1000, false, false },
	[KMEND_SUM_HUNG] = { KM_SIG_HUNG, KM_ENTITY_SERVICE, 0, false, false },
	[KMEND_SUM_KERNEL_ERROR] = { KM_SIG_KERNEL_ERRORS, KM_ENTITY_HOST, 0, false, false },
	[KMEND_SUM_IO_ERROR] = { KM_SIG_BLOCK_ERRORS, KM_ENTITY_DEVICE, 0, false, false },
	[KMEND_SUM_IO] = { KM_SIG_BLOCK_REQUESTS, KM_ENTITY_DEVICE, 0, true, false },
	[KMEND_SUM_SEGMENTS] = { KM_SIG_RETRANSMIT_SHARE, KM_ENTITY_SERVICE, 0, false, false },
	[KMEND_SUM_CALLS] = { KM_SIG_SYSCALL_CALLS, KM_ENTITY_SERVICE, 0, true, false },
	[KMEND_SUM_EMFILE] = { KM_SIG_SYSCALL_EMFILE, KM_ENTITY_SERVICE, 0, true, true },
	[KMEND_SUM_ENFILE] = { KM_SIG_SYSCALL_ENFILE, KM_ENTITY_SERVICE, 0, true, true },
	[KMEND_SUM_ENOMEM] = { KM_SIG_SYSCALL_ENOMEM, KM_ENTITY_SERVICE, 0, true, true },
	[KMEND_SUM_ENOSPC] = { KM_SIG_SYSCALL_ENOSPC, KM_ENTITY_SERVICE, 0, true, true },
	[KMEND_SUM_EDQUOT] = { KM_SIG_SYSCALL_EDQUOT, KM_ENTITY_SERVICE, 0, true, true },
	[KMEND_SUM_FORK_EAGAIN] = { KM_SIG_SYSCALL_FORK_EAGAIN, KM_ENTITY_SERVICE, 0, true, true },
	[KMEND_SUM_EIO] = { KM_SIG_SYSCALL_EIO, KM_ENTITY_SERVICE, 0, true, true },
	[KMEND_SUM_EROFS] = { KM_SIG_SYSCALL_EROFS, KM_ENTITY_SERVICE, 0, true, true },
	[KMEND_SUM_ECONNREFUSED] = { KM_SIG_SYSCALL_ECONNREFUSED, KM_ENTITY_SERVICE, 0, true,
	                             true },
	[KMEND_SUM_ETIMEDOUT] = { KM_SIG_SYSCALL_ETIMEDOUT, KM_ENTITY_SERVICE, 0, true, false },
	[KMEND_SUM_EACCES] = { KM_SIG_SYSCALL_EACCES, KM_ENTITY_SERVICE, 0, true, false },
	[KMEND_SUM_DNS_QUERIES] = { KM_SIG_DNS_QUERIES, KM_ENTITY_SERVICE, 0, false, false },
	[KMEND_SUM_DNS_FAILURES] = { KM_SIG_DNS_FAILURES, KM_ENTITY_SERVICE, 0, false, false },
};

/* SAID without whose it is. */
static int say_sum(struct km_collect *c, const struct kmend_sum_key *key, struct km_said said)
{
	char name[64];

	said.entity = summed[key->what].entity;
	if (said.entity == KM_ENTITY_SERVICE)
		said.cgroup_id = key->id;
	if (said.entity == KM_ENTITY_DEVICE) {
		if (!device_name(key->id, name, sizeof(name)))
			return 0;
		said.name = name;
	}
	return km_value_emit(c, &said);
}

/* Of a window: as many as there would have been in the whole period, had it been like that. The
 * standard error is that of a count that comes by chance; it is never 0: nothing is certain. */
static int say_scaled(struct km_collect *c, const struct kmend_sum_key *key,
                      const struct kmend_sum *grew)
{
	const struct km_sums_window *w = &c->window;
	double scale = (double)w->period_ns / (double)w->window_ns, n = (double)grew->count;
	int r = say_sum(c, key,
	                (struct km_said){ .signal = summed[key->what].sig,
	                                  .value = n * scale,
	                                  .error = sqrt(n + 1) * scale,
	                                  .period_ns = w->period_ns,
	                                  .window_ns = w->window_ns });

	if (summed[key->what].failed && grew->count)
		km_collect_suspect(c);
	if (r || key->what != KMEND_SUM_IO || !grew->count)
		return r;
	return say_sum(c, key,
	               (struct km_said){ .signal = KM_SIG_BLOCK_LATENCY,
	                                 .value = (double)grew->amount / n / 1000,
	                                 .every = w->passes });
}

/* Of what is counted all the time: said while it grows, then once as zero. */
static int say_grown(struct km_collect *c, struct told_sum *t, const struct kmend_sum *grew)
{
	const struct summed *s = &summed[t->key.what];
	uint64_t now = km_now_ns(), since = t->t_ns ? t->t_ns : now - EVERY * c->period_ns;
	bool silent = !grew->count && !t->grew;

	if (silent || now <= since)
		return 0;
	t->t_ns = now;
	t->grew = grew->count;
	return say_sum(c, &t->key,
	               (struct km_said){ .signal = s->sig,
	                                 .value = s->per > 0 ? (double)grew->amount / s->per
	                                                     : (double)grew->count,
	                                 .period_ns = now - since });
}

/* Which share of the segments was sent again. Several are waited for until they are enough. */
static int say_share(struct km_collect *c, struct told_sum *t, const struct kmend_sum *now)
{
	uint64_t t_ns = km_now_ns(), lasted_ns = t->t_ns ? t_ns - t->t_ns : 0;
	uint64_t sent = grown(t->before.count, now->count);
	uint64_t again = grown(t->before.amount, now->amount);

	if (lasted_ns && sent < SEGMENTS_MIN && lasted_ns < SEGMENTS_NS)
		return 0;
	t->before = *now;
	t->t_ns = t_ns;
	if (!lasted_ns || sent < SEGMENTS_MIN)
		return 0;
	return km_value_emit(c, &(struct km_said){ .signal = KM_SIG_RETRANSMIT_SHARE,
	                                           .entity = KM_ENTITY_SERVICE,
	                                           .cgroup_id = t->key.id,
	                                           .value = fmin((double)again / (double)sent, 1) *
	                                                    1e6,
	                                           .period_ns = lasted_ns });
}

static bool is_call(uint32_t what)
{
	return what >= KMEND_SUM_CALLS && what <= KMEND_SUM_EACCES;
}

/* While somebody looks closely, system calls are not counted in windows, but all. */
static bool in_window(const struct km_collect *c, uint32_t what)
{
	return summed[what].window && !(is_call(what) && km_duty_held(c));
}

static int prime_call(struct km_collect *c, const void *k, const void *v)
{
	const struct kmend_sum_key *key = k;
	struct told_sum *t;

	if (!is_call(key->what) || row_of(c->sums, key, &t) < 0)
		return 0;
	t->before = *(const struct kmend_sum *)v;
	t->t_ns = km_now_ns();
	return 0;
}

static int on_sum(struct km_collect *c, const void *k, const void *v)
{
	const struct kmend_sum_key *key = k;
	const struct kmend_sum *now = v;
	struct kmend_sum grew;
	struct told_sum *t;

	/* 0 is no count: the first one has a number of its own. */
	if (!key->what || key->what >= KMEND_SUM_MAX || !summed[key->what].sig ||
	    in_window(c, key->what) != c->window.closing || row_of(c->sums, key, &t) < 0)
		return 0;
	if (key->what == KMEND_SUM_SEGMENTS)
		return say_share(c, t, now);
	grew.count = grown(t->before.count, now->count);
	grew.amount = grown(t->before.amount, now->amount);
	t->before = *now;
	return c->window.closing ? say_scaled(c, key, &grew) : say_grown(c, t, &grew);
}

static bool peer_name(const struct kmend_peer_key *k, char *out, size_t size)
{
	char addr[INET6_ADDRSTRLEN];

	if (!inet_ntop(k->family, k->addr, addr, sizeof(addr)))
		return false;
	snprintf(out, size, k->family == AF_INET6 ? "[%s]:%u" : "%s:%u", addr, k->port);
	return true;
}

static int say_peer(struct km_collect *c, const struct kmend_peer_key *key, const char *name,
                    const struct kmend_peer *d, uint64_t period_ns)
{
	const struct {
		enum km_sig sig;
		double value;
		bool level;
	} rows[] = {
		{ KM_SIG_PEER_ATTEMPTS, (double)d->attempts, false },
		{ KM_SIG_PEER_FAILURES, (double)d->failures, false },
		{ KM_SIG_PEER_REFUSED, (double)d->refused, false },
		{ KM_SIG_PEER_TIMEOUTS, (double)d->timeouts, false },
		{ KM_SIG_PEER_UNREACHABLE, (double)d->unreachable, false },
		{ KM_SIG_PEER_RETRANSMITS, (double)d->retransmits, false },
		{ KM_SIG_PEER_LATENCY,
		  d->established ? (double)d->latency_ns / (double)d->established / 1000 : -1,
		  true },
		{ KM_SIG_PEER_RTT, d->rtt_us ? (double)d->rtt_us : -1, true },
	};
	int r = 0;

	for (size_t i = 0; i < KM_ARRAY_SIZE(rows) && r == 0; i++)
		if (rows[i].value >= 0)
			r = km_value_emit(c, &(struct km_said){
						     .signal = rows[i].sig,
						     .entity = KM_ENTITY_ENDPOINT,
						     .cgroup_id = key->cgroup_id,
						     .name = name,
						     .value = rows[i].value,
						     .every = EVERY,
						     .period_ns = rows[i].level ? 0 : period_ns });
	return r;
}

/* Nothing is said of a peer that nobody connects to: that is not measured, not well. */
static int on_peer(struct km_collect *c, const void *k, const void *v)
{
	const struct kmend_peer_key *key = k;
	const struct kmend_peer *now = v;
	uint64_t since, t_ns = km_now_ns();
	struct told_peer *t;
	struct kmend_peer d;
	char name[INET6_ADDRSTRLEN + 16];

	if (row_of(c->peers, key, &t) < 0 || !peer_name(key, name, sizeof(name)))
		return 0;
	if (memcmp(&t->before, now, sizeof(*now)) == 0)
		return 0;
	d = (struct kmend_peer){
		.attempts = grown(t->before.attempts, now->attempts),
		.established = grown(t->before.established, now->established),
		.latency_ns = grown(t->before.latency_ns, now->latency_ns),
		.failures = grown(t->before.failures, now->failures),
		.refused = grown(t->before.refused, now->refused),
		.timeouts = grown(t->before.timeouts, now->timeouts),
		.unreachable = grown(t->before.unreachable, now->unreachable),
		.retransmits = grown(t->before.retransmits, now->retransmits),
		.rtt_us = now->rtt_us,
	};
	since = t->t_ns ? t->t_ns : t_ns - EVERY * c->period_ns;
	t->before = *now;
	t->t_ns = t_ns;
	return t_ns <= since ? 0 : say_peer(c, key, name, &d, t_ns - since);
}

typedef int (*row_fn)(struct km_collect *c, const void *key, const void *value);

/* Every row of the map; a sweep of a changing map may miss one, which the next sees. */
static int each(struct km_collect *c, enum km_map map, row_fn fn)
{
	const struct km_map_def *d = &km_map_defs[map];
	char keys[BATCH * sizeof(struct kmend_peer_key)];
	char values[BATCH * sizeof(struct kmend_peer)];
	uint32_t at = 0, batches = d->entries / BATCH + 1;
	void *from = NULL;

	for (uint32_t i = 0; i < batches; i++) {
		uint32_t n = BATCH;
		int err = bpf_map_lookup_batch(c->bpf.maps[map], from, &at, keys, values, &n, NULL);

		if (err && err != -ENOENT) /* that is the end, with N filled in */
			return 0;
		for (uint32_t k = 0; k < n; k++) {
			int r = fn(c, keys + (size_t)k * d->key_size,
			           values + (size_t)k * d->value_size);

			if (r)
				return r;
		}
		if (err)
			break;
		from = &at;
	}
	return 0;
}

void km_sums_prime_calls(struct km_collect *c)
{
	each(c, KM_MAP_SUMS, prime_call);
}

int km_sums_emit_window(struct km_collect *c)
{
	int r;

	c->window.closing = true;
	r = each(c, KM_MAP_SUMS, on_sum);
	c->window.closing = false;
	return r;
}

int km_sums_emit(struct km_collect *c)
{
	int r;

	if (c->bpf.maps[KM_MAP_SUMS] < 0 || c->pass % EVERY != 0)
		return 0;
	r = each(c, KM_MAP_SUMS, on_sum);
	return r ? r : each(c, KM_MAP_PEERS, on_peer);
}
