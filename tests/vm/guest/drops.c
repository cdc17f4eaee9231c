// SPDX-License-Identifier: Apache-2.0
/* Packets that are not delivered, one way each, over and over until a window has seen it. */
#include "vm/guest/guest.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <sys/socket.h>

#define UNKNOWN_PROTOCOL 253

static struct sockaddr_in here(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons(port),
		                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A socket at PORT that nobody reads. */
static int deaf(uint16_t port)
{
	struct sockaddr_in a = here(port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(fd, (void *)&a, sizeof(a)) < 0)
		_exit(1);
	return fd;
}

static void flood(int type, int protocol, uint16_t port, const void *data, size_t len)
{
	struct sockaddr_in a = here(port);
	int fd = socket(AF_INET, type, protocol);

	for (;;)
		(void)sendto(fd, data, len, 0, (void *)&a, sizeof(a));
}

static void to_nobody(void)
{
	flood(SOCK_DGRAM, 0, 1, "x", 1);
}

static void to_the_full(void)
{
	deaf(5353);
	flood(SOCK_DGRAM, 0, 5353, "x", 1);
}

static void to_a_filter(void)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog all = { 1, &nothing };

	setsockopt(deaf(5354), SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof(all));
	flood(SOCK_DGRAM, 0, 5354, "x", 1);
}

/* A checksum that is wrong; the kernel fills in what is 0 of the header below. */
static void damaged(void)
{
	struct {
		struct udphdr udp;
		char data[8];
	} p = { .udp = { .source = htons(9), .dest = htons(5355), .check = htons(0x1234) } };

	p.udp.len = htons(sizeof(p));
	deaf(5355);
	flood(SOCK_RAW, IPPROTO_UDP, 0, &p, sizeof(p));
}

/* By a socket that does not hear it itself; the kernel fills in what is 0 of the header. */
static void unknown_protocol(void)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = UNKNOWN_PROTOCOL };

	ip.daddr = htonl(INADDR_LOOPBACK);
	flood(SOCK_RAW, IPPROTO_RAW, 0, &ip, sizeof(ip));
}

static bool dropped(struct guest *g, const char *signal, void (*how)(void))
{
	uint32_t pid = GUEST_CHILD(how());
	const struct km_raw_value *v;

	km_collect_suspect(g->collect); /* windows are near one another */
	v = guest_count(g, signal, "", 1);
	guest_end(pid);
	WANT_RECORD(g, v);
	WANT(g, v->window_ns > 0 && v->window_ns < v->period_ns);
	return true;
}

#define CASE(name, signal, how)                 \
	static bool name(struct guest *g)       \
	{                                       \
		return dropped(g, signal, how); \
	}

CASE(no_socket, "net.drops.no_socket", to_nobody)
CASE(full, "net.drops.full", to_the_full)
CASE(filtered, "net.drops.filtered", to_a_filter)
CASE(wrong, "net.drops.damaged", damaged)
CASE(other, "net.drops.other", unknown_protocol)

const struct guest_case guest_drops[] = {
	{ "net.drops.no_socket", no_socket }, { "net.drops.full", full },
	{ "net.drops.filtered", filtered },   { "net.drops.damaged", wrong },
	{ "net.drops.other", other },         { NULL, NULL },
};
