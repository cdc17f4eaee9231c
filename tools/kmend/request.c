/* SPDX-License-Identifier: Apache-2.0 */
/* One request over the control socket. The daemon may be stopped, dead, older, or not ours at all:
 * nothing here waits for ever, and nothing is printed that was not parsed strictly. */
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli.h"
#include "loop/loop.h"
#include "report/control.h"

struct exchange {
	struct km_cli *cli;
	const struct km_request_opts *o;
	int fd;
	uint64_t deadline_ns; /* 0: none */
};

static int say(const struct exchange *x, enum km_exit code, const char *remedy, const char *what)
{
	if (x->o->quiet)
		return code;
	return km_say(x->cli, code, remedy, "%s", what);
}

static int unreachable(const struct exchange *x, int error)
{
	const char *path = x->cli->socket;

	if (x->o->quiet)
		return error == EACCES || error == EPERM ? KM_EXIT_FAILED : KM_EXIT_UNREACHABLE;
	if (error == EACCES || error == EPERM)
		return km_say(x->cli, KM_EXIT_FAILED,
		              "run it as root, or join the group kmend and log in again",
		              "not allowed to use %s", path);
	return km_say(x->cli, KM_EXIT_UNREACHABLE,
	              "start it: systemctl start kmendd, or: kmendd --foreground; "
	              "name another socket with --socket PATH",
	              "kmendd is not reachable at %s: %s", path, strerror(error));
}

static int connect_to(struct exchange *x)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (!km_copy(addr.sun_path, sizeof(addr.sun_path), x->cli->socket))
		return unreachable(x, ENAMETOOLONG);
	x->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (x->fd < 0 || connect(x->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return unreachable(x, errno);
	return 0;
}

static int to_wait_ms(const struct exchange *x)
{
	uint64_t now_ns = km_now_ns();

	if (!x->deadline_ns)
		return -1;
	return now_ns >= x->deadline_ns ? 0 : (int)((x->deadline_ns - now_ns) / KM_NS_PER_MS) + 1;
}

/* -1: go on; else an exit code. */
static int wait_for(struct exchange *x, short events)
{
	struct pollfd p[2] = { { .fd = x->fd, .events = events },
		               { .fd = x->o->stop ? *x->o->stop : -1, .events = POLLIN } };
	int n = poll(p, 2, to_wait_ms(x));

	if (n < 0 && errno != EINTR)
		return say(x, KM_EXIT_FAILED, NULL, strerror(errno));
	if (n == 0)
		return say(x, KM_EXIT_UNREACHABLE, "is it stopped or overloaded? see its log",
		           "kmendd does not answer");
	if (n > 0 && p[1].revents) {
		if (x->o->stopped)
			*x->o->stopped = true;
		return KM_EXIT_DONE;
	}
	return -1;
}

static int write_all(struct exchange *x, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = send(x->fd, at, len, MSG_NOSIGNAL);
		int r = -1;

		if (n >= 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		/* An early ERROR (full, busy) may wait behind a closed socket: read it. */
		if (errno == EPIPE || errno == ECONNRESET)
			return -1;
		if (errno != EAGAIN && errno != EINTR)
			return unreachable(x, errno);
		r = wait_for(x, POLLOUT);
		if (r >= 0)
			return r;
	}
	return -1;
}

static int read_all(struct exchange *x, void *data, size_t len)
{
	char *at = data;

	while (len) {
		ssize_t n = recv(x->fd, at, len, 0);
		int r;

		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return say(x, KM_EXIT_UNREACHABLE, "did it end? see its log",
			           "kmendd hung up in the middle of an answer");
		r = wait_for(x, POLLIN);
		if (r >= 0)
			return r;
	}
	return -1;
}

static void write_args(struct km_json_writer *w, const struct km_word *words)
{
	km_jw_key(w, "args");
	km_jw_object(w);
	for (; words->name; words++) {
		const char *key = words->name + strspn(words->name, "-");
		uint64_t v;

		if (words->local || !words->value)
			continue;
		if (words->kind == KM_WORD_FLAG)
			km_jw_kbool(w, key, true);
		else if (words->kind == KM_WORD_COUNT && km_word_u64(words->value, &v) == 0)
			km_jw_ku64(w, key, v);
		else
			km_jw_kstring(w, key, words->value);
	}
	km_jw_end_object(w);
}

static int send_request(struct exchange *x)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_frame_hdr hdr = { 0, KM_FRAME_REQUEST };
	struct km_json_writer w;

	if (km_buf_new(KM_CONTROL_REQUEST_MAX - 256 + sizeof(hdr), &out) < 0)
		return say(x, KM_EXIT_FAILED, NULL, "out of memory");
	km_buf_add(out, &hdr, sizeof(hdr));
	km_jw_init(&w, out, false);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_kstring(&w, "object", x->o->object);
	km_jw_kstring(&w, "command", x->o->command);
	if (x->o->words)
		write_args(&w, x->o->words);
	km_jw_end_object(&w);
	if (km_buf_error(out) < 0)
		return say(x, KM_EXIT_USAGE, NULL, "the words are too long");
	hdr.length = (uint32_t)(out->len - sizeof(hdr));
	memcpy(out->data, &hdr, sizeof(hdr));
	return write_all(x, out->data, out->len);
}

static int parse(struct exchange *x, const char *body, size_t len, struct km_json **ret)
{
	struct km_error err = { 0 };
	char text[512];
	const cJSON *version;

	if (km_json_parse(body, len, "answer", &err, ret) < 0) {
		km_error_format(&err, text, sizeof(text));
		return x->o->quiet ? KM_EXIT_FAILED
		                   : km_say(x->cli, KM_EXIT_FAILED, "restart kmendd",
		                            "kmendd answered nonsense: %s", text);
	}
	version = cJSON_GetObjectItemCaseSensitive(km_json_root(*ret), "version");
	if (!cJSON_IsObject(km_json_root(*ret)) ||
	    (version && (!cJSON_IsNumber(version) || version->valuedouble != 1)))
		return say(x, KM_EXIT_FAILED, "use the kmend that came with it",
		           "kmendd speaks another version");
	return -1;
}

static const char *text_of(const cJSON *obj, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, key));

	return s ? s : "";
}

static int on_error(struct exchange *x, const struct km_json *doc)
{
	const cJSON *root = km_json_root(doc);

	if (x->o->quiet)
		return KM_EXIT_FAILED;
	if (x->cli->format != KM_PLAIN) {
		km_print_json(x->cli, root);
		return KM_EXIT_FAILED;
	}
	return km_say(x->cli, KM_EXIT_FAILED, text_of(root, "remedy"), "%s",
	              text_of(root, "error"));
}

/* -1: more frames follow. */
static int on_frame(struct exchange *x, const struct km_frame_hdr *hdr, const char *body,
                    struct km_json **ret_end)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	int r;

	if (hdr->kind == KM_FRAME_DATA && x->o->data) {
		r = x->o->data(x->o->userdata, body, hdr->length);
		return r ? r : -1;
	}
	if (hdr->kind == KM_FRAME_DATA || hdr->kind < KM_FRAME_ITEM || hdr->kind > KM_FRAME_ERROR)
		return say(x, KM_EXIT_FAILED, "restart kmendd", "kmendd sent a frame out of place");
	r = parse(x, body, hdr->length, &doc);
	if (r >= 0)
		return r;
	if (hdr->kind == KM_FRAME_ERROR)
		return on_error(x, doc);
	if (hdr->kind == KM_FRAME_ITEM) {
		r = x->o->item ? x->o->item(x->o->userdata, doc) : 0;
		return r ? r : -1;
	}
	if (ret_end)
		*ret_end = km_take(doc);
	return KM_EXIT_DONE;
}

static int read_frame(struct exchange *x, struct km_json **ret_end)
{
	km_autofree_char char *body = NULL;
	struct km_frame_hdr hdr;
	int r;

	x->deadline_ns = x->o->stream ? 0 : km_now_ns() + KM_CLI_TIMEOUT_MS * KM_NS_PER_MS;
	r = read_all(x, &hdr, sizeof(hdr));
	if (r >= 0)
		return r;
	if (hdr.length > KM_CONTROL_BODY_MAX)
		return say(x, KM_EXIT_FAILED, "is this the socket of kmendd?",
		           "the answer is not of this protocol");
	body = malloc((size_t)hdr.length + 1);
	if (!body)
		return say(x, KM_EXIT_FAILED, NULL, "out of memory");
	x->deadline_ns = km_now_ns() + KM_CLI_TIMEOUT_MS * KM_NS_PER_MS;
	r = read_all(x, body, hdr.length);
	if (r >= 0)
		return r;
	body[hdr.length] = '\0';
	return on_frame(x, &hdr, body, ret_end);
}

int km_request(struct km_cli *cli, const struct km_request_opts *o, struct km_json **ret_end)
{
	struct exchange x = { .cli = cli, .o = o, .fd = -1 };
	int r;

	x.deadline_ns = km_now_ns() + KM_CLI_TIMEOUT_MS * KM_NS_PER_MS;
	r = connect_to(&x);
	if (r == 0)
		r = send_request(&x);
	while (r < 0)
		r = read_frame(&x, ret_end);
	km_close(&x.fd);
	return r;
}
