// SPDX-License-Identifier: Apache-2.0
/* What the engine may send to the actor. Each input is a sequence of messages, each behind its
 * length (u16); nothing is allowed by the policy but notices, so nothing is done to the host.
 * Seeds: a request, a notice, a sign of life. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "act/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing is worth a sync here. */
int fdatasync(int fd)
{
	return fd < 0 ? -1 : 0;
}

struct world {
	struct km_loop *loop;
	struct km_config *config;
	struct km_policy *policy;
	struct km_actor *actor;
	int engine;
};

static const char config[] =
	"{\"version\":1,\"services\":[{\"name\":\"web\",\"unit\":\"a.service\"},"
	"{\"name\":\"exe\",\"executable\":\"/bin/false\"}]}";

static void begin(struct world *w)
{
	char dir[] = "/tmp/kmend-fuzz.XXXXXX";
	struct km_actor_opts o = { 0 };
	struct km_error e;
	int s[2];

	if (!mkdtemp(dir) || km_loop_new(&w->loop) < 0 ||
	    km_config_compile(config, sizeof(config) - 1, "config", &e, &w->config) < 0 ||
	    km_policy_compile(NULL, 0, "policy", &e, &w->policy) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) < 0)
		abort();
	w->engine = s[0];
	o.loop = w->loop;
	o.config = w->config;
	o.policy = w->policy;
	o.engine_sock = s[1];
	o.journal_dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (km_actor_new(&o, &w->actor) < 0)
		abort();
	/* The files live on without names: nothing is left behind. */
	for (int i = 1; i < 4; i++) {
		char name[32];

		snprintf(name, sizeof(name), "journal-%08d", i);
		unlinkat(o.journal_dir_fd, name, 0);
	}
	rmdir(dir);
}

static void drain(struct world *w)
{
	char text[4096];

	while (recv(w->engine, text, sizeof(text), 0) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;

	if (!w.actor)
		begin(&w);
	/* Each input meets a fresh actor, as far as it can remember. */
	w.actor->last_intent_id = 0;
	memset(&w.actor->said, 0, sizeof(w.actor->said));
	while (size > 2) {
		size_t len = (size_t)data[0] | (size_t)data[1] << 8;

		len = len < size - 2 ? len : size - 2;
		if (len > 0 && send(w.engine, data + 2, len, MSG_NOSIGNAL) < 0)
			abort();
		while (km_loop_once(w.loop, 0) > 0)
			drain(&w);
		data += 2 + len;
		size -= 2 + len;
	}
	return 0;
}
