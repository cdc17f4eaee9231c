// SPDX-License-Identifier: Apache-2.0
/* TCP over the loopback device of the guest. */
#include "vm/guest/guest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static bool to_port(const void *raw, uint64_t port)
{
	return ((const struct kmend_tcp_state *)raw)->rport == port;
}

static void connect_once(const struct sockaddr_in *a)
{
	int fd;

	guest_enter_group();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	_exit(connect(fd, (const void *)a, sizeof(*a)) < 0 ? errno : 0);
}

static bool a_refused_connect(struct guest *g)
{
	const struct kmend_tcp_state *t;
	struct sockaddr_in a;
	int fd = guest_bound(&a); /* nobody else can listen there */
	uint32_t pid;

	WANT(g, fd >= 0);
	pid = GUEST_CHILD(connect_once(&a));
	WANT_IS(g, guest_reap(pid), ECONNREFUSED << 8);
	close(fd);
	WANT_RECORD(g, t = guest_wait(g, KMEND_TCP_STATE, to_port, ntohs(a.sin_port)));
	WANT_IS(g, t->family, AF_INET);
	WANT_IS(g, t->from, 2);
	WANT_IS(g, t->to, 7);
	WANT_IS(g, t->error, ECONNREFUSED);
	WANT(g, memcmp(t->raddr, &a.sin_addr, 4) == 0);
	WANT_IS(g, t->hdr.cgroup_id, g->group);
	return true;
}

static bool of_group(const void *raw, uint64_t id)
{
	return ((const struct kmend_hdr *)raw)->cgroup_id == id;
}

/* Nobody accepts: the queue holds one, what comes then is dropped and sent again after 1 s. */
/* Nobody accepts: the queue holds one, what comes then is dropped and sent again after 1 s. */
static bool a_retransmit(struct guest *g)
{
	const struct kmend_retransmit *r;
	struct sockaddr_in a;
	int fd = guest_bound(&a);
	uint32_t pid;

	WANT(g, fd >= 0);
	WANT_IS(g, listen(fd, 0), 0);
	pid = GUEST_CHILD(guest_connect(&a, 4));
	r = guest_wait(g, KMEND_RETRANSMIT, of_group, g->group);
	guest_end(pid);
	close(fd);
	WANT_RECORD(g, r);
	WANT(g, r->count >= 1 && r->count <= 100);
	return true;
}

static bool reset_from(const void *raw, uint64_t port)
{
	const struct kmend_tcp_state *t = raw;

	return t->from == 1 && t->rport == port && t->error == ECONNRESET;
}

static void be_reset(const struct sockaddr_in *a)
{
	char c;
	int fd;

	guest_enter_group();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (const void *)a, sizeof(*a)) < 0)
		_exit(1);
	_exit(read(fd, &c, 1) < 0 ? errno : 0);
}

/* To close with something to linger for, 0 s long, is to reset. */
static bool a_reset(struct guest *g)
{
	struct linger at_once = { 1, 0 };
	const struct kmend_tcp_state *t;
	struct sockaddr_in a;
	int fd = guest_bound(&a), peer;
	uint32_t pid;

	WANT(g, fd >= 0);
	WANT_IS(g, listen(fd, 1), 0);
	pid = GUEST_CHILD(be_reset(&a));
	peer = accept(fd, NULL, NULL);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(peer);
	close(fd);
	WANT_IS(g, guest_reap(pid), ECONNRESET << 8);
	WANT_RECORD(g, t = guest_wait(g, KMEND_TCP_STATE, reset_from, ntohs(a.sin_port)));
	WANT_IS(g, t->to, 7);
	WANT_IS(g, t->hdr.cgroup_id, g->group);
	return true;
}

#define PAIRS 20

/* PAIRS connections to here and back, closed in good order if CLOSED. */
static bool connections(struct guest *g, bool closed, const char *name)
{
	int near[PAIRS], far[PAIRS], fd;
	struct sockaddr_in a;
	bool ok;

	fd = guest_bound(&a);
	WANT(g, fd >= 0);
	WANT_IS(g, listen(fd, PAIRS), 0);
	for (int i = 0; i < PAIRS; i++) {
		near[i] = socket(AF_INET, SOCK_STREAM, 0);
		WANT_IS(g, connect(near[i], (void *)&a, sizeof(a)), 0);
		far[i] = accept(fd, NULL, NULL);
		WANT(g, far[i] >= 0);
	}
	for (int i = 0; i < PAIRS && closed; i++) {
		close(near[i]);
		close(far[i]);
	}
	ok = guest_value(g, name, "", PAIRS, 10 * PAIRS);
	for (int i = 0; i < PAIRS && !closed; i++) {
		close(near[i]);
		close(far[i]);
	}
	close(fd);
	return ok;
}

static bool tracked(struct guest *g)
{
	return connections(g, false, "net.conntrack.used");
}

static bool established(struct guest *g)
{
	return connections(g, false, "net.established");
}

static bool in_time_wait(struct guest *g)
{
	return connections(g, true, "net.timewait");
}

/* A connection to oneself: a segment for each of its bytes, then its end. */
static void talk(int segments)
{
	struct sockaddr_in a;
	int one = 1, listener = guest_bound(&a), near = socket(AF_INET, SOCK_STREAM, 0), far;
	char byte = 0;

	if (listen(listener, 1) < 0 || connect(near, (void *)&a, sizeof(a)) < 0)
		_exit(errno);
	far = accept(listener, NULL, NULL);
	setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (segments--)
		if (write(near, &byte, 1) != 1 || read(far, &byte, 1) != 1)
			_exit(errno);
	close(near);
	close(far);
	close(listener);
}

static void talk_on(void)
{
	guest_enter_group();
	for (;;) {
		talk(100);
		usleep(100000);
	}
}

/* Nothing is lost on the way to oneself. What the first pass sees is where it counts from. */
static bool sent_again(struct guest *g)
{
	uint32_t pid = GUEST_CHILD(talk_on());
	const struct km_raw_value *v = guest_count(g, "net.retransmit_share", NULL, 0);

	guest_end(pid);
	WANT_RECORD(g, v);
	WANT(g, v->value <= 10000); /* 1 % */
	return true;
}

const struct guest_case guest_network[] = {
	{ "net.connect.failures", a_refused_connect },
	{ "net.retransmits", a_retransmit },
	{ "net.resets", a_reset },
	{ "net.retransmit_share", sent_again },
	{ "net.conntrack.used", tracked },
	{ "net.timewait", in_time_wait },
	{ "net.established", established },
	{ NULL, NULL },
};
