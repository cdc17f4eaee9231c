// SPDX-License-Identifier: Apache-2.0
/* Ends connections by sock_diag(7): a dump of a family's sockets, then one request for each. */
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/peer.h"
#include "base/reroute.h"

/* Of one call; more than that are taken by the next. */
#define STALE_MAX 4096
/* A kernel that does not answer a dump at once is out of memory. */
#define ANSWER_TIMEOUT_MS 1000
/* What the kernel fills for one read of a dump. */
#define DUMP_BYTES 32768
#define STATES     (1 << TCP_ESTABLISHED | 1 << TCP_SYN_SENT | 1 << TCP_CLOSE_WAIT)

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

struct search {
	const struct kmend_address *remote;
	bool (*mine)(void *userdata, uint64_t cgroup_id);
	void *userdata;
	struct inet_diag_sockid *found;
	int count;
};

static int ask(int fd, uint16_t type, uint16_t flags, const struct inet_diag_req_v2 *body)
{
	struct request q = {
		.head = { .nlmsg_len = sizeof(q),
		          .nlmsg_type = type,
		          .nlmsg_flags = NLM_F_REQUEST | flags },
		.body = *body,
	};

	return send(fd, &q, sizeof(q), 0) == sizeof(q) ? 0 : -errno;
}

/* The socket's cgroup, 0: the kernel does not say (before 5.8). */
static uint64_t cgroup_of(const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const struct rtattr *a = (const void *)(m + 1);
	unsigned int left = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));
	uint64_t id = 0;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == INET_DIAG_CGROUP_ID && RTA_PAYLOAD(a) == sizeof(id))
			memcpy(&id, RTA_DATA(a), sizeof(id));
	return id;
}

static bool is_remote(const struct search *s, const struct inet_diag_msg *m)
{
	struct kmend_address p = { .port = m->id.idiag_dport };

	memcpy(p.addr, m->id.idiag_dst, sizeof(p.addr));
	if (m->idiag_family == AF_INET) {
		p.addr[3] = m->id.idiag_dst[0];
		p.addr[2] = KMEND_MAPPED;
		p.addr[1] = p.addr[0] = 0;
	}
	return memcmp(&p, s->remote, sizeof(p)) == 0;
}

/* 1: the dump goes on; 0: it is over. */
static int take(struct search *s, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);

	if (h->nlmsg_type == NLMSG_DONE)
		return 0;
	if (h->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(h);

		return e->error < 0 ? e->error : 0;
	}
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || !is_remote(s, m))
		return 1;
	if (s->count < STALE_MAX && s->mine(s->userdata, cgroup_of(h)))
		s->found[s->count++] = m->id;
	return 1;
}

static int read_dump(int fd, struct search *s)
{
	_Alignas(struct nlmsghdr) char data[DUMP_BYTES];
	int r = 1;

	while (r > 0) {
		ssize_t n = recv(fd, data, sizeof(data), 0);
		const struct nlmsghdr *h = (const void *)data;
		unsigned int left = (unsigned int)n;

		if (n < 0)
			return -errno;
		for (; r > 0 && NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			r = take(s, h);
	}
	return r;
}

static int close_found(int fd, int family, struct search *s)
{
	int closed = 0;

	for (int i = 0; i < s->count; i++) {
		struct inet_diag_req_v2 q = {
			.sdiag_family = (uint8_t)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = STATES,
			.id = s->found[i],
		};
		struct search answer = { 0 };

		/* One that has ended by itself meanwhile is no failure. */
		if (ask(fd, SOCK_DESTROY, NLM_F_ACK, &q) == 0 && read_dump(fd, &answer) == 0)
			closed++;
	}
	return closed;
}

static int close_family(int fd, int family, struct search *s)
{
	struct inet_diag_req_v2 q = {
		.sdiag_family = (uint8_t)family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = STATES,
	};
	int r;

	s->count = 0;
	r = ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q);
	if (r == 0)
		r = read_dump(fd, s);
	return r < 0 ? r : close_found(fd, family, s);
}

/* Two descriptors of one namespace. */
static bool is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* A socket there; this thread is here again whatever happens. Where there is here nothing is
 * changed, and no right is needed for it. */
static int diag_socket(int netns_fd)
{
	const struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_MS / 1000 };
	km_autoclose int here = -1;
	int fd;

	if (netns_fd >= 0) {
		here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (here < 0)
			return -errno;
		if (is_same(here, netns_fd))
			km_close(&here);
		else if (setns(netns_fd, CLONE_NEWNET) < 0)
			return -errno;
	}
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		fd = -errno;
	if (here >= 0 && setns(here, CLONE_NEWNET) < 0)
		abort(); /* going on elsewhere would touch what is not ours */
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

int km_reroute_close_stale(int netns_fd, const struct kmend_address *remote,
                           bool (*mine)(void *userdata, uint64_t cgroup_id), void *userdata)
{
	struct search s = { .remote = remote, .mine = mine, .userdata = userdata };
	km_autoclose int fd = diag_socket(netns_fd);
	int r, closed = 0;

	if (fd < 0)
		return fd;
	s.found = calloc(STALE_MAX, sizeof(*s.found));
	if (!s.found)
		return -ENOMEM;
	/* IPv4 connections of an IPv6 socket are listed with the latter. */
	r = km_peer_is_v4(remote) ? close_family(fd, AF_INET, &s) : 0;
	closed += r > 0 ? r : 0;
	if (r >= 0)
		r = close_family(fd, AF_INET6, &s);
	free(s.found);
	return r < 0 ? r : closed + r;
}
