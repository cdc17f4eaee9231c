// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/address.h"
#include "base/text.h"

static int parse_path(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ret;

	if (!km_copy(un->sun_path, sizeof(un->sun_path), text))
		return -EINVAL;
	un->sun_family = AF_UNIX;
	*ret_len = sizeof(*un);
	return 0;
}

static int parse_port(const char *text, in_port_t *ret)
{
	uint64_t port;

	if (km_text_u64(&text, &port) < 0 || *text || port < 1 || port > UINT16_MAX)
		return -EINVAL;
	*ret = htons((uint16_t)port);
	return 0;
}

int km_address_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;
	struct sockaddr_in *in = (struct sockaddr_in *)&s;
	const char *colon = strrchr(text, ':');
	bool six = *text == '[' && colon > text + 1 && colon[-1] == ']';
	char host[INET6_ADDRSTRLEN];
	size_t len;

	if (*text == '/') {
		int r = parse_path(text, &s, ret_len);

		if (r == 0)
			*ret = s;
		return r;
	}
	len = colon ? (size_t)(colon - text) - 2 * six : 0;
	if (len == 0 || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text + six, len);
	host[len] = '\0';
	s.ss_family = six ? AF_INET6 : AF_INET;
	if (inet_pton(s.ss_family, host, six ? (void *)&in6->sin6_addr : &in->sin_addr) != 1 ||
	    parse_port(colon + 1, six ? &in6->sin6_port : &in->sin_port) < 0)
		return -EINVAL;
	*ret_len = six ? sizeof(*in6) : sizeof(*in);
	*ret = s;
	return 0;
}
