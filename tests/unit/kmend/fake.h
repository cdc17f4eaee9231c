/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that answers what the test says, on a socket of its own. */
#ifndef KM_TEST_FAKE_H
#define KM_TEST_FAKE_H

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#include "report/control.h"
#include "run.h"

enum then { THEN_CLOSE, THEN_WAIT };

/* One connection: reads one request, sends BYTES, then does THEN. */
struct fake {
	char dir[64], path[96];
	int listen_fd;
	pthread_t thread;
	char bytes[8192];
	size_t len;
	enum then then;
	char request[4096];
};

static inline void add_bytes(struct fake *f, const void *data, size_t len)
{
	assert_true(f->len + len <= sizeof(f->bytes));
	memcpy(f->bytes + f->len, data, len);
	f->len += len;
}

static inline void add_frame(struct fake *f, enum km_frame kind, const char *body)
{
	const struct km_frame_hdr hdr = { (uint32_t)strlen(body), kind };

	add_bytes(f, &hdr, sizeof(hdr));
	add_bytes(f, body, hdr.length);
}

static inline void *serve(void *arg)
{
	struct fake *f = arg;
	struct km_frame_hdr hdr;
	char c;
	int fd = accept(f->listen_fd, NULL, NULL);

	if (fd < 0)
		return NULL;
	if (recv(fd, &hdr, sizeof(hdr), MSG_WAITALL) == sizeof(hdr) &&
	    hdr.length < sizeof(f->request) && hdr.kind == KM_FRAME_REQUEST &&
	    recv(fd, f->request, hdr.length, MSG_WAITALL) == (ssize_t)hdr.length)
		send(fd, f->bytes, f->len, MSG_NOSIGNAL);
	/* Until the client goes. */
	if (f->then != THEN_CLOSE)
		while (recv(fd, &c, 1, 0) > 0)
			;
	close(fd);
	return NULL;
}

static inline int setup(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct fake *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/kmend-cli-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	memcpy(addr.sun_path, f->path, sizeof(f->path));
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->listen_fd, 8), 0);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fake *f = *state;
	char trace[128];

	snprintf(trace, sizeof(trace), "%s/trace", f->dir);
	unlink(trace);
	close(f->listen_fd);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

#define ARGS_MAX 12

static inline void begin(struct fake *f, struct run *r, char *const *args)
{
	char *argv[ARGS_MAX + 4] = { "kmend", "--socket", f->path };
	int n = 3;

	while (*args && n < ARGS_MAX + 3)
		argv[n++] = *args++;
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	run_begin(r, argv);
}

static inline void end(struct fake *f, struct run *r)
{
	run_end(r);
	/* A command that never connected leaves the thread in accept(). */
	shutdown(f->listen_fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
}

static inline void run(struct fake *f, struct run *r, char *const *args)
{
	begin(f, r, args);
	end(f, r);
}

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

#endif
