// SPDX-License-Identifier: Apache-2.0
/* HTTP checks by libcurl on our loop. Whoever answers is an enemy until proven otherwise: nothing
 * is followed, unpacked, kept or resolved, and what is too much ends the check. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

#include "health/curl.h"
#include "health/internal.h"

/* All headers of one answer together. */
#define HEADERS_MAX 16384
/* Of libcurl's own buffer for what arrives. */
#define BUFFER_BYTES 4096
/* Steps, depth and KiB that a pattern may take on one body: milliseconds. */
#define PATTERN_STEPS 100000
#define PATTERN_KIB   256

struct km_http {
	struct km_curl curl;
	CURLM *multi;
	int timer_fd;
	bool closing;
};

struct http_probe {
	const struct km_curl *curl;
	struct km_check *check;
	CURL *easy;
	struct curl_slist *at; /* where the URL's host is */
	char *body;
	size_t body_len, headers_len;
	bool body_cut, too_much;
};

static size_t take_body(char *data, size_t size, size_t count, void *userdata)
{
	struct http_probe *h = userdata;
	size_t len = size * count, room = KM_ANSWER_MAX - h->body_len;

	if (!h->body && h->check->def->body)
		h->body = malloc(KM_ANSWER_MAX);
	if (len > room || (h->check->def->body && !h->body)) {
		h->body_cut = true;
		len = h->body || !h->check->def->body ? room : 0;
	}
	if (h->body)
		memcpy(h->body + h->body_len, data, len);
	h->body_len += len;
	/* Enough was seen: the rest is not waited for. */
	return h->body_cut ? 0 : size * count;
}

static size_t take_header(char *data, size_t size, size_t count, void *userdata)
{
	struct http_probe *h = userdata;

	(void)data;
	h->headers_len += size * count;
	h->too_much = h->headers_len > HEADERS_MAX;
	return h->too_much ? 0 : size * count;
}

/* 1 matches, 0 does not, -E2BIG the pattern needs too much on this body. */
static int match(const char *pattern, const char *body, size_t len)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *data = NULL;
	pcre2_code *code;
	PCRE2_SIZE at;
	int error, r = PCRE2_ERROR_NOMEMORY;

	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);
	if (code)
		data = pcre2_match_data_create(1, NULL);
	if (data && limits) {
		pcre2_set_match_limit(limits, PATTERN_STEPS);
		pcre2_set_depth_limit(limits, PATTERN_STEPS);
		pcre2_set_heap_limit(limits, PATTERN_KIB);
		r = pcre2_match(code, (PCRE2_SPTR)(body ? body : ""), len, 0, 0, data, limits);
	}
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	pcre2_match_context_free(limits);
	return r >= 0 ? 1 : r == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}

/* "Start date:Nov 22 16:00:00 2026 GMT", the first certificate's; -1: not said. */
static time_t date_of(const struct http_probe *h, const struct curl_certinfo *info,
                      const char *what)
{
	size_t len = strlen(what);

	for (const struct curl_slist *s = info->num_of_certs > 0 ? info->certinfo[0] : NULL; s;
	     s = s->next)
		if (!strncmp(s->data, what, len) && s->data[len] == ':')
			return h->curl->getdate(s->data + len + 1, NULL);
	return -1;
}

static void look_at_certificate(struct http_probe *h)
{
	struct km_probe_result *result = &h->check->last;
	struct curl_certinfo *info = NULL;
	time_t now = time(NULL), begin, end;

	if (h->curl->easy_getinfo(h->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info)
		return;
	begin = date_of(h, info, "Start date");
	end = date_of(h, info, "Expire date");
	if (begin < 0 || end <= begin)
		return;
	result->life_s = (uint64_t)(end - begin);
	result->used_s = now <= begin ? 0 : (uint64_t)(now - begin);
}

static bool status_is_good(const struct km_health_check *def, long status)
{
	return def->status ? status == (long)def->status : status >= 200 && status <= 299;
}

static void judge_body(struct km_prober *p, struct http_probe *h, long status)
{
	const struct km_health_check *def = h->check->def;
	int r = def->body ? match(def->body, h->body, h->body_len) : 1;
	const char *cut = h->body_cut ? " in its first 64 KiB" : "";

	if (r > 0)
		km_check_done(p, h->check, KM_PROBE_GOOD, "status %ld", status);
	else if (r == 0)
		km_check_done(p, h->check, KM_PROBE_BAD, "status %ld, the body does not match%s",
		              status, cut);
	else
		km_check_done(p, h->check, KM_PROBE_NOT_MEASURED,
		              "the pattern takes too long on this body");
}

static void judge(struct km_prober *p, struct http_probe *h, CURLcode code)
{
	long status = 0;

	look_at_certificate(h);
	h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	if (h->too_much)
		km_check_done(p, h->check, KM_PROBE_BAD, "headers of more than %d bytes",
		              HEADERS_MAX);
	else if (code != CURLE_OK && !h->body_cut)
		km_check_done(p, h->check, KM_PROBE_BAD, "%s", h->curl->easy_strerror(code));
	else if (!status_is_good(h->check->def, status))
		km_check_done(p, h->check, KM_PROBE_BAD, "status %ld", status);
	else
		judge_body(p, h, status);
}

static void take_finished(struct km_prober *p)
{
	const CURLMsg *m;
	int left;

	while ((m = p->http->curl.multi_info_read(p->http->multi, &left))) {
		struct http_probe *h = NULL;

		if (m->msg == CURLMSG_DONE &&
		    p->http->curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &h) == CURLE_OK &&
		    h)
			judge(p, h, m->data.result);
	}
}

static int on_ready(void *userdata, int fd, uint32_t events)
{
	struct km_prober *p = userdata;
	int flags = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
	            (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
	            (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int running;

	p->http->curl.multi_socket_action(p->http->multi, fd, flags, &running);
	take_finished(p);
	return 0;
}

static int on_timer(void *userdata, int fd, uint32_t events)
{
	struct km_prober *p = userdata;
	int running;

	(void)fd;
	(void)events;
	p->http->curl.multi_socket_action(p->http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_finished(p);
	return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *known)
{
	static const uint32_t events[] = { [CURL_POLL_IN] = EPOLLIN,
		                           [CURL_POLL_OUT] = EPOLLOUT,
		                           [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT };
	struct km_prober *p = userdata;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		km_loop_remove(p->loop, fd);
		return 0;
	}
	if (known)
		return km_loop_change(p->loop, fd, events[what]) < 0 ? -1 : 0;
	p->http->curl.multi_assign(p->http->multi, fd, p);
	return km_loop_add(p->loop, fd, events[what], on_ready, p) < 0 ? -1 : 0;
}

static int want_timer(CURLM *multi, long after_ms, void *userdata)
{
	struct km_prober *p = userdata;
	/* 0 is "at once", and nothing of libcurl's may be called from in here. */
	uint64_t at = after_ms < 0 ? 0 : km_now_ns() + (uint64_t)after_ms * KM_NS_PER_MS + 1;

	(void)multi;
	if (!p->http->closing)
		km_loop_timer_set(p->loop, p->http->timer_fd, at, 0);
	return 0;
}

/* At the first check. */
static int begin_http(struct km_prober *p)
{
	int r;

	p->http = calloc(1, sizeof(*p->http));
	if (!p->http)
		return -ENOMEM;
	r = km_curl_load(&p->http->curl);
	if (r < 0)
		return r;
	p->http->multi = p->http->curl.multi_init();
	if (!p->http->multi)
		return -ENOMEM;
	r = km_loop_timer(p->loop, 0, on_timer, p, &p->http->timer_fd);
	p->http->curl.multi_setopt(p->http->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	p->http->curl.multi_setopt(p->http->multi, CURLMOPT_SOCKETDATA, p);
	p->http->curl.multi_setopt(p->http->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	p->http->curl.multi_setopt(p->http->multi, CURLMOPT_TIMERDATA, p);
	p->http->curl.multi_setopt(p->http->multi, CURLMOPT_MAXCONNECTS, 1L);
	return r;
}

void km_http_free(struct km_prober *p)
{
	if (!p->http)
		return;
	p->http->closing = true;
	if (p->http->multi)
		p->http->curl.multi_cleanup(p->http->multi);
	km_curl_unload(&p->http->curl);
	free(p->http);
	p->http = NULL;
}

/* "HOST:PORT" of the URL goes to "ADDRESS": names are not resolved. */
static int send_to(struct http_probe *h, const char *address)
{
	char rule[KM_PATH_MAX + 8];

	if (*address == '/')
		return h->curl->easy_setopt(h->easy, CURLOPT_UNIX_SOCKET_PATH, address) ? -EINVAL
		                                                                        : 0;
	snprintf(rule, sizeof(rule), "::%s", address);
	h->at = h->curl->slist_append(NULL, rule);
	return h->at && !h->curl->easy_setopt(h->easy, CURLOPT_CONNECT_TO, h->at) ? 0 : -ENOMEM;
}

static int set_limits(struct http_probe *h)
{
	const struct {
		CURLoption option;
		long value;
	} all[] = {
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_MAXREDIRS, 0 },
		{ CURLOPT_HTTP_CONTENT_DECODING, 0 },
		{ CURLOPT_BUFFERSIZE, BUFFER_BYTES },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
		{ CURLOPT_HTTP09_ALLOWED, 0 },
		{ CURLOPT_FRESH_CONNECT, 1 },
		{ CURLOPT_FORBID_REUSE, 1 },
		{ CURLOPT_DNS_CACHE_TIMEOUT, 0 },
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
		{ CURLOPT_CERTINFO, 1 },
		{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
		{ CURLOPT_SSL_VERIFYPEER, !h->check->def->any_certificate },
		{ CURLOPT_SSL_VERIFYHOST, h->check->def->any_certificate ? 0 : 2 },
	};

	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++)
		if (h->curl->easy_setopt(h->easy, all[i].option, all[i].value) != CURLE_OK)
			return -EINVAL;
	return 0;
}

static int set_up(struct http_probe *h)
{
	const struct km_health_check *def = h->check->def;
	int r = set_limits(h);

	if (r == 0 && def->address)
		r = send_to(h, def->address);
	if (r < 0)
		return r;
	h->curl->easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, take_body);
	h->curl->easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
	h->curl->easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, take_header);
	h->curl->easy_setopt(h->easy, CURLOPT_HEADERDATA, h);
	h->curl->easy_setopt(h->easy, CURLOPT_PRIVATE, h);
	return h->curl->easy_setopt(h->easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
	                       h->curl->easy_setopt(h->easy, CURLOPT_PROXY, "") ||
	                       h->curl->easy_setopt(h->easy, CURLOPT_USERAGENT, "kmend") ||
	                       h->curl->easy_setopt(h->easy, CURLOPT_URL, def->target)
	               ? -EINVAL
	               : 0;
}

void km_http_begin(struct km_prober *p, struct km_check *c)
{
	struct http_probe *h;

	if (!p->http && begin_http(p) < 0) {
		km_http_free(p);
		km_check_done(p, c, KM_PROBE_NOT_MEASURED, "libcurl cannot be loaded");
		return;
	}
	h = calloc(1, sizeof(*h));
	c->probe = h;
	if (h) {
		h->curl = &p->http->curl;
		h->check = c;
		h->easy = p->http->curl.easy_init();
	}
	if (!h || !h->easy || set_up(h) < 0 ||
	    p->http->curl.multi_add_handle(p->http->multi, h->easy) != CURLM_OK)
		km_check_done(p, c, KM_PROBE_NOT_MEASURED, "libcurl refuses to begin");
}

void km_http_end(struct km_prober *p, struct km_check *c)
{
	struct http_probe *h = c->probe;

	if (!h)
		return;
	if (h->easy) {
		p->http->curl.multi_remove_handle(p->http->multi, h->easy);
		p->http->curl.easy_cleanup(h->easy);
	}
	p->http->curl.slist_free_all(h->at);
	free(h->body);
	free(h);
	c->probe = NULL;
}
