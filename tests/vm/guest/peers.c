// SPDX-License-Identifier: Apache-2.0
/* Whom a service connects to, and who waits to be accepted by it. */
#include "vm/guest/guest.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static const char *name_of(const struct sockaddr_in *a)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s:%u", inet_ntoa(a->sin_addr), ntohs(a->sin_port));
	return name;
}

/* Of the endpoint A, which is of the watched service. */
static bool counted(struct guest *g, const char *signal, const struct sockaddr_in *a, double from)
{
	const struct km_raw_value *v = guest_count(g, signal, name_of(a), from);

	WANT_RECORD(g, v);
	WANT_IS(g, v->entity, KM_ENTITY_ENDPOINT);
	WANT_IS(g, v->hdr.cgroup_id, g->group);
	return true;
}

/* N connections that the peer takes (BACKLOG above N) or not, or refuses (0). */
static bool connects(struct guest *g, const char *signal, int n, int backlog, double from)
{
	struct sockaddr_in a;
	int fd = guest_bound(&a);
	uint32_t pid;
	bool ok;

	WANT(g, fd >= 0);
	if (backlog)
		WANT_IS(g, listen(fd, backlog), 0);
	pid = GUEST_CHILD(guest_connect(&a, n));
	ok = counted(g, signal, &a, from);
	guest_end(pid);
	close(fd);
	return ok;
}

static bool attempts(struct guest *g)
{
	return connects(g, "net.peer.attempts", 5, 10, 5);
}

static bool failures(struct guest *g)
{
	return connects(g, "net.peer.failures", 5, 0, 5);
}

static bool refused(struct guest *g)
{
	return connects(g, "net.peer.refused", 5, 0, 5);
}

static bool latency(struct guest *g)
{
	return connects(g, "net.peer.latency", 5, 10, 1);
}

static bool round_trip(struct guest *g)
{
	return connects(g, "net.peer.rtt", 1, 10, 1);
}

static bool retransmits(struct guest *g)
{
	return connects(g, "net.peer.retransmits", 4, 1, 1);
}

/* Its caller gives up. */
static bool timeouts(struct guest *g)
{
	struct sockaddr_in a;
	int fd = guest_bound(&a);
	uint32_t pid;
	bool ok;

	WANT(g, fd >= 0);
	WANT_IS(g, listen(fd, 0), 0);
	pid = GUEST_CHILD(guest_connect(&a, 4));
	usleep(500000);
	guest_end(pid);
	ok = counted(g, "net.peer.timeouts", &a, 1);
	close(fd);
	return ok;
}

/* A neighbour that is not there (init). */
static bool unreachable(struct guest *g)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) };
	uint32_t pid;
	bool ok;

	a.sin_addr.s_addr = htonl(0x0a090909);
	pid = GUEST_CHILD(guest_connect(&a, 1));
	ok = counted(g, "net.peer.unreachable", &a, 1);
	guest_end(pid);
	return ok;
}

/* A service that listens and does not accept; N want to connect. */
static bool not_accepted(struct guest *g, int backlog, int n, const char *signal, double from)
{
	const struct km_raw_value *v;
	struct sockaddr_in a;
	uint32_t client;
	int fd;

	/* A socket belongs to the cgroup in which it was made, whoever holds it. */
	guest_enter_group();
	fd = guest_bound(&a);
	guest_leave_group();
	WANT(g, fd >= 0);
	WANT_IS(g, listen(fd, backlog), 0);
	client = GUEST_CHILD(guest_connect(&a, n));
	v = guest_count(g, signal, NULL, from);
	guest_end(client);
	close(fd);
	WANT_RECORD(g, v);
	if (backlog > n)
		WANT(g, v->value <= n && v->limit >= backlog && v->limit <= backlog + 1);
	return true;
}

static bool queue(struct guest *g)
{
	return not_accepted(g, 7, 5, "net.accept.queue", 5);
}

static bool overflows(struct guest *g)
{
	return not_accepted(g, 1, 6, "net.accept.overflows", 1);
}

static bool ports(struct guest *g)
{
	const struct km_raw_value *v;
	struct sockaddr_in a;
	int fd = guest_bound(&a);
	uint32_t pid;

	WANT(g, fd >= 0);
	WANT_IS(g, listen(fd, 60), 0);
	pid = GUEST_CHILD(guest_connect(&a, 50));
	v = guest_value(g, "net.ports.used", "", 50, 500);
	guest_end(pid);
	close(fd);
	WANT_RECORD(g, v);
	WANT(g, v->limit > 1000 && v->limit < 65536);
	return true;
}

const struct guest_case guest_peers[] = {
	{ "net.peer.attempts", attempts },
	{ "net.peer.failures", failures },
	{ "net.peer.refused", refused },
	{ "net.peer.timeouts", timeouts },
	{ "net.peer.unreachable", unreachable },
	{ "net.peer.latency", latency },
	{ "net.peer.retransmits", retransmits },
	{ "net.peer.rtt", round_trip },
	{ "net.accept.queue", queue },
	{ "net.accept.overflows", overflows },
	{ "net.ports.used", ports },
	{ NULL, NULL },
};
