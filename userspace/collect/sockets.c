// SPDX-License-Identifier: Apache-2.0
/* TCP sockets of this network namespace by iterator: who waits to be accepted, which local ports
 * are in use. */
#include <bpf/bpf.h>
#include <fcntl.h>

#include "base/fs.h"
#include "collect/internal.h"

#define ACCEPTS_MAX KMEND_WATCH_MAX /* cgroups with listeners */

/* The fullest listener of a cgroup; drops of all together. */
struct accept {
	uint64_t cgroup_id;
	uint64_t pass;
	uint64_t drops;
	uint32_t waiting;
	uint32_t limit;
	struct km_told told;
};

int km_sockets_open(struct km_collect *c)
{
	static const struct km_table_opts accepts = { .name = "listeners",
		                                      .rows_max = ACCEPTS_MAX,
		                                      .row_size = sizeof(struct accept),
		                                      .key_size = 8 };

	return km_table_new(&accepts, &c->accepts);
}

static bool fuller(const struct kmend_listener *l, const struct accept *a)
{
	return (uint64_t)l->waiting * a->limit > (uint64_t)a->waiting * (l->limit + 1ULL);
}

static int on_listener(void *userdata, const struct kmend_hdr *h)
{
	const struct kmend_listener *l = (const void *)h;
	struct km_collect *c = userdata;
	struct accept *a;

	if (h->type != KMEND_LISTENER || !h->cgroup_id ||
	    km_table_put(c->accepts, &h->cgroup_id, &a) < 0)
		return 0;
	if (a->pass != c->pass)
		a->drops = a->waiting = a->limit = 0;
	a->pass = c->pass;
	a->drops += l->drops;
	c->sockets_calm = c->sockets_calm && !l->waiting;
	/* The queue is full when more wait than were asked for. */
	if (!a->limit || fuller(l, a)) {
		a->waiting = l->waiting;
		a->limit = l->limit + 1;
	}
	return 0;
}

static int say_one(struct km_collect *c, struct accept *a)
{
	struct km_said queue = { .signal = KM_SIG_ACCEPT_QUEUE,
		                 .entity = KM_ENTITY_SERVICE,
		                 .cgroup_id = a->cgroup_id,
		                 .every = c->sockets_every,
		                 .value = a->waiting,
		                 .limit = a->limit };
	struct km_said drops = { .signal = KM_SIG_ACCEPT_OVERFLOWS,
		                 .entity = KM_ENTITY_SERVICE,
		                 .cgroup_id = a->cgroup_id };
	int r = km_value_emit(c, &queue);

	if (a->drops < a->told.value) /* a listener was closed, and its count with it */
		a->told.value = a->drops;
	return r ? r : km_value_delta(c, &drops, &a->told, a->drops);
}

static int say_listeners(struct km_collect *c)
{
	struct accept *a;
	uint32_t slot = 0;
	int r = 0;

	while (r == 0 && (a = km_table_next(c->accepts, &slot))) {
		if (a->pass == c->pass)
			r = say_one(c, a);
		else
			km_table_drop(c->accepts, &a->cgroup_id);
	}
	return r;
}

static uint32_t count_ports(const uint64_t *words, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t port = from; port <= to && port < 64 * KMEND_PORT_WORDS; port++)
		n += words[port / 64] >> port % 64 & 1;
	return n;
}

/* "32768 60999" */
static bool port_range(const char *text, uint32_t *from, uint32_t *to)
{
	char *end;

	*from = (uint32_t)strtoul(text, &end, 10);
	text = end;
	*to = (uint32_t)strtoul(text, &end, 10);
	return end != text && *from <= *to;
}

static int say_ports(struct km_collect *c)
{
	static const uint64_t none[KMEND_PORT_WORDS];
	uint64_t words[KMEND_PORT_WORDS];
	uint32_t key = 0, from, to, used;
	char text[64];
	int fd = c->bpf.maps[KM_MAP_PORTS];

	if (bpf_map_lookup_elem(fd, &key, words) < 0 ||
	    km_fs_read_small(c->proc_fd, "sys/net/ipv4/ip_local_port_range", text, sizeof(text)) <
	            0 ||
	    !port_range(text, &from, &to))
		return 0;
	bpf_map_update_elem(fd, &key, none, BPF_ANY);
	used = count_ports(words, from, to);
	c->sockets_calm = c->sockets_calm && used < (to - from) / 8;
	return km_value_emit(c, &(struct km_said){ .signal = KM_SIG_PORTS,
	                                           .entity = KM_ENTITY_HOST,
	                                           .every = c->sockets_every,
	                                           .value = used,
	                                           .limit = to - from + 1 });
}

/* The kernel walks its whole hash table, some 0.4 ms where it is empty, and 0.1 us for each
 * connection. */
static const struct km_allowance allowance = {
	.ppm = 60,
	.cheap_ns = 60 * KM_NS_PER_US,
	.every_max = 10,
};
/* While nobody waits to be accepted and most ports are free. */
static const struct km_allowance calm_allowance = {
	.ppm = 20,
	.cheap_ns = 20 * KM_NS_PER_US,
	.every_max = 30,
};

int km_sockets_step(struct km_collect *c)
{
	km_autoclose int fd = -1;
	uint64_t start;
	int r;

	if (c->bpf.progs[KM_PROG_SOCKETS].link_fd < 0 || c->pass < c->sockets_next_pass)
		return 0;
	c->sockets_every += !c->sockets_every;
	start = km_cpu_ns();
	c->sockets_calm = true;
	fd = bpf_iter_create(c->bpf.progs[KM_PROG_SOCKETS].link_fd);
	if (fd < 0 || km_iter_read(c, fd, on_listener, c) < 0)
		return 0;
	r = say_listeners(c);
	if (r == 0)
		r = say_ports(c);
	c->sockets_every = (uint32_t)km_every(c->sockets_calm ? &calm_allowance : &allowance,
	                                      km_cpu_ns() - start, c->period_ns);
	c->sockets_next_pass = c->pass + c->sockets_every;
	return r;
}
