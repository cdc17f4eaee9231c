// SPDX-License-Identifier: Apache-2.0
/* What is said to a server, and what its answer means: bytes in, verdict out.
 *
 * Redis serialization protocol; PostgreSQL frontend/backend protocol 3.0, "Message Formats"
 * (StartupMessage, ErrorResponse); RFC 1035 section 4.1 for DNS. */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "health/internal.h"

#define PG_PROTOCOL_3 196608
#define DNS_HEADER    12

static void put16(struct km_talk *t, unsigned int v)
{
	t->send[t->send_len++] = (unsigned char)(v >> 8);
	t->send[t->send_len++] = (unsigned char)v;
}

static void put_bytes(struct km_talk *t, const void *bytes, size_t len)
{
	if (len > sizeof(t->send) - t->send_len)
		len = sizeof(t->send) - t->send_len;
	memcpy(t->send + t->send_len, bytes, len);
	t->send_len += len;
}

/* User and database that hardly exist: that the server says so is answer enough. */
static void say_postgres(struct km_talk *t)
{
	static const char words[] = "user\0kmend\0database\0kmend\0application_name\0kmend\0";
	size_t len = 4 + 4 + sizeof(words);

	put16(t, 0);
	put16(t, (unsigned int)len);
	put16(t, PG_PROTOCOL_3 >> 16);
	put16(t, PG_PROTOCOL_3 & 0xffff);
	put_bytes(t, words, sizeof(words));
}

/* One question for an address; its number follows from the name, so that an answer to another
 * question is none to this. */
static void say_dns(const char *name, struct km_talk *t)
{
	put16(t, (unsigned int)km_hash(name, strlen(name)) & 0xffff);
	put16(t, 0x0100); /* recursion desired */
	put16(t, 1);
	put16(t, 0);
	put16(t, 0);
	put16(t, 0);
	while (*name) {
		size_t len = strcspn(name, ".");

		t->send[t->send_len++] = (unsigned char)len;
		put_bytes(t, name, len);
		name += len;
		name += *name == '.';
	}
	t->send[t->send_len++] = 0;
	put16(t, 1); /* A */
	put16(t, 1); /* IN */
}

void km_talk_begin(const struct km_health_check *def, struct km_talk *ret)
{
	ret->send_len = 0;
	switch (def->kind) {
	case KM_CHECK_REDIS:
		put_bytes(ret, "PING\r\n", 6);
		break;
	case KM_CHECK_POSTGRES:
		say_postgres(ret);
		break;
	case KM_CHECK_DNS:
		say_dns(def->send, ret);
		break;
	case KM_CHECK_UDP:
		put_bytes(ret, def->send, strlen(def->send));
		break;
	default:
		break;
	}
}

__attribute__((format(printf, 3, 4))) static int is(struct km_probe_result *ret,
                                                    enum km_probe_end end, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(ret->reason, sizeof(ret->reason), fmt, args);
	va_end(args);
	ret->end = end;
	return 1;
}

static bool begins(const unsigned char *answer, size_t len, const char *with)
{
	return len >= strlen(with) && !memcmp(answer, with, strlen(with));
}

/* A server that wants a password answers, too; one that loads its data does not serve. */
static int hear_redis(const unsigned char *a, size_t len, struct km_probe_result *ret)
{
	if (!memchr(a, '\n', len))
		return len < KM_TALK_HEAR_MAX ? 0 : is(ret, KM_PROBE_BAD, "no redis answers");
	if (begins(a, len, "+PONG\r\n"))
		return is(ret, KM_PROBE_GOOD, "PONG");
	if (begins(a, len, "-NOAUTH") || begins(a, len, "-NOPERM"))
		return is(ret, KM_PROBE_GOOD, "answers, and wants a password");
	if (begins(a, len, "-LOADING"))
		return is(ret, KM_PROBE_BAD, "still loads its data");
	if (begins(a, len, "-MASTERDOWN"))
		return is(ret, KM_PROBE_BAD, "has lost its master");
	return is(ret, KM_PROBE_BAD, *a == '-' ? "answers with an error" : "no redis answers");
}

/* The SQLSTATE of an ErrorResponse: its field 'C'. */
static int hear_error(const unsigned char *a, size_t len, struct km_probe_result *ret)
{
	size_t i = 5;

	while (i < len && a[i]) {
		const unsigned char *end = memchr(a + i, 0, len - i);

		if (!end)
			break;
		if (a[i] == 'C' && end - (a + i) == 6) {
			if (!memcmp(a + i + 1, "57P03", 5))
				return is(ret, KM_PROBE_BAD, "is starting up or shutting down");
			if (!memcmp(a + i + 1, "53300", 5))
				return is(ret, KM_PROBE_BAD, "has no connection left");
			return is(ret, KM_PROBE_GOOD, "answers");
		}
		i = (size_t)(end - a) + 1;
	}
	return len < KM_TALK_HEAR_MAX ? 0 : is(ret, KM_PROBE_GOOD, "answers with a long error");
}

static int hear_postgres(const unsigned char *a, size_t len, struct km_probe_result *ret)
{
	if (len < 5)
		return 0;
	if (a[0] == 'R')
		return is(ret, KM_PROBE_GOOD, "answers");
	if (a[0] == 'E')
		return hear_error(a, len, ret);
	return is(ret, KM_PROBE_BAD, "no PostgreSQL answers");
}

static int hear_dns(const struct km_talk *t, const unsigned char *a, size_t len,
                    struct km_probe_result *ret)
{
	unsigned int code;

	if (len < DNS_HEADER || a[0] != t->send[0] || a[1] != t->send[1] || !(a[2] & 0x80))
		return is(ret, KM_PROBE_BAD, "the answer is none to the question");
	code = a[3] & 0xf;
	if (code == 0 || code == 3)
		return is(ret, KM_PROBE_GOOD, code ? "answers, no such name" : "answers");
	return is(ret, KM_PROBE_BAD, "answers with error %u", code);
}

int km_talk_hear(const struct km_health_check *def, const struct km_talk *t,
                 const unsigned char *answer, size_t len, struct km_probe_result *ret)
{
	switch (def->kind) {
	case KM_CHECK_REDIS:
		return hear_redis(answer, len, ret);
	case KM_CHECK_POSTGRES:
		return hear_postgres(answer, len, ret);
	case KM_CHECK_DNS:
		return hear_dns(t, answer, len, ret);
	default:
		return is(ret, KM_PROBE_GOOD, "answers");
	}
}
