// SPDX-License-Identifier: Apache-2.0
#include "base/peer.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/address.h"

int km_peer_parse(const char *text, struct kmend_address *ret)
{
	struct sockaddr_storage a;
	const struct sockaddr_in *v4 = (const void *)&a;
	const struct sockaddr_in6 *v6 = (const void *)&a;
	struct kmend_address p = { .addr = { 0, 0, KMEND_MAPPED, 0 } };
	socklen_t len;
	int r = km_address_parse(text, &a, &len);

	if (r < 0 || a.ss_family == AF_UNIX)
		return -EINVAL;
	if (a.ss_family == AF_INET) {
		p.addr[3] = v4->sin_addr.s_addr;
		p.port = v4->sin_port;
	} else {
		memcpy(p.addr, &v6->sin6_addr, sizeof(p.addr));
		p.port = v6->sin6_port;
	}
	*ret = p;
	return 0;
}

bool km_peer_is_v4(const struct kmend_address *p)
{
	return p->addr[0] == 0 && p->addr[1] == 0 && p->addr[2] == KMEND_MAPPED;
}

void km_peer_text(const struct kmend_address *p, char ret[static KM_PEER_TEXT])
{
	bool v4 = km_peer_is_v4(p);
	char host[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &p->addr[3] : &p->addr[0], host, sizeof(host));
	snprintf(ret, KM_PEER_TEXT, v4 ? "%s:%u" : "[%s]:%u", host, ntohs((uint16_t)p->port));
}
