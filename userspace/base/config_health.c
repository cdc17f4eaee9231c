// SPDX-License-Identifier: Apache-2.0
/* The health checks of one service, as written. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <arpa/inet.h>
#include <pcre2.h>
#include <stdio.h>
#include <strings.h>

#include "base/address.h"
#include "base/config_read.h"

#define MINUTE_NS (60 * KM_NS_PER_S)
/* Longer texts are no addresses, patterns or names. */
#define TEXT_MAX 1024

const char *const km_check_kind_names[KM_CHECK_KIND_MAX + 1] = {
	[KM_CHECK_TCP] = "tcp",     [KM_CHECK_UDP] = "udp",
	[KM_CHECK_UNIX] = "unix",   [KM_CHECK_HTTP] = "http",
	[KM_CHECK_EXEC] = "exec",   [KM_CHECK_WATCHDOG] = "watchdog",
	[KM_CHECK_REDIS] = "redis", [KM_CHECK_POSTGRES] = "postgres",
	[KM_CHECK_DNS] = "dns",     [KM_CHECK_FILE] = "file",
};

const char *const km_health_names[KM_HEALTH_MAX + 1] = {
	[KM_HEALTH_UNKNOWN] = "unknown",
	[KM_HEALTHY] = "healthy",
	[KM_UNHEALTHY] = "unhealthy",
};

/* A check as written. */
struct check_text {
	struct km_health_check def;
	char target[KM_CHECK_KIND_MAX][TEXT_MAX];
	char address[TEXT_MAX], body[TEXT_MAX], send[TEXT_MAX], query[TEXT_MAX];
	uint64_t watchdog_ns;
	int trust;
	const cJSON *argv;
};

static const char *const trust_names[] = { "system", "any", NULL };

#define AT(member) offsetof(struct check_text, member)
#define TARGET(k)  .offset = AT(target) + (k)*TEXT_MAX, .size = TEXT_MAX

/* Oftener than each 100 ms is no check but load; a day-old result is none. */
static const struct km_json_field check_fields[] = {
	{ "name", KM_JSON_STRING, .offset = AT(def.name), .size = KM_CHECK_NAME_MAX },
	{ "tcp", KM_JSON_STRING, TARGET(KM_CHECK_TCP) },
	{ "udp", KM_JSON_STRING, TARGET(KM_CHECK_UDP) },
	{ "unix", KM_JSON_STRING, TARGET(KM_CHECK_UNIX) },
	{ "http", KM_JSON_STRING, TARGET(KM_CHECK_HTTP) },
	{ "exec", KM_JSON_ARRAY, .offset = AT(argv) },
	{ "watchdog", KM_JSON_DURATION, .offset = AT(watchdog_ns), .min = KM_NS_PER_S,
	  .max = 60 * MINUTE_NS },
	{ "redis", KM_JSON_STRING, TARGET(KM_CHECK_REDIS) },
	{ "postgres", KM_JSON_STRING, TARGET(KM_CHECK_POSTGRES) },
	{ "dns", KM_JSON_STRING, TARGET(KM_CHECK_DNS) },
	{ "file", KM_JSON_STRING, TARGET(KM_CHECK_FILE) },
	{ "every", KM_JSON_DURATION, .offset = AT(def.every_ns), .min = 100 * KM_NS_PER_MS,
	  .max = 60 * MINUTE_NS },
	{ "timeout", KM_JSON_DURATION, .offset = AT(def.timeout_ns), .min = 10 * KM_NS_PER_MS,
	  .max = MINUTE_NS },
	{ "grace", KM_JSON_DURATION, .offset = AT(def.grace_ns), .max = 60 * MINUTE_NS },
	{ "rise", KM_JSON_COUNT, .offset = AT(def.rise), .min = 1, .max = 16 },
	{ "fall", KM_JSON_COUNT, .offset = AT(def.fall), .min = 1, .max = 16 },
	{ "status", KM_JSON_COUNT, .offset = AT(def.status), .min = 100, .max = 599 },
	{ "body", KM_JSON_STRING, .offset = AT(body), .size = TEXT_MAX },
	{ "address", KM_JSON_STRING, .offset = AT(address), .size = TEXT_MAX },
	{ "certificate", KM_JSON_ENUM, .offset = AT(trust), .names = trust_names },
	{ "send", KM_JSON_STRING, .offset = AT(send), .size = TEXT_MAX },
	{ "query", KM_JSON_STRING, .offset = AT(query), .size = TEXT_MAX },
	{ "within", KM_JSON_DURATION, .offset = AT(def.within_ns), .min = KM_NS_PER_S,
	  .max = 30 * 24 * 60 * MINUTE_NS },
	{ .key = NULL },
};

/* Keys that mean something for one kind only; it cannot do without a needed one. */
static const struct {
	const char *key;
	enum km_check_kind kind;
	bool needed;
} extras[] = {
	{ "status", KM_CHECK_HTTP, false },  { "body", KM_CHECK_HTTP, false },
	{ "address", KM_CHECK_HTTP, false }, { "certificate", KM_CHECK_HTTP, false },
	{ "send", KM_CHECK_UDP, true },      { "query", KM_CHECK_DNS, true },
	{ "within", KM_CHECK_FILE, true },
};

static const cJSON *member(const cJSON *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static int choose_kind(const struct km_config_reader *c, const cJSON *obj, enum km_check_kind *ret)
{
	int found = -1;

	for (int k = 0; k < KM_CHECK_KIND_MAX; k++) {
		const cJSON *node = member(obj, km_check_kind_names[k]);

		if (node && found >= 0)
			return km_json_fail(c->doc, node, c->err, "write two checks",
			                    "both \"%s\" and \"%s\" in one check",
			                    km_check_kind_names[found], km_check_kind_names[k]);
		if (node)
			found = k;
	}
	if (found < 0)
		return km_json_fail(c->doc, obj, c->err,
		                    "add tcp, udp, unix, http, exec, watchdog, redis, postgres, "
		                    "dns or file",
		                    "nothing says what is checked");
	*ret = found;
	return 0;
}

static int check_extras(const struct km_config_reader *c, const cJSON *obj, enum km_check_kind kind)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(extras); i++) {
		const cJSON *node = member(obj, extras[i].key);

		if (node && extras[i].kind != kind)
			return km_json_fail(c->doc, node, c->err, "take it out",
			                    "\"%s\" applies only to \"%s\"", extras[i].key,
			                    km_check_kind_names[extras[i].kind]);
		if (!node && extras[i].kind == kind && extras[i].needed)
			return km_json_fail(c->doc, obj, c->err, NULL, "\"%s\" needs \"%s\"",
			                    km_check_kind_names[kind], extras[i].key);
	}
	return 0;
}

static const char *address_fault(const char *s)
{
	struct sockaddr_storage a;
	socklen_t len;

	return km_address_parse(s, &a, &len) < 0
	               ? "must be like 127.0.0.1:80, [::1]:80 or /run/x.sock"
	               : NULL;
}

static const char *internet_fault(const char *s)
{
	return *s == '/' ? "must be like 127.0.0.1:80 or [::1]:80" : address_fault(s);
}

static const char *socket_fault(const char *s)
{
	return *s != '/' ? "must be an absolute path" : address_fault(s);
}

/* A host in numbers, or localhost: no resolver is asked. */
static bool host_is_number(const char *s, size_t len)
{
	unsigned char to[sizeof(struct in6_addr)];
	char host[INET6_ADDRSTRLEN];

	if (len == strlen("localhost") && !strncasecmp(s, "localhost", len))
		return true;
	if (len > 2 && *s == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(host))
		return false;
	memcpy(host, s, len);
	host[len] = '\0';
	return inet_pton(AF_INET, host, to) == 1 || inet_pton(AF_INET6, host, to) == 1;
}

/* The host of an URL, NULL: it is none. */
static const char *url_host(const char *s, size_t *ret_len)
{
	const char *host = !strncmp(s, "http://", 7)    ? s + 7
	                   : !strncmp(s, "https://", 8) ? s + 8
	                                                : NULL;
	size_t len;

	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return NULL;
	len = host ? strcspn(host, "/?#") : 0;
	if (len == 0 || memchr(host, '@', len))
		return NULL;
	*ret_len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	return *ret_len <= len ? host : NULL;
}

static const char *url_fault(const char *s)
{
	size_t len;

	return url_host(s, &len) ? NULL : "must be like http://127.0.0.1:8080/path";
}

static const char *(*const target_faults[KM_CHECK_KIND_MAX])(const char *s) = {
	[KM_CHECK_TCP] = internet_fault,  [KM_CHECK_UDP] = internet_fault,
	[KM_CHECK_UNIX] = socket_fault,   [KM_CHECK_HTTP] = url_fault,
	[KM_CHECK_REDIS] = address_fault, [KM_CHECK_POSTGRES] = address_fault,
	[KM_CHECK_DNS] = internet_fault,  [KM_CHECK_FILE] = km_config_program_fault,
};

static const char *query_fault(const char *s)
{
	size_t label = 0;

	if (!*s || strlen(s) > 253)
		return "must be a name of 1 to 253 characters";
	for (; *s; s++) {
		label = *s == '.' ? 0 : label + 1;
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || label > 63 ||
		    (*s == '.' && (s[1] == '.' || !s[1])))
			return "must be a name without a dot at its end";
	}
	return NULL;
}

static int check_http(const struct km_config_reader *c, const cJSON *obj,
                      const struct check_text *t)
{
	const cJSON *body = member(obj, "body");
	pcre2_code *code;
	PCRE2_SIZE at;
	char url[TEXT_MAX];
	const char *host;
	size_t len;
	int error, r = km_config_check_text(c, obj, "address", address_fault);

	if (r < 0)
		return r;
	km_copy(url, sizeof(url), t->target[KM_CHECK_HTTP]);
	km_config_put_number(url, sizeof(url), c->number);
	host = url_host(url, &len);
	if (!host_is_number(host, len) && !t->address[0])
		return km_json_fail(c->doc, member(obj, "http"), c->err,
		                    "add \"address\": \"127.0.0.1:80\"",
		                    "the host is a name, and no resolver is asked");
	if (!body)
		return 0;
	code = pcre2_compile((PCRE2_SPTR)t->body, PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);
	pcre2_code_free(code);
	return code ? 0
	            : km_json_fail(c->doc, body, c->err, NULL, "no valid pattern, at character %zu",
	                           at);
}

static int check_values(const struct km_config_reader *c, const cJSON *obj,
                        const struct check_text *t)
{
	enum km_check_kind kind = t->def.kind;
	int r = km_config_check_text(c, obj, "name", km_config_name_fault);

	if (r == 0 && target_faults[kind])
		r = km_config_check_text(c, obj, km_check_kind_names[kind], target_faults[kind]);
	if (r == 0)
		r = km_config_check_text(c, obj, "query", query_fault);
	if (r == 0 && kind == KM_CHECK_HTTP)
		r = check_http(c, obj, t);
	if (r == 0 && t->def.timeout_ns > t->def.every_ns)
		return km_json_fail(c->doc, member(obj, "timeout") ? member(obj, "timeout") : obj,
		                    c->err, "a check does not overlap itself",
		                    "\"timeout\" is longer than \"every\"");
	return r;
}

/* Empty: none. */
static int keep(const char *text, char **ret)
{
	if (!*text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int keep_texts(const struct km_config_reader *c, const struct check_text *t,
                      struct km_health_check *ret)
{
	static const struct km_config_strings argv = { "exec", "an argument", KM_ARGV_MAX,
		                                       KM_ARG_MAX };
	int r = 0;

	if (t->argv)
		r = km_config_read_strings(c, t->argv, &argv, &ret->argv);
	if (r == 0 && t->argv && km_config_program_fault(ret->argv[0]))
		return km_json_fail(c->doc, t->argv->child, c->err, "no shell and no PATH are used",
		                    "the program %s", km_config_program_fault(ret->argv[0]));
	if (r == 0)
		r = keep(t->target[t->def.kind], &ret->target);
	if (r == 0)
		r = keep(t->address, &ret->address);
	if (r == 0)
		r = keep(t->body, &ret->body);
	return r == 0 ? keep(t->def.kind == KM_CHECK_DNS ? t->query : t->send, &ret->send) : r;
}

static int read_check(const struct km_config_reader *c, const cJSON *obj,
                      struct km_health_check *ret)
{
	struct check_text *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->def = (struct km_health_check){ .every_ns = 10 * KM_NS_PER_S,
		                           .timeout_ns = KM_NS_PER_S,
		                           .grace_ns = 30 * KM_NS_PER_S,
		                           .rise = 2,
		                           .fall = 3 };
	r = km_json_read(c->doc, obj, check_fields, t, c->err);
	if (r == 0)
		r = choose_kind(c, obj, &t->def.kind);
	if (r == 0 && !member(obj, "timeout") && t->def.timeout_ns > t->def.every_ns)
		t->def.timeout_ns = t->def.every_ns;
	if (r == 0)
		r = check_extras(c, obj, t->def.kind);
	if (r == 0)
		r = check_values(c, obj, t);
	if (r == 0) {
		if (!t->def.name[0])
			km_copy(t->def.name, sizeof(t->def.name), km_check_kind_names[t->def.kind]);
		if (t->def.kind == KM_CHECK_WATCHDOG)
			t->def.within_ns = t->watchdog_ns;
		t->def.any_certificate = t->trust;
		*ret = t->def;
		r = keep_texts(c, t, ret);
	}
	free(t);
	return r;
}

static int check_name(const struct km_config_reader *c, const cJSON *node,
                      const struct km_service_def *def, size_t last)
{
	for (size_t i = 0; i < last; i++)
		if (!strcmp(def->checks[i].name, def->checks[last].name))
			return km_json_fail(c->doc, node, c->err, "add a \"name\"",
			                    "two checks of the service are called \"%s\"",
			                    def->checks[i].name);
	if (def->checks[last].kind == KM_CHECK_WATCHDOG && def->kind != KM_BY_COMMAND)
		return km_json_fail(c->doc, node, c->err, "let its own manager watch it",
		                    "\"watchdog\" applies only to a \"command\"");
	return 0;
}

int km_config_read_checks(const struct km_config_reader *c, const cJSON *list,
                          struct km_service_def *def)
{
	int count = cJSON_GetArraySize(list), r = 0;
	const cJSON *node;

	if (count > KM_CHECKS_OF_SERVICE_MAX)
		return km_json_fail(c->doc, list, c->err, NULL, "more than %d checks of a service",
		                    KM_CHECKS_OF_SERVICE_MAX);
	def->checks = calloc((size_t)count + 1, sizeof(*def->checks));
	if (!def->checks)
		return -ENOMEM;
	for (node = list->child; node && r == 0; node = node->next) {
		r = read_check(c, node, &def->checks[def->check_count++]);
		if (r == 0)
			r = check_name(c, node, def, def->check_count - 1);
	}
	return r;
}

void km_health_check_clear(struct km_health_check *c)
{
	free(c->target);
	free(c->address);
	free(c->body);
	free(c->send);
	km_config_free_strings(c->argv);
}
